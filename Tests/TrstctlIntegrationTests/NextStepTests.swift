import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlSystem
import TrstctlTestSupport

/// What the command line says where somebody was mistaken, or may not look.
@Suite("Next steps", .ownThreads)
struct NextStepTests {
    @Test("An audit of what is not there is an error with what to type; of what nothing happened to, it says so")
    func audit() async throws {
        var site = try EchoSite(["one", "two"])
        let missing = try await site.command.run("audit")
        #expect(missing.code == 2 && missing.errors.contains("\n  next: name the directory"), "\(missing)")
        #expect(try await site.command.run("apply", "one").code == 0)

        let typo = try await site.command.run("audit", "--target", "onee")
        #expect(typo.code == 2 && typo.output.isEmpty, "\(typo)")
        #expect(typo.errors.contains("did you mean \"one\"") && typo.errors.contains("\n  next: "), "\(typo)")
        #expect(try await site.command.run("audit", "--target", "one").output.contains("deployed"))
        let idle = try await site.command.run("audit", "--target", "two")
        #expect(idle.code == 0 && idle.output == "nothing is recorded that was asked for\n", "\(idle)")
        // What the manifest does not have any more is in the log.
        site.manifest.targets.removeFirst()
        try site.command.write(manifest: site.manifest.text)
        #expect(try await site.command.run("audit", "--target", "one").code == 0)
    }

    @Test("A connector that was found by a relative path is named by its absolute one, wherever it is told")
    func relative() async throws {
        let site = try EchoSite()
        let program = try BuiltProduct.path("trstctl")
        for directory in [".", "./", "../plugins"] {
            let line =
                "cd '\(site.command.plugins)' && exec '\(program)' --manifest '\(site.command.manifest)' "
                + "--state-dir '\(site.command.state)' --plugin-dir \(directory) plan --json"
            let outcome = try await RunningCommand("/bin/sh", ["sh", "-c", line], home: site.command.scratch.path)
                .outcome()
            let path = try #require(try outcome.json(RunReport.self).connectors.first).path
            #expect(
                path.hasPrefix(site.command.plugins + "/") && path.hasSuffix("/trstctl-connector-echo"), "\(outcome)")
        }
        let audit = try await site.command.run("audit", "--json").json(AuditResult.self)
        #expect(audit.records.filter { $0.event == .start }.allSatisfy { $0.object?.hasPrefix("/") == true })
    }

    @Test("Where no directory of a manifest is, the same is said as where no file is")
    func noManifest() async throws {
        let site = try EchoSite()
        for path in ["nowhere.yaml", "nowhere/trstctl.yaml"] {
            let outcome = try await site.command.run("plan", "--manifest", site.command.scratch.file(path))
            #expect(outcome.code == 2 && outcome.errors.contains("there is no such file\n  next: "), "\(outcome)")
        }
    }

    @Test("Who names an interrupted deployment that is none hears what to type")
    func abandon() async throws {
        let outcome = try await EchoSite().command.run("recover", "--abandon", "nobody")
        #expect(outcome.code == 2 && outcome.errors.contains("\n  next: leave --abandon away"), "\(outcome)")
    }

    @Test("Validation counts pins that are none and dangerous grants apart")
    func validation() async throws {
        let site = try EchoSite()
        let pin = try EchoManifest.digest("\(site.command.plugins)/trstctl-connector-echo")
        try site.command.write(manifest: site.manifest.text.replacing(pin, with: "abc"))
        let outcome = try await site.command.run("manifest", "validate")
        #expect(outcome.code == 2 && outcome.output.contains("is refused: 1 pin that is none\n"), "\(outcome)")
    }

    @Test("Validation names the connectors of targets for which nothing is pinned, and what pins them")
    func unpinned() async throws {
        let site = try EchoSite()
        let pin = try EchoManifest.digest("\(site.command.plugins)/trstctl-connector-echo")
        let pinned = try await site.command.run("manifest", "validate")
        #expect(pinned.output.hasSuffix("is valid: 1 connector, 1 credential, 1 target\n"), "\(pinned)")
        try site.command.write(manifest: site.manifest.text.replacing("\"\(pin)\"", with: ""))
        let outcome = try await site.command.run("manifest", "validate")
        #expect(outcome.code == 0, "\(outcome)")
        #expect(outcome.output.contains("\nnote: nothing is pinned for echo: its targets are refused until trstctl"))
    }

    @Test(
        "Somebody else can look at a plan beside root's state, and hears in capitals what is not known",
        .enabled(if: geteuid() == 0))
    func othersPlan() async throws {
        let site = try EchoSite()
        #expect(try await site.command.run("apply").code == 0)
        try #require(chmod(site.command.scratch.path, 0o755) == 0)
        // The checkout may be closed to others.
        let program = site.command.scratch.file("trstctl")
        try FileManager.default.copyItem(atPath: BuiltProduct.path("trstctl"), toPath: program)
        let words = [
            "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "--manifest", site.command.manifest,
            "--state-dir", site.command.state, "--plugin-dir", site.command.plugins, "plan",
        ]
        let path = try #require(Tool.path("setpriv"))
        let outcome = try await RunningCommand(path, words, home: site.command.scratch.path).outcome()
        #expect(outcome.errors.contains("WHETHER A DEPLOYMENT HAS TO BE RECOVERED IS NOT KNOWN"), "\(outcome)")
        #expect(outcome.errors.contains("NO START AND NO REFUSAL OF THIS RUN IS RECORDED"), "\(outcome)")
        #expect(outcome.output.contains("1 target: "), "\(outcome)")
    }
}
