import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlTestSupport

/// Rollbacks whose proof is what a real NGINX serves.
@Suite("Rollbacks of a real server", .ownThreads)
struct ServerRollbackTests {
    @Test("Files that were written and never loaded are noticed after the host was killed, also without a probe")
    func neverLoaded() async throws {
        var site = try await NGINXSite()
        site.manifest.targets[0].probe = nil
        let tls = site.nginx.directory.file("tls")
        let log = site.command.scratch.file("calls")
        func run(_ fault: String) async throws -> TrstctlCommand.Outcome {
            let environment = ["LD_PRELOAD=\(try FaultLibrary.shared().path)", "FAULTS_UNDER=\(tls)", fault]
            return try await site.command.start(["apply"], environment: environment + ["FAULTS_DO=after"]).outcome()
        }
        let first = try site.command.pki.issue("www.example.com")
        try site.use(first)
        let workers = site.nginx.workers
        #expect(try await run("FAULTS_LOG=\(log)").code == 0)
        // Without a probe nobody has waited for the reload, which must not find what follows.
        try await site.nginx.waitForWorker(insteadOf: workers)
        let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        let last = try #require(lines.lastIndex { $0.contains(" renameat ") }) + 1

        let renewed = try site.command.pki.issue("www.example.com")
        try site.use(renewed)
        #expect(try await run("FAULTS_AT=\(last)").code == -1)
        #expect(try FileStamp(site.nginx.key).content == Data(contentsOf: URL(fileURLWithPath: renewed.keyPath)))
        #expect(try await site.nginx.served() == first.fingerprint)

        let (outcome, report) = try await site.apply()
        #expect(outcome.code == 0, "\(outcome)")
        #expect(report.outcome == .deployed)
        #expect(try outcome.json(RunReport.self).recoveries.map(\.outcome) == [.rolledBack])
        #expect(try await site.nginx.served() == renewed.fingerprint)
    }

    /// A target of the echo connector whose command ends NGINX and fails, which its rollback command starts.
    private func deadly(
        timeout: Int, rollback: (PrivateNGINX) -> String
    ) async throws -> (FaultSite, PrivateNGINX) {
        var site = try await FaultSite()
        let serving = try site.site.command.pki.issue("first.example.com")
        let nginx = try await PrivateNGINX(serving: serving, isCombined: false)
        let pid = try #require(nginx.master)
        let script = try site.site.command.scratch.write(
            "#!/bin/sh\nkill -TERM \(pid)\nwhile [ -e \(nginx.directory.file("nginx.pid")) ]; do sleep 0.05; done\nexit 1\n",
            to: "restart", mode: 0o755)
        site.site.manifest.targets[0].config["run"] = "[\(script)]"
        site.site.manifest.targets[0].config["rollback"] = "[\(rollback(nginx))]"
        site.site.manifest.targets[0].probe = "{ address: \"\(nginx.address)\", timeout: \(timeout) }"
        site.site.manifest.grants[2] = "process.exec: [[\(script)], [\(rollback(nginx))]]"
        try site.site.command.write(manifest: site.site.manifest.text)
        try site.reset()
        return (site, nginx)
    }

    @Test(
        "A server that died in a failed deployment is started by the rollback command, because the probe says it is dead"
    )
    func started() async throws {
        let (site, nginx) = try await deadly(timeout: 6) { $0.words }
        let serving = try await nginx.served()
        let outcome = try await site.site.command.run("apply", "--json")
        #expect(outcome.code == 1, "\(outcome)")
        let report = try #require(try outcome.json(RunReport.self).targets.first)
        #expect(report.outcome == .failed && report.rollback == .rolledBack, "\(report)")
        #expect(report.detail.contains("served again: \(serving)"), "\(report)")
        #expect(try site.live() == site.old)
        #expect(try await nginx.served() == serving)
        #expect(try site.journals() == [])
    }

    @Test("A rollback after which something else is served than before is loud, and stays to be tried again")
    func staysDead() async throws {
        let (site, nginx) = try await deadly(timeout: 2) { _ in "/bin/true" }
        defer { withExtendedLifetime(nginx) {} }
        let outcome = try await site.site.command.run("apply", "--json")
        #expect(outcome.code == 1, "\(outcome)")
        let report = try #require(try outcome.json(RunReport.self).targets.first)
        #expect(report.outcome == .revertFailed && report.rollback == .failed, "\(report)")
        #expect(report.detail.contains("DOES NOT SERVE"), "\(report)")
        #expect(try site.live() == site.old)
        #expect(try site.journals().count == 1)
        let recovery = try await site.site.command.run("recover")
        #expect(recovery.code == 1 && recovery.output.contains("DOES NOT SERVE"), "\(recovery)")
        #expect(try await site.site.command.run("recover", "--abandon", "one").code == 0)
    }
}
