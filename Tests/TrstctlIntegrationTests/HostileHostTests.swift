import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlLaunch
import TrstctlSystem
import TrstctlTestSupport

/// Rows of the hostile suite that need the command as a process of its own: a host that has run out of something, or whose
/// system calls fail.
@Suite("The hostile suite: the host as a process", .ownThreads)
struct HostileHostTests {
    /// The command with a connector of the hostile fixture and the healthy one.
    private struct Site {
        let command: TrstctlCommand
        let text: String

        /// - Parameter connector: a case of `hostile.c`.
        /// - Throws: when something is not built or cannot be written.
        init(_ connector: String) throws {
            command = try TrstctlCommand()
            try command.scratch.makeDirectory("live")
            try BuiltProduct.link("echo", in: command.plugins)
            let path = try HostileConnector.shared().install(connector, in: command.plugins)
            let echo = try EchoManifest.pin(command.plugins + "/trstctl-connector-echo")
            let credential = try command.pki.issue("www.example.com")
            let live = command.scratch.file("live")
            text = """
                version: 1
                plugins:
                  \(connector):
                    sha256: [\(try EchoManifest.pin(path))]
                    grants: { fs.read: [\(live)/bad], fs.write: [\(live)/bad] }
                  echo:
                    sha256: [\(echo)]
                    grants: { fs.read: [\(live)/good], fs.write: [\(live)/good] }
                credentials:
                  www: { certificate: \(credential.fullchainPath), key: \(credential.keyPath) }
                targets:
                  bad: { connector: \(connector), credential: www, config: { path: \(live)/bad } }
                  good: { connector: echo, credential: www, config: { state_path: \(live)/good } }

                """
            try command.write(manifest: text)
        }

        /// The lines of the audit log so far.
        func audit() throws -> [AuditRecord] {
            var options = TrstctlHost.Host.Options(manifest: Bytes(""), version: "test")
            options.stateDirectory = command.state
            return try TrstctlHost.Host(options).audit(AuditQuery(last: 100_000)).records
        }

        /// Runs the command under another program.
        func run(under words: [String], _ arguments: [String]) async throws -> TrstctlCommand.Outcome {
            let own = [
                try BuiltProduct.path("trstctl"), "--manifest", command.manifest, "--state-dir", command.state,
                "--plugin-dir", command.plugins,
            ]
            return try await RunningCommand(words[0], words + own + arguments, home: command.scratch.path).outcome()
        }

        /// Asserts that the healthy target can be deployed now.
        func expectHealthy(_ location: SourceLocation = #_sourceLocation) async throws {
            let outcome = try await command.run("apply", "good", "--json")
            #expect(outcome.code == 0, "\(outcome)", sourceLocation: location)
            #expect(try HostileConnector.shared().harm() == "", sourceLocation: location)
        }
    }

    @Test("Q06: as many of the largest calls as a connector may make cost a bounded amount of memory")
    func hoards() async throws {
        let site = try Site("hoards")
        let run = try site.command.start(["apply", "--parallel", "1"])
        try await eventually { run.errors.contains("hoarded") }
        let peak = ProcessList.peakMemory(of: run.processID)
        // The window of bytes is 16 MiB, a scope writes and keeps 64 MiB each; 64 calls of 3 MiB would be 192 MiB.
        #expect((1..<192 << 20).contains(peak), "\(peak >> 20) MiB")
        run.signal(SIGINT)
        let outcome = await run.outcome()
        #expect(outcome.code == 1, "\(outcome)")
        #expect(try site.audit().contains { $0.connector == "hoards" && $0.code == "limit" })
        #expect(!FileManager.default.fileExists(atPath: site.command.scratch.file("live/bad")))
        try await site.expectHealthy()
    }

    /// How often a run with something missing is repeated; the soak does more.
    private static let isSoak = ProcessInfo.processInfo.environment["TRSTCTL_SOAK"] == "1"

    /// What a run that lacks something must look like: no crash of the host, no start with a layer missing, and a file
    /// that is as it was or as it was asked for.
    private func expectCleanFailure(
        _ site: Site, _ outcome: TrstctlCommand.Outcome, _ what: String, complete layers: String
    ) throws {
        #expect([0, 1, 2, 3, 127].contains(outcome.code), "\(what): \(outcome)")
        for start in try site.audit() where start.event == .start {
            #expect(HostileHostTests.layers(of: start) == layers, "\(what): a start with a layer missing")
        }
        for record in try site.audit() where record.event == .refusal {
            #expect(record.code?.isEmpty == false, "\(what): \(record)")
        }
        let file = site.command.scratch.file("live/bad")
        if let content = FileManager.default.contents(atPath: file) {
            #expect(content == Data("written by a hostile connector\n".utf8), "\(what)")
            unlink(file)
        }
        unlink(site.command.state + "/audit.log")
    }

    /// The layers of a start in which nothing fails, as the audit has them.
    private func layers(_ site: Site) async throws -> String {
        #expect(try await site.command.run("apply").code == 0)
        let start = try #require(try site.audit().first { $0.event == .start })
        unlink(site.command.scratch.file("live/bad"))
        return HostileHostTests.layers(of: start)
    }

    /// The layers without the number of the user, which is another one each time.
    private static func layers(of start: AuditRecord) -> String {
        (start.reason ?? "").split(separator: " ").map { $0.hasPrefix("own-user-6") ? "own-user" : $0 }
            .joined(separator: " ")
    }

    @Test("Q07: a host with few descriptors refuses, and never starts with a layer missing, nor dies")
    func fewDescriptors() async throws {
        let site = try Site("healthy")
        let layers = try await layers(site)
        for limit in stride(from: 4, through: 64, by: HostileHostTests.isSoak ? 1 : 4) {
            let outcome = try await site.run(
                under: ["/usr/bin/prlimit", "--nofile=\(limit):\(limit)"], ["apply", "--parallel", "1"])
            try expectCleanFailure(site, outcome, "\(limit) descriptors", complete: layers)
        }
        try await site.expectHealthy()
    }

    @Test("Q14: a host that may not make files larger than a page says so, and is not killed for it")
    func smallFiles() async throws {
        let site = try Site("healthy")
        let layers = try await layers(site)
        let outcome = try await site.run(under: ["/usr/bin/prlimit", "--fsize=4096:4096"], ["apply"])
        try expectCleanFailure(site, outcome, "files of one page", complete: layers)
        #expect(outcome.code == 3, "\(outcome)")
        try await site.expectHealthy()
    }

    /// A system call of the start path, the error it gets, and at which of its uses in a thread.
    struct Fault: Sendable, CustomTestStringConvertible {
        var call: String
        var error: String
        var uses: ClosedRange<Int>

        init(_ call: String, _ error: String, _ uses: ClosedRange<Int> = 1...2) {
            self.call = call
            self.error = error
            self.uses = uses
        }

        var testDescription: String { "\(call) \(error)" }

        /// What strace is told.
        func words(_ use: Int) -> [String] {
            [
                HostileHostTests.tracer, "-f", "-qqq", "-o", "/dev/null", "-e", "trace=\(call)", "-e",
                "inject=\(call):error=\(error):when=\(use)",
            ]
        }

        /// Whether the host can do without what failed: another thread, a second attempt, a line of the audit log.
        var hasAnotherWay: Bool { ["clone3"].contains(call) }
    }

    /// The first `epoll_ctl` is the Swift runtime's and the second the event loop's: a host that cannot even begin ends
    /// there, before there is anything to start.
    static let faults = [
        Fault("memfd_create", "ENOMEM"), Fault("memfd_create", "EMFILE"), Fault("pipe2", "EMFILE"),
        Fault("mkdirat", "ENOSPC"), Fault("clone3", "EAGAIN", 1...4),
        Fault("execveat", "ENOMEM", 1...1), Fault("mount", "ENOMEM", 1...1), Fault("unshare", "ENOSPC", 1...1),
        Fault("seccomp", "ENOMEM", 1...1), Fault("landlock_create_ruleset", "ENOMEM", 1...1),
        Fault("landlock_restrict_self", "E2BIG", 1...1), Fault("setresuid", "EAGAIN", 1...1),
        Fault("setgroups", "ENOMEM", 1...1), Fault("prlimit64", "EPERM", 1...3), Fault("prctl", "EINVAL", 1...3),
        Fault("epoll_ctl", "ENOSPC", 3...6), Fault("socket", "ENOBUFS", 1...1), Fault("connect", "ECONNREFUSED", 1...1),
        Fault("getrandom", "ENOSYS", 1...3), Fault("fcntl", "EMFILE", 1...3),
        Fault("fchmod", "EROFS", 1...2), Fault("flock", "ENOLCK", 1...2), Fault("fsync", "EIO", 1...1),
    ]

    fileprivate static let tracer = Tool.path("strace") ?? "strace"

    @Test(
        "Q14: whatever system call of a start fails, it is a refusal or a failure, and never a start with a layer missing",
        .enabled(if: Tool.isExpected("strace"), "needs strace, which injects the errors"), arguments: faults)
    func fault(_ fault: Fault) async throws {
        let site = try Site("healthy")
        let layers = try await layers(site)
        var codes: Set<Int32> = []
        for use in fault.uses {
            let outcome = try await site.run(under: fault.words(use), ["apply", "bad"])
            try expectCleanFailure(site, outcome, "\(fault.call) \(fault.error) \(use)", complete: layers)
            codes.insert(outcome.code)
        }
        // The error was met, and not overlooked; some calls have another way.
        #expect(codes != [0] || fault.hasAnotherWay, "\(fault.call) \(fault.error): nothing came of it")
        try await site.expectHealthy()
    }

    @Test(
        "Q14: best-effort does not start without a layer that the host merely ran out of memory for",
        .enabled(if: Tool.isExpected("strace"), "needs strace, which injects the errors"),
        arguments: ["landlock_create_ruleset", "seccomp", "unshare", "setresuid"])
    func bestEffort(_ call: String) async throws {
        let site = try Site("healthy")
        try site.command.write(
            manifest: site.text.replacingOccurrences(
                of: "  healthy:\n", with: "  healthy:\n    confinement: best-effort\n"))
        let outcome = try await site.run(under: Fault(call, "ENOMEM").words(1), ["apply", "bad", "--json"])
        #expect(outcome.code == 3, "\(outcome)")
        #expect(try outcome.json(RunReport.self).targets.first?.code == "no-resources", "\(outcome)")
        #expect(try !site.audit().contains { $0.event == .start })
        try await site.expectHealthy()
    }

    @Test(
        "C09: on a machine that forbids executable memory files the connector is refused, and not run from its path",
        .enabled(if: geteuid() == 0, "only root can forbid them"))
    func noExecutableMemory() async throws {
        let site = try Site("healthy")
        let script = "echo 2 > /proc/sys/vm/memfd_noexec && exec \"$@\""
        let outcome = try await site.run(
            under: ["/usr/bin/unshare", "--pid", "--fork", "--mount-proc", "/bin/sh", "-c", script, "sh"],
            ["apply", "bad", "--json"])
        #expect(outcome.code == 3, "\(outcome)")
        let report = try outcome.json(RunReport.self)
        #expect(report.targets.first?.code == "system", "\(outcome)")
        #expect(report.targets.first?.detail.contains("memfd_create") == true, "\(outcome)")
        #expect(!FileManager.default.fileExists(atPath: site.command.scratch.file("live/bad")))
        #expect(try site.audit().contains { $0.event == .refusal && $0.code == "system" })
        try await site.expectHealthy()
    }

    /// Looks again and again, for at most two minutes, from the event loop, which no test blocks.
    private func eventually(_ condition: @Sendable @escaping () -> Bool) async throws {
        let isSeen = try await EventLoop.run {
            for _ in 0..<12_000 {
                if condition() { return true }
                _ = await OneShot<Bool>().wait(until: .after(milliseconds: 10))
            }
            return false
        }
        try #require(isSeen, "what was waited for did not happen")
    }
}
