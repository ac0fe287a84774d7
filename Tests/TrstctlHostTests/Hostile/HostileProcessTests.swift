import CTrstctlSystem
import Foundation
import Glibc
import Testing
import TrstctlLaunch
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

/// Rows of the hostile suite that need the command as a process of its own: to kill, to interrupt or to stop it, or to run
/// it on another machine than this.
///
/// They assert the same four things; where the run itself cannot serve the healthy connector, the next one does.
@Suite("The hostile suite: the command", .ownThreads)
struct HostileProcessTests {
    @Test(
        "L01, L03: when the host is killed its connector is gone within a second, its files and directory at the next start",
        arguments: HostileCase.killed)
    func killed(_ entry: HostileCase) async throws {
        let bench = try HostileBench()
        _ = try bench.host(entry)
        let attack = try HostileAttack(entry, bench)
        let run = try bench.start(["apply", "bad"])
        try await bench.eventually { attack.hasWritten }
        let connector = try #require(ProcessList.children(of: run.processID).first)
        let pidfd = OwnedDescriptor(trstctl_pidfd_open(connector))
        try #require(pidfd.raw >= 0)
        let directory = try #require(bench.socketDirectory(of: connector))
        try #require(access(directory, F_OK) == 0)

        run.signal(SIGKILL)
        // A pidfd is readable once its process has ended, pidfd_open(2).
        var wait = pollfd(fd: pidfd.raw, events: Int16(POLLIN), revents: 0)
        #expect(poll(&wait, 1, 1_000) == 1, "the connector is still there a second later")
        if wait.revents == 0 { trstctl_pidfd_send_signal(pidfd.raw, SIGKILL) }
        _ = await run.outcome()

        // What is younger than a minute may belong to a host that has not locked it yet.
        var times = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
        try #require(utimensat(AT_FDCWD, directory, &times, 0) == 0)
        let next = try await bench.start(["apply", "good", "--json"]).outcome()
        try attack.expect(try next.json(RunReport.self), printed: next.lines)
        #expect(access(directory, F_OK) == -1, "\(directory) was not swept")
    }

    @Test(
        "L13: an interrupted run puts back what it changed, and the next one deploys",
        arguments: HostileCase.interrupted)
    func interrupted(_ entry: HostileCase) async throws {
        let bench = try HostileBench()
        _ = try bench.host(entry)
        let attack = try HostileAttack(entry, bench)
        let run = try bench.start(["apply", "--parallel", "1", "--json"])
        let name = "trstctl-connector-\(entry.connector)"
        try await bench.eventually {
            let connector = ProcessList.children(of: run.processID).first { bench.words(of: $0).hasSuffix(name) }
            // In the handshake at once, because its deadline comes soon; otherwise in the middle of the deployment.
            guard connector != nil, entry.connector == "silent" || attack.hasWritten else { return false }
            run.signal(SIGINT)
            return true
        }
        let outcome = await run.outcome()
        try attack.expectContained(try outcome.json(RunReport.self), printed: outcome.lines)
        let next = try await bench.start(["apply", "good", "--json"]).outcome()
        let report = try next.json(RunReport.self)
        #expect(report.recoveries.isEmpty && report.exitCode == 0)
        try bench.expectHealthy(report)
    }

    @Test("H22: somebody else who connects first is sent away without a byte, and the host is served")
    func stranger() async throws {
        // Until the host is stopped before it could connect itself, which it nearly always is at the first time.
        for _ in 0..<20 {
            let bench = try HostileBench()
            let entry = HostileCase.stranger
            _ = try bench.host(entry)
            let attack = try HostileAttack(entry, bench)
            let stranger = try bench.compile("Hostile/stranger.c", [])
            let run = try bench.start(["apply", "--parallel", "1", "--json"])
            let isFirst = try await bench.eventually(Bool?.self) { () -> Bool? in
                let children = ProcessList.children(of: run.processID)
                guard let echo = children.first(where: { bench.words(of: $0).hasSuffix("trstctl-connector-echo") }),
                    let directory = bench.socketDirectory(of: echo)
                else { return nil }
                run.signal(SIGSTOP)
                while ProcessList.isAwake(run.processID) { sched_yield() }
                var status = stat()
                guard stat(directory, &status) == 0, access(directory + "/s", F_OK) == -1 else { return false }
                while access(directory + "/s", F_OK) == -1, ProcessList.isRunning(echo) { sched_yield() }
                // Its own user, who is the only one besides root that can reach it, and yet not the host's.
                let visit = Process()
                let pipe = Pipe()
                visit.executableURL = URL(fileURLWithPath: stranger)
                visit.arguments = ["\(status.st_uid)", directory + "/s"]
                visit.standardOutput = pipe
                guard (try? visit.run()) != nil else { return false }
                let said = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                visit.waitUntilExit()
                #expect(visit.terminationStatus == 0 && said == "0 bytes\n", "\(visit.terminationStatus) \(said)")
                return true
            }
            run.signal(SIGCONT)
            let outcome = await run.outcome()
            guard isFirst == true else { continue }
            try attack.expect(try outcome.json(RunReport.self), printed: outcome.lines)
            return
        }
        Issue.record("the host always connected before it could be stopped")
    }

    @Test("L15: a clock that somebody sets all the time ends nothing, and holds up nothing")
    func clockIsSet() async throws {
        let bench = try HostileBench()
        let entry = HostileCase.clockIsSet
        _ = try bench.host(entry)
        let attack = try HostileAttack(entry, bench)
        let clock = try bench.compile("Kernel/clock.c", ["-shared", "-fPIC"])
        let outcome = try await bench.start(["apply", "--json"], environment: ["LD_PRELOAD=\(clock)"]).outcome()
        try attack.expect(try outcome.json(RunReport.self), printed: outcome.lines)
        // It was set indeed.
        let days = Set(try bench.audit().map { $0.time.prefix(10) })
        #expect(days.count > 1, "\(days)")
    }

    @Test(
        "B23: strict refuses where a layer is missing; best-effort serves, and lists it", arguments: HostileCase.layers)
    func missingLayer(_ entry: HostileCase) async throws {
        let bench = try HostileBench()
        _ = try bench.host(entry)
        let text = try String(contentsOfFile: bench.scratch.file("trstctl.yaml"), encoding: .utf8)
        try bench.scratch.write(
            text.replacingOccurrences(of: "  echo:\n", with: "  echo:\n    confinement: best-effort\n"),
            to: "trstctl.yaml")
        let attack = try HostileAttack(entry, bench)
        let older = try bench.compile("Kernel/older.c", [])
        let outcome = try await bench.start(["apply", "--json"], under: [older, entry.machine]).outcome()
        let report = try outcome.json(RunReport.self)
        try attack.expect(report, printed: outcome.lines)
        let echo = try #require(report.connectors.first { $0.name == "echo" })
        #expect(echo.warnings.contains { $0.contains("without a layer of its confinement, \(entry.says)") }, "\(echo)")
        let start = try #require(try bench.audit().first { $0.event == .start && $0.connector == "echo" })
        #expect(start.reason?.contains("without a layer of its confinement, \(entry.says)") == true)
    }
}

extension HostileCase {
    fileprivate static let killed = [
        HostileCase("L01", "never-applies", .undone("rolled-back")),
        HostileCase("L03", "deaf", .undone("rolled-back")),
    ]
    fileprivate static let interrupted = [
        HostileCase("L13", "silent", .cancelled("cancelled")),
        HostileCase("L13", "never-applies", .failed(.apply, "cancelled"), says: "put back"),
    ]
    fileprivate static let stranger = HostileCase("H22", "healthy", .served)
    fileprivate static let clockIsSet = HostileCase("L15", "healthy", .served)
    /// What the machine lacks is in `machine`; the layer that is then missing in `says`.
    fileprivate static let layers = [
        ("own-user", "user"), ("network-namespace", "namespaces"), ("parent-death-signal", "parent-death"),
        ("no_new_privs", "no_new_privs"), ("mdwe", "mdwe"), ("landlock", "landlock"), ("seccomp", "seccomp"),
    ].map { HostileCase("B23", "healthy", .refused("layer-missing"), says: $0.0) }

    /// As `older.c` calls what brings the layer.
    fileprivate var machine: String {
        ["own-user": "user", "network-namespace": "namespaces", "parent-death-signal": "parent-death"][says] ?? says
    }

    /// Rows that need the command as a process.
    static let processes = killed + interrupted + [stranger, clockIsSet] + layers
}

extension HostileAttack {
    /// Whether the connector is in the middle of its deployment.
    fileprivate var hasWritten: Bool {
        FileManager.default.contents(atPath: bench.badPath) == Data("written by a hostile connector\n".utf8)
    }
}

extension TrstctlCommand.Outcome {
    fileprivate var lines: [String] { errors.split(separator: "\n").map(String.init) }
}
