import Foundation
import Testing
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

/// Connectors that misuse what they were given: the host denies, says so, puts things back, and serves the next target.
@Suite("A host with hostile connectors", .ownThreads)
struct HostHostileTests {
    @Test(
        "A connector that is refused at its start is reported as refused, and the next target is deployed",
        arguments: [
            ("junk", "Hello, I am a connector!"), ("exits", "no licence file"),
            ("foreign", "must bind its socket in the directory"), ("version-two", "another version"),
            ("hello-garbage", "invalid-message"), ("wrong-name", "calls itself"), ("future", "none in common"),
        ])
    func refused(_ name: String, _ says: String) async throws {
        let bench = try HostBench()
        let report = try await bench.apply(name)
        #expect(report.outcome == .refused)
        #expect(report.stage == .connector)
        #expect(report.detail.contains(says), "\(report)")
        #expect(bench.files == ["good"])
    }

    @Test("A connector that never says where it listens is refused at the deadline")
    func silent() async throws {
        let bench = try HostBench()
        var options = try bench.host(["silent"]).options
        options.timeouts.handshake = 300
        let report = try await TrstctlHost.Host(options).apply([])
        #expect(report.targets.map(\.outcome) == [.refused])
        #expect(report.targets.first?.detail.contains("no handshake line within 300 ms") == true, "\(report)")
        try bench.expectHealthy(try await bench.host(["echo"]).apply([]))
    }

    @Test(
        "A brokered call with a wrong token, or for another call, is denied, and nothing is written",
        arguments: [("wrong-token", "wrong token: 7"), ("wrong-call", "wrong call: 7"), ("late-call", "late call: 7")])
    func wrongScope(_ name: String, _ says: String) async throws {
        let bench = try HostBench()
        let report = try await bench.apply(name)
        #expect(report.changes == [])
        #expect(bench.printed.contains(says), "\(bench.printed)")
        #expect(bench.files == ["good"])
    }

    @Test("A write inside Read is denied, and nothing is written")
    func writesInRead() async throws {
        let bench = try HostBench()
        let report = try await bench.host(["writes-in-read"]).plan([])
        #expect(report.targets.map(\.outcome) == [.differs])
        #expect(bench.printed.contains("write in read: 7"), "\(bench.printed)")
        #expect(report.targets.first?.denials == 1)
        #expect(
            report.targets.first?.warnings.contains { $0.contains("denied while it was read") } == true, "\(report)")
        #expect(bench.files == [])
    }

    @Test("A success that is claimed after a denied write is a failure, reported with its denials")
    func claimsSuccess() async throws {
        let bench = try HostBench()
        let report = try await bench.apply("claims-success")
        #expect(bench.printed.contains("denied: 7"), "\(bench.printed)")
        #expect(report.denials == 1)
        #expect(report.outcome == .failed && report.summary.contains("changed nothing"), "\(report)")
        #expect(
            report.warnings.contains { $0.contains("1 brokered call was denied during the deployment") }, "\(report)")
        #expect(report.changes == [])
        #expect(bench.files == ["good"])
    }

    @Test("A deployment that succeeded although calls were denied says so, and so does a plan")
    func asksBeyond() async throws {
        let bench = try HostBench()
        let plan = try #require(try await bench.host(["asks-beyond"]).plan([]).targets.first)
        #expect(plan.outcome == .differs && plan.denials == 1)
        #expect(plan.warnings.contains { $0.contains("1 brokered call was denied in its rehearsal") }, "\(plan)")
        let report = try await bench.apply("asks-beyond")
        #expect(bench.printed.contains("beyond: 7"), "\(bench.printed)")
        #expect(report.outcome == .deployed && report.denials == 2)
        #expect(report.warnings.count { $0.contains("1 brokered call was denied") } == 2, "\(report)")
        #expect(bench.files == ["bad", "good"])
    }

    @Test("A method that no host knows is UNIMPLEMENTED, and the deployment goes on")
    func unknownMethod() async throws {
        let bench = try HostBench()
        let report = try await bench.apply("unknown-method")
        #expect(report.outcome == .deployed)
        #expect(bench.printed.contains("unknown method: 12"), "\(bench.printed)")
        #expect(bench.files == ["bad", "good"])
    }

    @Test("A connector that dies after a write: the file is as it was, and the report says how it died")
    func exitsInApply() async throws {
        let bench = try HostBench()
        try bench.scratch.write("as it was\n", to: "live/bad", mode: 0o640)
        let before = try FileStamp(bench.badPath)
        let report = try await bench.apply("exits-in-apply")
        #expect(report.outcome == .failed)
        #expect(report.stage == .apply)
        #expect(report.detail.contains("exit status 7"), "\(report)")
        #expect(report.detail.contains("put back"), "\(report)")
        let after = try FileStamp(bench.badPath)
        #expect(after.content == before.content)
        #expect(after.mode == before.mode)
    }

    @Test("A write that is still under way when its deployment has failed is put back, or never done")
    func racesItsReply() async throws {
        for _ in 0..<20 {
            let bench = try HostBench()
            let report = try await bench.apply("races-its-reply")
            #expect(report.outcome == .failed)
            #expect(bench.files == ["good"])
        }
    }

    @Test("An endless error message is cut and escaped")
    func failsLoudly() async throws {
        let bench = try HostBench()
        let report = try await bench.apply("fails-loudly")
        #expect(report.outcome == .failed)
        #expect(report.summary.utf8.count < 8_192)
        #expect(
            report.summary.hasPrefix("\\x{1b}[2J") || !report.summary.contains("\u{1B}"), "\(report.summary.prefix(99))"
        )
        #expect(!report.summary.contains("\n"))
    }

    @Test("A fingerprint that is none fails the target, escaped")
    func badFingerprint() async throws {
        let bench = try HostBench()
        let report = try await bench.apply("bad-fingerprint")
        #expect(report.stage == .read)
        #expect(!report.detail.contains("\u{1B}"))
        #expect(report.detail.contains("deadbeef"))
    }

    @Test("A connector that dies in Read fails its target with its last words")
    func exitsInRead() async throws {
        let bench = try HostBench()
        let report = try await bench.apply("exits-in-read")
        #expect(report.outcome == .failed)
        #expect(report.stage == .read)
        #expect(report.detail.contains("exit status 6"), "\(report)")
        #expect(report.detail.contains("read is hard"), "\(report)")
    }

    @Test("A Read that is never answered fails its target at the deadline")
    func neverReads() async throws {
        let bench = try HostBench()
        let host = try bench.host(["never-reads", "echo"])
        let (manifest, directory) = try host.manifest()
        let pool = host.makePool(audit: nil, try host.loadManifest())
        var reconciler = TargetReconciler(
            manifest: manifest, directory: directory, pool: pool, credentials: CredentialCache(), audit: nil)
        reconciler.timeouts.read = 300
        let bad = await reconciler.reconcile(manifest.targets[0], goal: .apply)
        #expect(bad.outcome == .failed)
        #expect(bad.stage == .read)
        #expect(bad.detail.contains("did not answer before the deadline"), "\(bad)")
        reconciler.timeouts.read = 60_000
        let good = await reconciler.reconcile(manifest.targets[1], goal: .apply)
        #expect(good.outcome == .deployed)
        await pool.stopAll()
    }

    @Test("A connector that keeps 60 commands waiting keeps nobody else waiting, and is ended by an interruption")
    func hogs() async throws {
        let (bench, other) = (try HostBench(), try HostBench())
        let host = try bench.host(["hogs"])
        let others = ProcessList.running(in: "/bin/sleep")
        let run = Task { try await host.apply([]) }
        for _ in 0..<12_000 where !bench.printed.contains("hogging") { try await Task.sleep(for: .milliseconds(10)) }
        try #require(bench.printed.contains("hogging"))
        // What it keeps the host waiting with: the first of the commands, of at most 30 seconds.
        var command: Int32?
        for _ in 0..<12_000 where command == nil {
            command = ProcessList.running(in: "/bin/sleep").first { !others.contains($0) }
            try await Task.sleep(for: .milliseconds(10))
        }
        let first = try #require(command)
        let healthy = try await other.host(["echo"]).apply([])
        try other.expectHealthy(healthy)
        #expect(ProcessList.isRunning(first), "the healthy target had to wait")
        run.cancel()
        let report = try await run.value
        #expect(report.targets.map(\.outcome) == [.failed])
        #expect(!ProcessList.isRunning(first))
        #expect(ProcessList.running(in: bench.scratch.path) == [])
        let recorded = try host.audit(AuditQuery(last: 10_000)).records.filter { $0.operation == "Exec" }
        #expect(recorded.count == 60 && recorded.allSatisfy { $0.object == "[/bin/sleep, \"600\"]" })
    }
}

extension TargetReconciler {
    /// One target alone.
    fileprivate func reconcile(_ target: Target, goal: Goal) async -> TargetReport {
        await reconcile(await prepare(target, goal: goal), goal: goal)
    }
}
