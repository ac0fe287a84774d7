import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlLaunch

/// How sessions begin and end, many times and at awkward moments: nothing is left, whatever happens.
@Suite("Life of sessions", .ownThreads)
struct SessionLifecycleTests {
    @Test("200 starts and stops leave no zombie, no descriptor and no directory")
    func manyCycles() async throws {
        let bench = try SessionBench()
        try HostileConnector.shared().install("healthy", in: bench.plugins.path)
        let executable = try bench.executable("healthy")
        let count = ProcessInfo.processInfo.environment["TRSTCTL_SOAK"] == "1" ? 10_000 : 200
        let descriptors = ProcessList.openDescriptors
        let zombies = ProcessList.zombies.count
        for _ in 0..<count {
            let session = try await bench.start(executable)
            #expect(await session.stop() == .exited(0))
        }
        // Other tests of this process open some too; one a cycle would be 200.
        #expect(await ProcessList.settles { ProcessList.openDescriptors - descriptors < count / 2 })
        #expect(await ProcessList.settles { ProcessList.zombies.count - zombies < count / 2 })
        #expect(bench.runDirectories == [])
        try await bench.expectAllWell()
    }

    @Test("100 refused starts leave no zombie, no descriptor and no directory")
    func manyRefusals() async throws {
        let bench = try SessionBench()
        try HostileConnector.shared().install("junk", in: bench.plugins.path)
        let executable = try bench.executable("junk")
        let count = 100
        let descriptors = ProcessList.openDescriptors
        let zombies = ProcessList.zombies.count
        for _ in 0..<count {
            await #expect(throws: SessionError(.handshakeGrammar, connector: "junk", message: "")) {
                _ = try await bench.start(executable)
            }
        }
        #expect(await ProcessList.settles { ProcessList.openDescriptors - descriptors < count / 2 })
        #expect(await ProcessList.settles { ProcessList.zombies.count - zombies < count / 2 })
        #expect(bench.runDirectories == [])
        try await bench.expectAllWell()
    }

    @Test("A start that is cancelled while it waits for the handshake leaves nothing")
    func cancelledStart() async throws {
        let bench = try SessionBench()
        try HostileConnector.shared().install("silent", in: bench.plugins.path)
        let executable = try bench.executable("silent")
        let pid = OneShot<Int32>()
        var request = bench.request("silent")
        request.timeouts.handshake = 600_000
        // On the loop, which no test blocks.
        let start = Task(executorPreference: EventLoop.shared) { [request] in
            try await Session.start(request) { directory, environment, output, error in
                let profile = try SandboxProfile(for: executable.kind)
                var confinement = try Confinement(profile, runDirectory: directory)
                let child = try executable.start(
                    under: &confinement, environment: environment, standardOutput: output, standardError: error)
                pid.set(child.pid)
                return child
            }
        }
        let number = try #require(await pid.wait(until: .after(milliseconds: 60_000)))
        start.cancel()
        let error = await #expect(throws: SessionError.self) { _ = try await start.value }
        #expect(error?.code == .cancelled, "\(String(describing: error))")
        #expect(!ProcessList.isRunning(number))
        try await bench.expectAllWell()
    }

    @Test("A start that is cancelled before it begins leaves nothing")
    func cancelledBeforeStart() async throws {
        let bench = try SessionBench()
        try HostileConnector.shared().install("silent", in: bench.plugins.path)
        let executable = try bench.executable("silent")
        let go = OneShot<Bool>()
        let start = Task {
            _ = await go.wait(until: .after(milliseconds: 60_000))
            return try await bench.start(executable)
        }
        start.cancel()
        go.set(true)
        let error = await #expect(throws: SessionError.self) { _ = try await start.value }
        #expect(error?.code == .cancelled, "\(String(describing: error))")
        try await bench.expectAllWell()
    }

    @Test("A connector that was stopped with SIGSTOP is ended all the same")
    func stopsSuspended() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("healthy") { request in
            request.timeouts.grace = 100
            request.timeouts.patience = 100
        }
        try #require(kill(session.processID, SIGSTOP) == 0)
        // One that has not stopped yet can still be ended by SIGTERM.
        #expect(await ProcessList.settles { !ProcessList.isAwake(session.processID) })
        #expect(await session.stop() == .signalled(SIGKILL))
        try await bench.expectAllWell()
    }

    @Test("A connector that dies between two calls fails the next one with how it ended")
    func diesIdle() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("healthy")
        #expect(try await session.ping() == "pong")
        try #require(kill(session.processID, SIGKILL) == 0)
        let error = await #expect(throws: SessionError.self) {
            while true { _ = try await session.ping() }
        }
        #expect(error?.code == .crashed)
        #expect(error?.exit == .signalled(SIGKILL))
        #expect(await session.stop() == .signalled(SIGKILL))
        try await bench.expectAllWell()
    }

    @Test("Stopping twice, and calling after a stop, is harmless")
    func stopsTwice() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("healthy")
        #expect(await session.stop() == .exited(0))
        #expect(await session.stop() == .exited(0))
        let error = await #expect(throws: SessionError.self) { try await session.ping() }
        #expect(error?.exit == .exited(0))
        try await bench.expectAllWell()
    }

    @Test("Stopping while a call waits fails that call once and ends the process")
    func stopsInCall() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("waits-for-cancel") { $0.timeouts.grace = 200 }
        let call = Task { try await session.ping(60_000) }
        await session.stop()
        await #expect(throws: SessionError.self) { _ = try await call.value }
        try await bench.expectAllWell()
    }

    @Test("Cancelling a call tells the connector")
    func cancellation() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("waits-for-cancel")
        let call = Task { try await session.ping(60_000) }
        call.cancel()
        let error = await #expect(throws: SessionError.self) { _ = try await call.value }
        #expect(error?.code == .cancelled)
        // Cancelled before it was sent, the connector never heard of it; once more, surely sent.
        let sent = OneShot<Bool>()
        let second = Task {
            try await session.call(.ping(Wire.PingRequest()), deadline: .never, started: { _ in sent.set(true) })
        }
        #expect(await sent.wait(until: .after(milliseconds: 60_000)) == true)
        second.cancel()
        await #expect(throws: SessionError.self) { _ = try await second.value }
        #expect(await bench.sees("cancelled"))
        #expect(await session.stop() == .exited(0))
        try await bench.expectAllWell()
    }

    @Test("An answer of another thread arrives without the loop's help, and is not cancelled when the session ends")
    func answersFromAThread() async throws {
        let bench = try SessionBench()
        let cancelled = CallCount()
        let session = try await bench.start("many-calls") { request in
            request.handler = CallHandler { incoming, answer in
                let answered = DispatchSemaphore(value: 0)
                Thread.detachNewThread {
                    answer(Wire.Reply(status: Wire.Status(), result: .log(Wire.LogResponse())))
                    answered.signal()
                }
                // The loop waits here, so the answer went out without it, and before it knows how to cancel.
                answered.wait()
                return { _ = cancelled.increment() }
            }
        }
        _ = try await session.ping()
        #expect(await session.stop() == .exited(0))
        #expect(cancelled.increment() == 1)
        try await bench.expectAllWell()
    }

    @Test("Two calls to one connector run at the same time: each is answered only when both have begun")
    func callsOverlap() async throws {
        let bench = try SessionBench()
        try BuiltProduct.link("echo", in: bench.plugins.path)
        let (arrived, both) = (CallCount(), OneShot<Bool>())
        let request = bench.request("echo") { incoming in
            // Progress and log are not waited for; reading is.
            if case .readFile = incoming.call.method {
                if arrived.increment() == 2 { both.set(true) }
                // Were the calls made one after the other, the second would wait for this answer, and this for it.
                guard await both.wait(until: .after(milliseconds: 60_000)) == true else {
                    return Wire.Reply(status: Wire.Status(code: .deadlineExceeded))
                }
            }
            return await SessionBench.answer(incoming)
        }
        let session = try await bench.start(try bench.executable("echo"), request)
        let targets = ["one", "two"]
        for target in targets {
            let config = [Wire.ConfigEntry(name: "state_path", value: Wire.ConfigValue(kind: .text("/nowhere")))]
            let request = Wire.ConfigureRequest(target: target, config: Echo.defaults + config, secretNames: [])
            let reply = try await session.call(.configure(request), deadline: .after(milliseconds: 60_000))
            #expect(reply.status?.code == .ok, "\(String(describing: reply.status))")
        }
        await withTaskGroup(of: Void.self) { group in
            for target in targets {
                group.addTask {
                    let deployment = Wire.Deployment(target: target, fingerprint: String(repeating: "ab", count: 32))
                    let call = Wire.ApplyRequest(deployment: deployment, recording: false)
                    let reply = try? await session.call(
                        .apply(call), scopeToken: Bytes([UInt8](repeating: 7, count: 16)),
                        deadline: .after(milliseconds: 120_000))
                    #expect(reply?.status?.code == .permissionDenied, "\(String(describing: reply?.status))")
                }
            }
        }
        #expect(both.value == true)
        #expect(await session.stop() == .exited(0))
        try await bench.expectAllWell()
    }

    @Test("Directories of hosts that are gone are swept; those in use, young ones and strangers' stay")
    func sweep() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("healthy")
        let used = try #require(bench.runDirectories.first)
        let base = bench.runtimeBase
        for name in ["run-00000000000000aa", "run-00000000000000bb", "other"] {
            try #require(mkdir("\(base)/\(name)", 0o700) == 0)
        }
        try Data().write(to: URL(fileURLWithPath: "\(base)/run-00000000000000aa/s"))
        for name in ["run-00000000000000aa", "other", used] {
            var times = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
            try #require(utimensat(AT_FDCWD, "\(base)/\(name)", &times, 0) == 0)
        }
        RunDirectory.sweep(base: base)
        #expect(Set(bench.runDirectories) == ["run-00000000000000bb", "other", used])
        #expect(try await session.ping() == "pong")
        await session.stop()
        for name in ["run-00000000000000bb", "other"] { rmdir("\(base)/\(name)") }
        try await bench.expectAllWell()
    }
}

@Suite("Sweeping the directories of hosts that are gone")
struct RunDirectorySweepTests {
    @Test("One sweep looks at so many names and no more; the next ones go on")
    func bound() throws {
        let scratch = try ScratchDirectory()
        let base = try scratch.makeDirectory("run", mode: 0o711)
        func count() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: base).count }
        for number in 0..<4_200 {
            let path = base + "/run-" + String(repeating: "0", count: 12) + String(10_000 + number).dropFirst(1)
            try #require(mkdir(path, 0o700) == 0)
            var times = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
            try #require(utimensat(AT_FDCWD, path, &times, 0) == 0)
        }
        RunDirectory.sweep(base: base)
        #expect(try count() == 104)
        RunDirectory.sweep(base: base)
        #expect(try count() == 0)
    }
}

/// Echo's configuration as the host fills it in.
private enum Echo {
    static let defaults = [
        Wire.ConfigEntry(name: "sleep_ms", value: Wire.ConfigValue(kind: .integer(0))),
        Wire.ConfigEntry(name: "fail_times", value: Wire.ConfigValue(kind: .integer(0))),
        Wire.ConfigEntry(name: "crash_by", value: Wire.ConfigValue(kind: .text("trap"))),
        Wire.ConfigEntry(name: "junk_stdout", value: Wire.ConfigValue(kind: .integer(0))),
        Wire.ConfigEntry(name: "write_text", value: Wire.ConfigValue(kind: .text("echo\n"))),
        Wire.ConfigEntry(name: "probe", value: Wire.ConfigValue(kind: .boolean(false))),
    ]
}
