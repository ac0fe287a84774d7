import Foundation
import Glibc
import Testing
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

/// A row about what a running connector tries by itself: `Tests/Fixtures/Hostile/sandbox.h` has its attempts.
struct SandboxCase: Sendable, CustomTestStringConvertible {
    /// How the kernel answers an attempt.
    enum Answer: Sendable, Equatable {
        /// With this error.
        case error(Int32)
        /// It works, because connectors need it.
        case ok
    }

    var id: String
    var connector: String
    /// Every attempt, and what comes of it under confinement.
    var answers: [String: Answer]
    /// Whether the canaries of the sandbox show the attempts when nothing stops them.
    var leavesTraces = false

    /// As a row of the table: the kernel's errors are all that happens, and it is deployed.
    var entry: HostileCase { HostileCase(id, connector, .served) }

    /// The attempts that work when nothing stops them.
    var attempts: Set<String> { Set(answers.filter { $0.value != .ok }.keys) }

    var testDescription: String { "\(id) \(connector)" }
}

extension SandboxCase {
    /// - Parameters:
    ///   - id: the row.
    ///   - connector: the case of `sandbox.h`.
    ///   - errors: for each error, the attempts that get it.
    ///   - needs: what works, because connectors need it.
    ///   - leavesTraces: see there.
    private init(
        _ id: String, _ connector: String, _ errors: [Int32: [String]], needs: [String] = [],
        leavesTraces: Bool = false
    ) {
        self.id = id
        self.connector = connector
        self.leavesTraces = leavesTraces
        answers = [:]
        for (error, names) in errors {
            for name in names { answers[name] = .error(error) }
        }
        for name in needs { answers[name] = .ok }
    }

    static let all = [
        SandboxCase(
            "B01", "nosy",
            [
                EACCES: [
                    "open-passwd", "open-root", "open-canary", "open-shadow", "stat-private", "bind-elsewhere",
                    "connect-unix",
                ],
                EPERM: [
                    "chdir", "chroot", "fork", "kill-host", "tgkill-host", "pidfd-host", "pidfd-getfd",
                    "priority-host", "limits-host", "limits-set", "limits-host-set", "fcntl-owner", "fcntl-signal",
                    "shm", "hostname",
                ],
                EAFNOSUPPORT: ["tcp", "tcp-mptcp", "udp"],
                ENOENT: ["same-net", "same-ipc", "same-uts", "same-cgroup", "same-mnt"],
                ENOSYS: ["clone3"], ENOTTY: ["ioctl-queue"],
            ], leavesTraces: true),
        SandboxCase(
            "B02", "makes-files", [EACCES: ["create"], EPERM: ["mkdir", "fifo", "symlink", "link"]],
            leavesTraces: true),
        SandboxCase(
            "B03", "changes-files", [EPERM: ["chmod", "chown", "utimes", "xattr", "truncate"]], leavesTraces: true),
        SandboxCase(
            "B05", "sends-by-pair", [EAFNOSUPPORT: ["pair-datagram", "datagram-by-pair"]], leavesTraces: true),
        SandboxCase(
            "B06", "opens-sockets",
            [
                EAFNOSUPPORT: [
                    "socket-inet", "socket-inet6", "socket-udp", "socket-netlink", "socket-packet",
                    "socket-unix-datagram", "socket-mptcp", "socket-raw", "socket-vsock",
                ]
            ]),
        SandboxCase("B07", "opens-fast", [EAFNOSUPPORT: ["tcp-fastopen"]], leavesTraces: true),
        SandboxCase("B09", "executes", [EPERM: ["memfd", "execveat-missing", "program"]]),
        SandboxCase("B11", "unties-itself", [EPERM: ["pdeathsig-read", "pdeathsig-clear", "dumpable"]]),
        SandboxCase("B17", "writes-code", [EACCES: ["write-execute", "write-then-execute"]]),
        SandboxCase(
            "B18", "reads-proc", [ENOENT: ["open-environ", "proc-host", "proc-others", "proc-net", "proc-cpuinfo"]]),
        SandboxCase(
            "B19", "meets-abstract", [EACCES: ["connect-abstract"], ENOENT: ["sees-abstract"]], leavesTraces: true),
        SandboxCase(
            "B21", "gains-privileges", [EPERM: ["root-uid", "capabilities", "setuid-0"]],
            needs: ["no-new-privs", "filtered"]),
        SandboxCase("B22", "calls-unknown", [EPERM: ["unknown-call"]]),
        SandboxCase("B25", "rolls-dice", [:], needs: ["urandom", "random"]),
    ]
}

/// The rows of group B, with the canaries of the confinement's own tests beside those of the table.
@Suite("The hostile suite: the sandbox", .ownThreads)
struct HostileSandboxTests {
    /// A bench with the row's connector, told where the canaries are.
    private func host(
        _ entry: HostileCase, _ bench: HostileBench, _ canaries: Canaries
    ) throws -> TrstctlHost.Host {
        let path = try HostileConnector.shared().install(entry.connector, in: bench.hostileDirectory)
        let text = try bench.manifest(entry, pin: EchoManifest.pin(path))
        let told = (canaries.environment + ["ELSEWHERE=\(bench.scratch.file("elsewhere"))"]).joined(separator: " ")
        let known = "config: { path: \(bench.badPath)"
        try #require(text.contains(known))
        return try bench.host(text.replacingOccurrences(of: known, with: "\(known), canaries: \"\(told)\""))
    }

    /// What the connector said about its attempts.
    private func answers(_ bench: HostileBench) -> [String: SandboxCase.Answer] {
        let lines = bench.printed.filter { $0.hasPrefix("tried ") }.map { $0.split(separator: " ").map(String.init) }
        return Dictionary(lines.map { ($0[1], Int32($0[2]).map { .error($0) } ?? .ok) }) { _, last in last }
    }

    @Test("What a connector tries by itself is answered with the kernel's error", arguments: SandboxCase.all)
    func confined(_ row: SandboxCase) async throws {
        let bench = try HostileBench()
        let canaries = try Canaries()
        let host = try host(row.entry, bench, canaries)
        let attack = try HostileAttack(row.entry, bench)
        let before = try canaries.state()
        try attack.expect(try await host.apply([]))
        #expect(try canaries.state() == before)
        #expect(answers(bench) == row.answers)
    }

    @Test(
        "Without confinement the same attempts work, and the canaries show it",
        arguments: SandboxCase.all.filter { !$0.attempts.isEmpty })
    func unconfined(_ row: SandboxCase) async throws {
        let bench = try HostileBench()
        let canaries = try Canaries()
        var entry = row.entry
        entry.isConfined = false
        let host = try host(entry, bench, canaries)
        let before = try canaries.state()
        let report = try await host.apply([])
        let bad = try #require(report.targets.first)
        #expect(bad.outcome == .failed && bad.code == "answered-failed-precondition", "\(bad)")
        #expect(bad.summary.hasPrefix("worked: "), "\(bad)")
        let worked = answers(bench).filter { $0.value == .ok }.keys
        #expect(row.attempts.subtracting(worked) == [], "\(bad)")
        #expect((try canaries.state() != before) == row.leavesTraces)
        try bench.expectHealthy(report)
    }
}
