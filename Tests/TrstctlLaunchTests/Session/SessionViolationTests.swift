import Testing
import TrstctlProcess
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlLaunch

/// Connectors that break the protocol in a call: the call fails once, the session ends, the host goes on.
@Suite("Hostile sessions", .ownThreads)
struct SessionViolationTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var code: SessionError.Code = .protocolViolation
        /// The `WireError.Code`, or other words of the error.
        var says: String

        var testDescription: String { name }
    }

    static let violations = [
        Case(name: "huge-frame", says: "a frame of 4294967295 bytes, where at most 4194304 are allowed"),
        Case(name: "over-limit", says: "a frame of 4194305 bytes"),
        Case(name: "empty-frame", says: "frame-empty"),
        Case(name: "garbage", says: "invalid-message"),
        Case(name: "half-a-frame", says: "frame-truncated"),
        Case(name: "hangs-up", code: .crashed, says: "closed the connection"),
        Case(name: "unasked", says: "a reply to call 99, which is not in flight"),
        Case(name: "wrong-result", says: "wrong-result"),
        Case(name: "id-zero", says: "id-zero"),
        Case(name: "duplicate-id", says: "call id 5 after 5"),
        Case(name: "falling-id", says: "call id 4 after 5"),
        Case(name: "wrong-direction", says: "wrong-direction"),
        Case(name: "second-hello", says: "wrong-direction"),
        Case(name: "bad-text", says: "invalid-text"),
        Case(name: "too-many-calls", says: "too-many-calls"),
    ]

    @Test("A violation ends the session with its name, and the next connector is served", arguments: violations)
    func violation(_ entry: Case) async throws {
        let bench = try SessionBench()
        let session = try await bench.start(entry.name)
        let error = await #expect(throws: SessionError.self) { try await session.ping() }
        #expect(error?.code == entry.code, "\(String(describing: error))")
        #expect("\(String(describing: error))".contains(entry.says), "\(String(describing: error))")
        // The session stays ended.
        await #expect(throws: SessionError.self) { try await session.ping() }
        await session.stop()
        try await bench.expectAllWell()
    }

    @Test("A second answer to one call ends the session")
    func answersTwice() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("answers-twice")
        // The first answer may still count; after the second nothing does.
        _ = try? await session.ping()
        let error = await #expect(throws: SessionError.self) { try await session.ping() }
        #expect("\(String(describing: error))".contains("unexpected-reply"))
        await session.stop()
        try await bench.expectAllWell()
    }

    @Test("A connector that stops reading while it calls ends with a timeout")
    func stopsReading() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("stops-reading") { $0.timeouts.writeStall = 300 }
        let error = await #expect(throws: SessionError.self) { try await session.ping(60_000) }
        #expect(error?.code == .timeout, "\(String(describing: error))")
        #expect("\(String(describing: error))".contains("stopped reading for 300 ms"))
        await session.stop()
        try await bench.expectAllWell()
    }

    @Test("A call that is never answered ends at its deadline, and the session can still be stopped")
    func neverAnswers() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("mute") { request in
            request.timeouts.grace = 100
            request.timeouts.patience = 60_000
        }
        let error = await #expect(throws: SessionError.self) { try await session.ping(200) }
        #expect(error?.code == .timeout)
        #expect(await session.stop() == .signalled(15))
        try await bench.expectAllWell()
    }

    @Test("A connector that dies in a call fails that call once, with its exit status and its last words, escaped")
    func exitsInCall() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("exits-in-call")
        let error = await #expect(throws: SessionError.self) { try await session.ping() }
        #expect(error?.code == .crashed)
        #expect(error?.exit == .exited(6))
        #expect(error?.output == ["giving \\x{1b}[31mup\\x{7}"])
        #expect(await session.stop() == .exited(6))
        try await bench.expectAllWell()
    }

    @Test("A method that the host does not know is answered UNIMPLEMENTED, and the session goes on")
    func unknownMethod() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("unknown-method")
        #expect(try await session.ping() == "12")
        #expect(try await session.ping() == "12")
        #expect(await session.stop() == .exited(0))
        try await bench.expectAllWell()
    }

    @Test("Calls beyond the window are answered RESOURCE_EXHAUSTED, and the session goes on")
    func manyCalls() async throws {
        let bench = try SessionBench()
        // Nothing is answered before every call has come, so that the window is full.
        let (gate, count) = (OneShot<Bool>(), CallCount())
        let session = try await bench.start("many-calls") { request in
            request.handler = CallHandler { incoming in
                if count.increment() == 64 { gate.set(true) }
                _ = await gate.wait(until: .after(milliseconds: 60_000))
                return await SessionBench.answer(incoming)
            }
        }
        let refused = try #require(Int(try await session.ping()))
        // What is answered while the rest arrives makes room again.
        #expect((1...(1_000 - 64)).contains(refused), "\(refused)")
        #expect(await session.stop() == .exited(0))
        try await bench.expectAllWell()
    }

    @Test("200 MB on stdout and stderr are drained, dropped and counted, and the session goes on")
    func floods() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("floods")
        #expect(try await session.ping(120_000) == "pong")
        #expect(await session.stop() == .exited(0))
        #expect(bench.printed.reduce(0) { $0 + $1.utf8.count } <= 2 * OutputLines.budget)
        try await bench.expectAllWell()
    }

    @Test("What a connector prints cannot move the cursor, forge a line or turn text around")
    func controlCharacters() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("control-characters")
        #expect(try await session.ping() == "pong")
        #expect(await session.stop() == .exited(0))
        #expect(
            bench.printed == [
                "\\x{1b}[2J\\x{1b}]0;owned\\x{7}\\x{d}root@host# \u{FFFD}\u{FFFD}\\x{202e}evil"
            ])
        try await bench.expectAllWell()
    }

    @Test("A connector may close stdout and stderr once it has said where it listens")
    func closesOutput() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("closes-output")
        #expect(try await session.ping() == "pong")
        #expect(await session.stop() == .exited(0))
        try await bench.expectAllWell()
    }

    @Test("A connector that ignores Shutdown and SIGTERM is killed")
    func stubborn() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("stubborn") { request in
            request.timeouts.grace = 100
            request.timeouts.patience = 100
        }
        #expect(try await session.ping() == "pong")
        #expect(await session.stop() == .signalled(9))
        try await bench.expectAllWell()
    }
}
