import Foundation
import Glibc
import Testing
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

/// Rows of the hostile suite that need more than one run, or more than one connector; they assert the same four things.
@Suite("The hostile suite: whole runs", .ownThreads)
struct HostileRunTests {
    @Test("R15: a connector that hangs in Apply after its first write is given up, and the journal puts the file back")
    func hangsAfterWriting() async throws {
        let bench = try HostileBench()
        // Also for the healthy connector.
        let entry = HostileCase(
            "R15", "never-applies", .failed(.apply, "timeout"), options: { $0.callTimeouts.apply = 5_000 })
        let before = try FileStamp(bench.badPath)
        let report = try await bench.host(entry).apply([])
        let target = try #require(report.targets.first)
        #expect(target.outcome == .failed && target.stage == .apply && target.code == "timeout")
        #expect(
            target.rollback == .rolledBack && target.detail.contains("put back: \(bench.badPath)"), "\(target.detail)")
        // Nothing is different any more.
        #expect(target.changes.isEmpty)
        #expect(try FileStamp(bench.badPath).content == before.content)
        // Undone once and for all: the next start finds nothing to do.
        #expect(try await bench.host(entry).recover().recoveries.isEmpty)
        try bench.expectHealthy(report)
    }

    /// How a directory for sockets is spoiled.
    enum Spoiling: String, CaseIterable, Sendable {
        case link, mode, owner, file, full

        var entry: HostileCase { HostileCase(self == .full ? "L14" : "H23", "healthy", .refused("run-directory")) }
    }

    @Test(
        "H23, L14: a directory for sockets that is not the host's own, or is full, starts nothing",
        arguments: Spoiling.allCases)
    func runDirectory(_ spoiling: Spoiling) async throws {
        let bench = try HostileBench()
        let base = bench.scratch.file("sockets")
        switch spoiling {
        case .link: try #require(symlink(try bench.scratch.makeDirectory("elsewhere"), base) == 0)
        case .mode: try bench.scratch.makeDirectory("sockets", mode: 0o777)
        case .owner: try #require(chown(try bench.scratch.makeDirectory("sockets"), 4711, 4711) == 0)
        case .file: try bench.scratch.write("", to: "sockets")
        case .full:
            try bench.scratch.makeDirectory("sockets")
            try #require(mount("none", base, "tmpfs", 0, "nr_inodes=1,mode=755") == 0)
        }
        defer { if spoiling == .full { umount2(base, 2) } }
        var entry = spoiling.entry
        entry.options = { $0.runtimeBase = base }
        let host = try bench.host(entry)
        let attack = try HostileAttack(entry, bench)
        let report = try await host.apply([])
        try attack.expectContained(report)
        #expect(report.targets.map(\.code) == ["run-directory", "run-directory"], "\(report)")
        let refusals = try bench.audit().filter { $0.event == .refusal }
        #expect(refusals.map(\.code) == ["run-directory", "run-directory"])
        // The host with another directory serves both.
        let healthy = try await bench.host(HostileCase("H23", "healthy", .served)).apply([])
        #expect(healthy.targets.map(\.outcome) == [.deployed, .deployed])
        try bench.expectHealthy(healthy)
    }

    @Test("R10, Q11: many denied calls are counted, and take a bounded part of the audit log")
    func manyDenials() async throws {
        let bench = try HostileBench()
        let report = try await bench.host(HostileCase("R10", "many-denied", .denied("not-declared"))).apply([])
        #expect(report.targets.first?.denials == 5_000)
        let records = try bench.audit().filter { $0.connector == "many-denied" }
        #expect(records.filter { $0.event == .call }.count <= 1_100)
        let suppressed = try #require(records.first { $0.event == .suppressed && $0.scope != "Plan" })
        #expect(suppressed.target == "bad" && suppressed.outcome.hasSuffix("calls"), "\(suppressed)")
        try bench.expectHealthy(report)
    }

    @Test(
        "R10: a million denied calls take no more of the log than a thousand",
        .enabled(if: ProcessInfo.processInfo.environment["TRSTCTL_SOAK"] == "1", "takes minutes: TRSTCTL_SOAK=1"))
    func millionDenials() async throws {
        let bench = try HostileBench()
        let report = try await bench.host(HostileCase("R10", "million-calls", .denied("not-declared"))).apply([])
        #expect(report.targets.first?.denials == 1_000_000)
        #expect(try bench.audit().filter { $0.connector == "million-calls" }.count < 2_200)
        try bench.expectHealthy(report)
    }

    @Test("Q11: what a connector logs is passed on up to a bound, and then that it was")
    func logBudget() async throws {
        let bench = try HostileBench()
        let report = try await bench.host(HostileCase("Q11", "logs-much", .served)).apply([])
        let bytes = bench.printed.reduce(0) { $0 + $1.utf8.count }
        #expect((1 << 20..<(1 << 20) + (64 << 10)).contains(bytes), "\(bytes)")
        #expect(bench.printed.filter { $0.contains("it logs too much") }.count == 1)
        try bench.expectHealthy(report)
    }

    @Test("R19: two deployments to one connector are answered each for itself")
    func twoDeployments() async throws {
        let bench = try HostileBench()
        let path = try HostileConnector.shared().install("healthy", in: bench.hostileDirectory)
        try bench.scratch.makeDirectory("beside")
        let second = try bench.scratch.write("as it was\n", to: "beside/second")
        let plugins = [
            "plugins:", "  healthy:", "    sha256: [\(try EchoManifest.pin(path))]",
            "    grants: { fs.write: [\(bench.badPath), \(second)] }",
        ]
        let targets = [("bad", bench.badPath), ("second", second)].map {
            "  \($0): { connector: healthy, credential: www, config: { path: \($1) } }"
        }
        // The fixture hears nothing else while it waits for a reply, so one call after the other.
        let host = try bench.host(bench.manifest(plugins, targets: targets)) { $0.parallel = 1 }
        let attack = try HostileAttack(HostileCase.twoDeployments, bench)
        let report = try await host.apply([])
        try attack.expect(report)
        #expect(try FileStamp(second).content == FileStamp(bench.badPath).content)
        #expect(report.targets.map(\.outcome) == [.deployed, .deployed, .deployed], "\(report)")
        #expect(try bench.audit().filter { $0.event == .start && $0.connector == "healthy" }.count == 1)
        let calls = try bench.audit().filter { $0.event == .call && $0.scope == "Apply" }
        #expect(calls.compactMap(\.target).contains("bad") && calls.compactMap(\.target).contains("second"))
    }

    @Test("L02: a connector outlives the thread that asked for it", arguments: [HostileCase.threadEnds])
    func threadEnds(_ entry: HostileCase) async throws {
        let bench = try HostileBench()
        let host = try bench.host(entry)
        let attack = try HostileAttack(entry, bench)
        let report = try await withTaskExecutorPreference(PassingThreads()) { try await host.apply([]) }
        try attack.expect(report)
    }

    @Test("B26: a connector with Swift's runtime starts again and again under every layer")
    func swiftRuntime() async throws {
        let bench = try HostileBench()
        let host = try bench.host(HostileCase.swiftRuntime)
        let attack = try HostileAttack(HostileCase.swiftRuntime, bench)
        try attack.expect(try await host.apply([]))
        let count = 20
        for _ in 1..<count {
            let report = try await host.apply(["good"])
            try #require(report.targets.map(\.outcome) == [.inSync] && report.exitCode == 0, "\(report)")
            try bench.expectHealthy(report)
        }
        let starts = try bench.audit().filter { $0.event == .start && $0.connector == "echo" }
        #expect(starts.count == count && starts.allSatisfy { $0.reason?.contains("seccomp") == true })
        #expect(attack.canaries.changes(to: bench.canaries) == [])
    }

    @Test("L15: deadlines follow the clock that nobody can set")
    func monotonicClock() {
        func reading() -> Int64 {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        }
        let before = reading()
        let now = Deadline.now.nanoseconds
        #expect((before...reading()).contains(now))
    }
}

/// A thread for each job, which ends with it.
private final class PassingThreads: TaskExecutor {
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        Thread.detachNewThread { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

extension HostileCase {
    static let twoDeployments = HostileCase("R19", "healthy", .served)
    static let threadEnds = HostileCase("L02", "healthy", .served)
    static let swiftRuntime = HostileCase("B26", "healthy", .served)

    /// Rows that need more than one run, or more than one connector.
    static let runs = HostileRunTests.Spoiling.allCases.map(\.entry) + [twoDeployments, threadEnds, swiftRuntime]
}
