import Glibc
import Synchronization
import Testing
import TrstctlProcess
import TrstctlSystem
import TrstctlWire

@testable import TrstctlBroker
@testable import TrstctlPolicy

// The limit only turns a command that is waited for without end into a failure.
@Suite("Running commands", .timeLimit(.minutes(1)))
struct ExecTests {
    let directory: TestDirectory

    init() throws {
        directory = try TestDirectory()
    }

    private func run(
        _ argv: [String], stdin: [Wire.Segment] = [], milliseconds: UInt32 = 20_000, maxOutput: UInt32 = 0,
        secrets: SecretSource = .none
    ) throws -> Wire.ExecResponse {
        let scope = try TrstctlBrokerTests.scope(below: [directory.path], exec: [argv], secrets: secrets)
        let reply = scope.exec(argv, stdin: stdin, milliseconds: milliseconds, maxOutput: maxOutput)
        try #require(reply.code == .ok, "\(reply.message)")
        return try #require(reply.execResponse)
    }

    private func shell(_ text: String) -> [String] { ["/bin/sh", "-c", text] }

    @Test("The granted command runs; its status and output come back")
    func runs() throws {
        let response = try run(shell("echo out; echo err >&2; exit 7"))
        #expect(response.outcome == .exited && response.status == 7)
        #expect(response.stdout.text == "out\n" && response.stderr.text == "err\n")
        #expect(response.stdoutDropped == 0 && !response.planned)
        #expect(try run(shell("kill -TERM $$")).outcome == .signalled)
        #expect(try run(shell("kill -TERM $$")).status == SIGTERM)
    }

    @Test("A script with an interpreter line runs")
    func script() throws {
        let path = try directory.file("script", "#!/bin/sh\necho from \"$0\" \"$1\"\n", mode: 0o755)
        #expect(try run([path, "x"]).stdout.text == "from \(path) x\n")
    }

    @Test(
        "Any other argument vector is refused with the line that would allow it",
        arguments: [
            ["/bin/echo"], ["/bin/echo", "a"], ["/bin/echo", "b", "a"], ["/bin/echo", "a", "b", "c"],
            ["/bin/echo", "a", "B"],
            ["/bin/echo", "a b"], ["/usr/bin/echo", "a", "b"], ["/bin/sh", "a", "b"],
        ])
    func exactArguments(argv: [String]) throws {
        let scope = try TrstctlBrokerTests.scope(below: [directory.path], exec: [["/bin/echo", "a", "b"]])
        let reply = scope.exec(argv)
        #expect(reply.code == .permissionDenied)
        #expect(reply.status?.fix.hasPrefix("process.exec:") == true)
        #expect(scope.denials == 1)
        #expect(scope.exec(["/bin/echo", "a", "b"]).code == .ok)
    }

    @Test("What is not granted says under which plugin the rule belongs")
    func plugin() throws {
        let scope = BrokerScope(rights: .mutating, grants: try GrantSet.parse(exec: [["/bin/echo"]]), plugin: "edge")
        let message = scope.exec(["/bin/echo", "a"]).status?.message
        #expect(message?.contains("under plugins.edge.grants in the manifest: process.exec: [[/bin/echo, a]]") == true)
    }

    @Test(
        "A name without a path, no name, NUL and too much are INVALID_ARGUMENT",
        arguments: [
            [], ["echo"], ["bin/echo"], ["/bin/../bin/echo"], ["/bin/echo", "a\0b"], ["/"],
            Array(repeating: "/bin/echo", count: 65), ["/bin/echo", String(repeating: "x", count: 4_097)],
        ])
    func malformed(argv: [String]) throws {
        let scope = try TrstctlBrokerTests.scope(below: [directory.path], exec: [["/bin/echo"]])
        #expect(scope.exec(argv).code == .invalidArgument)
    }

    @Test("The environment is the fixed one, the directory is /, and only 0, 1 and 2 are open")
    func cleanRoom() throws {
        setenv("TRSTCTL_TEST_LEAK", "1", 1)
        let inherited = open("/dev/null", O_RDONLY)
        defer { close(inherited) }
        #expect(try run(["/usr/bin/env"]).stdout.text == "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C.UTF-8\n")
        #expect(try run(["/bin/pwd"]).stdout.text == "/\n")
        // ls itself opens the directory it lists, as 3.
        #expect(try run(["/bin/ls", "/proc/self/fd"]).stdout.text == "0\n1\n2\n3\n")
        #expect(try run(["/usr/bin/readlink", "/proc/self/fd/0"]).stdout.text == "/dev/null\n")
    }

    @Test("Signal dispositions are the defaults, and the session is its own")
    func signals() throws {
        signal(SIGPIPE, SIG_IGN)
        let status = try run(["/bin/grep", "-E", "^(SigBlk|SigIgn|SigCgt)", "/proc/self/status"]).stdout.text ?? ""
        #expect(status.contains("SigIgn:\t0000000000000000") && status.contains("SigBlk:\t0000000000000000"))
        let ids = try run(shell("cut -d' ' -f1,5,6 /proc/$$/stat; echo $$")).stdout.text ?? ""
        let words = ids.split(whereSeparator: \.isWhitespace)
        #expect(Set(words).count == 1 && words.count == 4)
    }

    @Test("Standard input is what the segments say, secrets included, up to a mebibyte")
    func stdin() throws {
        // Neither the key nor a field, whose forms do not come back.
        let secrets = SecretSource([("other", Bytes(Array("K3Y".utf8), isSecret: true))])
        #expect(
            try run(["/bin/cat"], stdin: [.text("a"), .secret("other", .base64)], secrets: secrets).stdout.text
                == "aSzNZ")
        let much = String(repeating: "x", count: 1 << 20)
        let response = try run(["/bin/cat"], stdin: [.text(much)], maxOutput: 1_000)
        #expect(response.stdout.count == 1_000 && response.stdoutDropped == UInt64(1 << 20) - 1_000)
        #expect(try run(["/bin/true"], stdin: [.text(much)]).status == 0)
        let scope = try TrstctlBrokerTests.scope(below: [directory.path], exec: [["/bin/cat"]])
        #expect(scope.exec(["/bin/cat"], stdin: [.text(much + "x")]).code == .resourceExhausted)
    }

    @Test("Ten megabytes on each stream are drained, counted and not kept")
    func flood() throws {
        let response = try run(shell("head -c 10000000 /dev/zero; head -c 10000000 /dev/zero >&2"), maxOutput: 5_000)
        #expect(response.outcome == .exited && response.status == 0)
        #expect(response.stdout.count == 5_000 && response.stdoutDropped == 9_995_000)
        #expect(response.stderr.count == 5_000 && response.stderrDropped == 9_995_000)
    }

    @Test("At the deadline the whole group is killed, and what it printed is there")
    func deadline() throws {
        var lines: [Substring] = []
        // A shell can need longer than that to come so far.
        for milliseconds in [300, 3_000, 20_000] as [UInt32] where lines.count < 2 {
            let response = try run(shell("echo before; sleep 1000 & echo $!; wait"), milliseconds: milliseconds)
            #expect(response.outcome == .timedOut)
            lines = (response.stdout.text ?? "").split(separator: "\n")
        }
        #expect(lines.first == "before")
        let sleeper = try #require(lines.last.flatMap { pid_t($0) })
        // Killed with its group; what may remain is a zombie that its new parent has not reaped yet.
        #expect(isGone(sleeper))
    }

    private func isGone(_ process: pid_t) -> Bool {
        let deadline = Deadline.after(milliseconds: 10_000)
        while !deadline.hasPassed {
            guard let status = TestDirectory.text("/proc/\(process)/stat") else { return true }
            if status.contains(") Z ") { return true }
            sched_yield()
        }
        return false
    }

    @Test("A grandchild that keeps the streams open does not hold the command up")
    func keepsStreams() throws {
        let response = try run(shell("setsid sleep 100000 & echo $!"), milliseconds: 600_000)
        #expect(response.outcome == .exited && response.status == 0)
        let sleeper = try #require(pid_t((response.stdout.text ?? "").dropLast()))
        kill(sleeper, SIGKILL)
    }

    @Test("Programs that anybody could have written, or that change their rights, are not run")
    func privileged() throws {
        let open = try directory.file("open", "#!/bin/sh\n", mode: 0o777)
        let setuid = try directory.file("setuid", "#!/bin/sh\n", mode: 0o4755)
        let plain = try directory.file("plain", "#!/bin/sh\n", mode: 0o644)
        let broken = try directory.file("broken", "#!/none/such\n", mode: 0o755)
        let argvs = [open, setuid, plain, broken, directory["none"], directory.path].map { [$0] }
        let scope = try TrstctlBrokerTests.scope(below: [], exec: argvs)
        let codes = argvs.map { scope.exec($0).code }
        #expect(
            codes == [
                .permissionDenied, .permissionDenied, .failedPrecondition, .failedPrecondition, .notFound,
                .failedPrecondition,
            ])
    }

    @Test("The number of commands in one call is bounded")
    func count() throws {
        var limits = ScopeLimits()
        limits.commands = 2
        let scope = try TrstctlBrokerTests.scope(below: [], exec: [["/bin/true"]], limits: limits)
        #expect([1, 2, 3].map { _ in scope.exec(["/bin/true"]).code } == [.ok, .ok, .resourceExhausted])
        #expect(scope.exec(["/bin/true"], milliseconds: 600_001).code == .invalidArgument)
        #expect(scope.exec(["/bin/true"], maxOutput: 256 << 10 + 1).code == .invalidArgument)
    }

    @Test("Closing the scope kills the command that runs")
    func interrupted() throws {
        let scope = try TrstctlBrokerTests.scope(
            below: [directory.path], exec: [shell("echo > \(directory["started"]); sleep 1000")])
        let code = Mutex<Wire.Status.Code?>(nil)
        let argv = shell("echo > \(directory["started"]); sleep 1000")
        let thread = try TestThread {
            let reply = scope.exec(argv, milliseconds: 600_000)
            code.withLock { $0 = reply.code }
        }
        while directory.content("started") == nil { sched_yield() }
        _ = scope.close(commit: true)
        thread.join()
        #expect(code.withLock { $0 } == .failedPrecondition)
        #expect(scope.exec(argv).code == .failedPrecondition)
    }
}
