import Foundation
import Glibc
import Testing
import TrstctlProcess
import TrstctlSystem
import TrstctlTestSupport

@Suite("Starting and ending processes")
struct SpawnTests {
    @Test("a program's words, output and exit status arrive")
    func words() throws {
        let result = try run("/bin/sh", ["-c", "echo \"$1\"; exit 7", "sh", "a b"])
        #expect(result.output == "a b\n")
        #expect(result.status == .exited(7))
    }

    @Test("a program sees only the environment it was given")
    func environment() throws {
        setenv("TRSTCTL_SECRET_OF_THE_HOST", "x", 1)
        #expect(try run("/usr/bin/env").output == "")
        #expect(try run("/usr/bin/env") { $0.environment = ["A=1", "B="] }.lines == ["A=1", "B="])
    }

    @Test("a program has three descriptors, and reads nothing")
    func descriptors() throws {
        // Without close-on-exec, as a library of the host may leave one; a free number, because dup2(2) would close
        // what another test has there.
        let leak = fcntl(1, F_DUPFD, 200)
        defer { close(leak) }
        let result = try run("/bin/sh", ["-c", "cat; ls /proc/$$/fd"])
        #expect(result.lines == ["0", "1", "2"])
    }

    @Test("the three standard streams may be three different files")
    func standardStreams() throws {
        let pipe = try BytePipe()
        let output = try run("/bin/sh", ["-c", "cat; echo out; echo err >&2"]) { request in
            // Standard input is the reading end of a pipe that has one line in it.
            _ = write(pipe.writer.raw, "in\n", 3)
            request.standardInput = pipe.reader.raw
            request.environment = []
            request.arguments = [Bytes("sh"), Bytes("-c"), Bytes("read line; echo $line; echo out; echo err >&2")]
        }
        #expect(output.lines == ["in", "out", "err"])
    }

    @Test("a start that hangs is given up in time, leaves nothing behind, and holds up no other start for longer")
    func hangingStart() async throws {
        let null = try openNull()
        _ = try? run("/bin/true")  // the spawning thread exists from here on
        let before = ProcessList.openDescriptors
        // A pipe that is full stands for a file that never answers: the child waits for room in it.
        let pipe = try BytePipe()
        let page = [UInt8](repeating: 0, count: 4_096)
        let flags = fcntl(pipe.writer.raw, F_GETFL)
        try #require(fcntl(pipe.writer.raw, F_SETFL, flags | O_NONBLOCK) == 0)
        while write(pipe.writer.raw, page, page.count) > 0 {}
        try #require(fcntl(pipe.writer.raw, F_SETFL, flags) == 0)
        var request = SpawnRequest(
            .path("/bin/true"), arguments: ["true"], standardOutput: null.raw, standardError: null.raw)
        request.confinement.controlGroups = [pipe.writer.raw]
        request.patience = 100
        #expect(throws: SpawnError(stage: "report", object: "/bin/true", errno: ETIMEDOUT)) {
            try ChildProcess.spawn(request)
        }
        #expect(try run("/bin/true").status == .exited(0))
        #expect(await ProcessList.settles { ProcessList.openDescriptors <= before + 20 })
    }

    @Test("a umask is the one that was asked for, never the host's")
    func umasks() throws {
        let own = Glibc.umask(0o027)
        defer { _ = Glibc.umask(own) }
        #expect(try run("/bin/sh", ["-c", "umask"]).output == "0077\n")
        #expect(try run("/bin/sh", ["-c", "umask"]) { $0.hasPrivateUmask = false }.output == "0022\n")
    }

    @Test("a program that is not there fails at exec, and leaves neither a process nor a descriptor")
    func missing() async throws {
        let null = try openNull()
        _ = try? run("/bin/true")  // the spawning thread exists from here on
        let before = ProcessList.openDescriptors
        let request = SpawnRequest(
            .path("/nonexistent/program"), arguments: ["program"], standardOutput: null.raw, standardError: null.raw)
        for _ in 0..<50 {
            #expect(throws: SpawnError(stage: "exec", object: "/nonexistent/program", errno: ENOENT)) {
                try ChildProcess.spawn(request)
            }
        }
        #expect(await ProcessList.settles { ProcessList.openDescriptors <= before + 20 })
    }

    @Test("each malformed request is refused before anything is started")
    func malformed() throws {
        let null = try openNull()
        func attempt(_ change: (inout SpawnRequest) -> Void) -> SpawnError? {
            var request = SpawnRequest(
                .path("/bin/true"), arguments: ["true"], standardOutput: null.raw, standardError: null.raw)
            change(&request)
            do throws(SpawnError) {
                _ = try ChildProcess.spawn(request)
                return nil
            } catch {
                return error
            }
        }
        #expect(attempt { $0.program = .path("true") }?.stage == "request")
        #expect(attempt { $0.program = .path(Bytes([0x2f, 0x61, 0])) }?.stage == "request")
        #expect(attempt { $0.arguments = [] }?.stage == "request")
        #expect(attempt { $0.arguments.append(Bytes([0x61, 0, 0x62])) }?.stage == "request")
        #expect(attempt { $0.environment = [Bytes([0])] }?.stage == "request")
        #expect(attempt { $0.confinement.filtersSystemCalls = true }?.stage == "request")
        #expect(attempt { $0.standardOutput = 9999 }?.stage == "descriptors")
        #expect(attempt { $0.standardOutput = 9999 }?.errno == EBADF)
        #expect(attempt { $0.limits = [ResourceLimit(resource: 99, value: 1)] }?.stage == "rlimits")
        #expect(
            attempt {
                $0.confinement.noNewPrivileges = true
                $0.confinement.landlockRuleset = null.raw
            }?.stage == "landlock")
    }

    @Test("signal dispositions, the mask, the umask, the directory and the session are fresh")
    func freshState() throws {
        signal(SIGPIPE, SIG_IGN)
        let status = try run("/bin/cat", ["/proc/self/status"])
        func field(_ name: String) -> String? {
            status.lines.first { $0.hasPrefix(name + ":") }?.split(whereSeparator: \.isWhitespace).last.map(String.init)
        }
        #expect(field("SigIgn") == "0000000000000000")
        #expect(field("SigBlk") == "0000000000000000")
        #expect(field("Umask") == "0077")
        #expect(try run("/bin/pwd").output == "/\n")
        let identity = try run(
            "/bin/sh", ["-c", "read -r pid comm state ppid pgrp session rest </proc/$$/stat; echo $$ $pgrp $session"])
        let numbers = try #require(identity.lines.first).split(separator: " ")
        #expect(Set(numbers).count == 1)
    }

    @Test("limits are set, and never raised above the host's")
    func limits() throws {
        let result = try run("/bin/sh", ["-c", "ulimit -c; ulimit -n; ulimit -Hn; ulimit -f"]) {
            $0.limits = [.noCoreDump, .openFiles(77), .fileSize(0)]
        }
        #expect(result.lines == ["0", "77", "77", "0"])
        var host = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &host)
        #expect(
            try run("/bin/sh", ["-c", "ulimit -Hn"]) { $0.limits = [.openFiles(.max)] }.lines == ["\(host.rlim_max)"])
    }

    @Test("a child may open as many files as this process was started with, whatever it allowed itself since")
    func openFiles() throws {
        var before = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        try #require(getrlimit(resource, &before) == 0)
        let inherited = try run("/bin/sh", ["-c", "ulimit -n; ulimit -Hn"]).lines
        defer { setrlimit(resource, &before) }
        let raised = min(UInt64(before.rlim_cur), 1 << 20) - 1
        OpenFiles.raise(to: raised)
        #expect(try run("/bin/sh", ["-c", "ulimit -n; ulimit -Hn"]).lines == inherited)
        #expect(inherited.last == "\(before.rlim_max)" && inherited.first != "\(raised)")
    }

    @Test("a child is reaped once, and the answer stays")
    func reaping() throws {
        let null = try openNull()
        let child = try ChildProcess.spawn(
            SpawnRequest(.path("/bin/true"), arguments: ["true"], standardOutput: null.raw, standardError: null.raw))
        #expect(child.reap(until: .after(milliseconds: 20_000)) == .exited(0))
        #expect(child.tryReap() == .exited(0))
        #expect(child.exitStatus == .exited(0))
        #expect(child.signal(SIGTERM) == false)
        #expect(child.signalGroup(SIGTERM) == false)
        #expect(kill(child.pid, 0) == -1)
    }

    @Test("a running child is not reaped, a deadline ends the wait, a signal ends the child")
    func signalling() throws {
        let pipe = try BytePipe()
        let child = try ChildProcess.spawn(blocked(on: pipe.reader.raw))
        #expect(child.tryReap() == nil)
        #expect(child.reap(until: .after(milliseconds: 1)) == nil)
        #expect(child.signal(SIGTERM))
        #expect(child.reap(until: .after(milliseconds: 20_000)) == .signalled(SIGTERM))
        #expect("\(TrstctlProcess.ExitStatus.signalled(SIGTERM))" == "signal 15 (SIGTERM)")
    }

    @Test("the group is killed with its leader's children")
    func group() throws {
        let pipe = try BytePipe()
        var request = SpawnRequest(
            .path("/bin/sh"), arguments: ["sh", "-c", "cat /dev/zero >/dev/null & echo started; wait"],
            standardOutput: pipe.writer.raw, standardError: pipe.writer.raw)
        request.groupEndsWithLeader = false
        let child = try ChildProcess.spawn(request)
        var word = [UInt8](repeating: 0, count: 8)
        #expect(read(pipe.reader.raw, &word, 8) == 8)
        #expect(child.signalGroup(SIGKILL))
        #expect(child.reap(until: .after(milliseconds: 20_000)) == .signalled(SIGKILL))
        let rest = pipe.drain()  // ends only when the background process has gone too
        #expect(rest == "")
    }

    @Test("what the leader leaves in its group ends when the leader is reaped")
    func leftovers() throws {
        let pipe = try BytePipe()
        let child = try ChildProcess.spawn(
            SpawnRequest(
                .path("/bin/sh"), arguments: ["sh", "-c", "cat /dev/zero >/dev/null & exit 3"],
                standardOutput: pipe.writer.raw, standardError: pipe.writer.raw))
        #expect(child.reap(until: .after(milliseconds: 20_000)) == .exited(3))
        let rest = pipe.drain()
        #expect(rest == "")
    }

    @Test("a forgotten child is killed with its group, and reaped")
    func forgotten() throws {
        let pipe = try BytePipe()
        func start(_ output: Int32) throws -> Int32 {
            try ChildProcess.spawn(
                SpawnRequest(
                    .path("/bin/sh"), arguments: ["sh", "-c", "cat /dev/zero >/dev/null & wait"],
                    standardOutput: output, standardError: output)
            ).pid
        }
        let pid = try start(pipe.writer.raw)
        #expect(kill(pid, 0) == -1)
        let rest = pipe.drain()
        #expect(rest == "")
    }

    @Test("a child outlives the thread that asked for it, because another thread cloned it")
    func threads() throws {
        let pipe = try BytePipe()
        let request = blocked(on: pipe.reader.raw)
        let child = Slot()
        let thread = Thread { child.fill(try? ChildProcess.spawn(request)) }
        thread.start()
        let started = try #require(child.wait())
        while !thread.isFinished { sched_yield() }
        // A parent-death signal would have been sent when the thread ended; a second child is started and reaped in
        // between, so that it would have been delivered.
        #expect(try run("/bin/true").status == .exited(0))
        #expect(started.tryReap() == nil)
        started.signal(SIGKILL)
        #expect(started.reap(until: .after(milliseconds: 20_000)) == .signalled(SIGKILL))
    }

    /// A request for a process that waits for the end of a pipe which stays open.
    private func blocked(on descriptor: Int32) -> SpawnRequest {
        SpawnRequest(.path("/bin/cat"), arguments: ["cat"], standardOutput: 2, standardError: 2).reading(descriptor)
    }
}

extension SpawnRequest {
    func reading(_ descriptor: Int32) -> SpawnRequest {
        var copy = self
        copy.standardInput = descriptor
        return copy
    }
}

/// Hands one child from a thread to another.
private final class Slot: @unchecked Sendable {
    private let filled = DispatchSemaphore(value: 0)
    private var child: ChildProcess?

    func fill(_ child: ChildProcess?) {
        self.child = child
        filled.signal()
    }

    func wait() -> ChildProcess? {
        filled.wait()
        return child
    }
}
