import Testing
import TrstctlSystem
import TrstctlWire

/// Both ends' frames, short.
extension Wire.Frame {
    fileprivate static func call(_ id: UInt32, _ method: Wire.Call.Method?) -> Wire.Frame {
        Wire.Frame(id: id, kind: .call(Wire.Call(method: method)))
    }

    fileprivate static func reply(
        _ id: UInt32, _ result: Wire.Reply.Result?, _ code: Wire.Status.Code = .ok
    ) -> Wire.Frame {
        Wire.Frame(id: id, kind: .reply(Wire.Reply(status: Wire.Status(code: code), result: result)))
    }

    fileprivate static func cancel(_ id: UInt32) -> Wire.Frame { Wire.Frame(id: id, kind: .cancel(Wire.Cancel())) }
}

extension Multiplexer.Event {
    /// For comparisons: the event without its content.
    fileprivate var name: String {
        switch self {
        case .call(let id, _): "call \(id)"
        case .refuse(let id, _): "refuse \(id)"
        case .reply(let id, _): "reply \(id)"
        case .late(let id): "late \(id)"
        case .cancel(let id): "cancel \(id)"
        case .nothing: "nothing"
        }
    }
}

private let ping = Wire.Call.Method.ping(Wire.PingRequest())
private let pong = Wire.Reply.Result.ping(Wire.PingResponse())
private let stat = Wire.Call.Method.stat(Wire.StatRequest())

/// A multiplexer that expectations may change: their macros take values as constants.
private final class End {
    private(set) var multiplexer: Multiplexer

    init(_ multiplexer: Multiplexer) { self.multiplexer = multiplexer }

    var peerLimits: SessionLimits {
        get { multiplexer.peerLimits }
        set { multiplexer.peerLimits = newValue }
    }
    var outgoingCount: Int { multiplexer.outgoingCount }
    var incomingCount: Int { multiplexer.incomingCount }
    var isSaturated: Bool { multiplexer.isSaturated }
    var nextDeadline: Deadline { multiplexer.nextDeadline }

    func hasRoom(forBytes bytes: Int) -> Bool { multiplexer.hasRoom(forBytes: bytes) }
    func receive(_ frame: Wire.Frame, bytes: Int) throws -> Multiplexer.Event {
        try multiplexer.receive(frame, bytes: bytes)
    }
    func start(_ call: Wire.Call, bytes: Int, deadline: Deadline = .never) -> Wire.Frame? {
        multiplexer.start(call, bytes: bytes, deadline: deadline)
    }
    func reply(to id: UInt32, with reply: Wire.Reply) -> Wire.Frame? { multiplexer.reply(to: id, with: reply) }
    func refusal(of id: UInt32, with status: Wire.Status) -> Wire.Frame { multiplexer.refusal(of: id, with: status) }
    func abandon(_ id: UInt32) -> Wire.Frame? { multiplexer.abandon(id) }
    func withdraw(_ id: UInt32) { multiplexer.withdraw(id) }
    func expire(at now: Deadline) -> [(id: UInt32, cancel: Wire.Frame)] { multiplexer.expire(at: now) }
}

/// A connector's end after Hello.
private func connector(_ limits: SessionLimits = SessionLimits()) throws -> End {
    let multiplexer = End(Multiplexer(side: .connector, limits: limits))
    _ = try multiplexer.receive(.call(1, .hello(Wire.HelloRequest())), bytes: 10)
    _ = multiplexer.reply(to: 1, with: Wire.Reply(status: Wire.Status(), result: .hello(Wire.HelloResponse())))
    return multiplexer
}

/// A host's end after Hello.
private func host(_ limits: SessionLimits = SessionLimits()) throws -> End {
    let multiplexer = End(Multiplexer(side: .host, limits: limits))
    let hello = try #require(multiplexer.start(Wire.Call(method: .hello(Wire.HelloRequest())), bytes: 10))
    _ = try multiplexer.receive(.reply(hello.id, .hello(Wire.HelloResponse())), bytes: 10)
    return multiplexer
}

@Suite("What the multiplexer refuses")
struct MultiplexerViolationTests {
    private func expect(
        _ code: WireError.Code, _ end: End, _ frame: Wire.Frame, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        // On a copy, so that a test can go on.
        let multiplexer = End(end.multiplexer)
        #expect(throws: WireError(code, ""), sourceLocation: sourceLocation) {
            try multiplexer.receive(frame, bytes: 10)
        }
    }

    @Test("An id of 0")
    func idZero() throws {
        for frame in [Wire.Frame.call(0, ping), .reply(0, pong), .cancel(0)] {
            expect(.idZero, try connector(), frame)
        }
    }

    @Test("A frame without a kind")
    func noKind() throws { expect(.unknownKind, try connector(), Wire.Frame(id: 2)) }

    @Test("An id that does not increase, answered or not")
    func idNotIncreasing() throws {
        let multiplexer = try connector()
        expect(.idNotIncreasing, multiplexer, .call(1, ping))
        #expect(try multiplexer.receive(.call(7, ping), bytes: 1).name == "call 7")
        expect(.idNotIncreasing, multiplexer, .call(7, ping))
        expect(.idNotIncreasing, multiplexer, .call(6, ping))
        #expect(try multiplexer.receive(.call(.max, ping), bytes: 1).name == "call 4294967295")
    }

    @Test("A reply that nobody waits for: never called, answered already, of the other direction")
    func unexpectedReply() throws {
        let multiplexer = try host()
        expect(.unexpectedReply, multiplexer, .reply(9, pong))
        expect(.unexpectedReply, multiplexer, .reply(1, .hello(Wire.HelloResponse())))
        _ = try multiplexer.receive(.call(3, stat), bytes: 1)
        expect(.unexpectedReply, multiplexer, .reply(3, .stat(Wire.StatResponse())))
    }

    @Test("A method in the wrong direction")
    func wrongDirection() throws {
        expect(.wrongDirection, try connector(), .call(2, stat))
        expect(.wrongDirection, try host(), .call(1, ping))
    }

    @Test("Any call before Hello, an unknown one and a brokered one included")
    func beforeHello() {
        expect(.callBeforeHello, End(Multiplexer(side: .connector)), .call(1, ping))
        expect(.callBeforeHello, End(Multiplexer(side: .connector)), .call(1, nil))
        expect(.callBeforeHello, End(Multiplexer(side: .host)), .call(1, stat))
        expect(.callBeforeHello, End(Multiplexer(side: .host)), .call(1, nil))
    }

    @Test("A failed Hello opens nothing")
    func failedHello() throws {
        let multiplexer = End(Multiplexer(side: .host))
        let hello = try #require(multiplexer.start(Wire.Call(method: .hello(Wire.HelloRequest())), bytes: 10))
        _ = try multiplexer.receive(.reply(hello.id, nil, .internal), bytes: 1)
        expect(.callBeforeHello, multiplexer, .call(1, stat))
    }

    @Test("A second Hello")
    func secondHello() throws { expect(.secondHello, try connector(), .call(2, .hello(Wire.HelloRequest()))) }

    @Test("A reply without a status, or with another method's result, or with none")
    func wrongReplies() throws {
        let multiplexer = try host()
        let call = try #require(multiplexer.start(Wire.Call(method: ping), bytes: 1))
        expect(.missingStatus, multiplexer, Wire.Frame(id: call.id, kind: .reply(Wire.Reply(result: pong))))
        expect(.wrongResult, multiplexer, .reply(call.id, .read(Wire.ReadResponse())))
        expect(.wrongResult, multiplexer, .reply(call.id, nil))
    }

    @Test("A cancellation of a call that was never made")
    func unexpectedCancel() throws { expect(.unexpectedCancel, try connector(), .cancel(2)) }

    @Test("Calls far beyond the window")
    func tooManyCalls() throws {
        let multiplexer = try connector(SessionLimits(calls: 1))
        _ = try multiplexer.receive(.call(2, ping), bytes: 1)
        for id in 0..<UInt32(Multiplexer.maximumRefusals) {
            #expect(try multiplexer.receive(.call(3 + id, ping), bytes: 1).name == "refuse \(3 + id)")
        }
        expect(.tooManyCalls, multiplexer, .call(1_000_000, ping))
        // One that is accepted in between starts the count again.
        _ = multiplexer.reply(to: 2, with: Wire.Reply())
        #expect(try multiplexer.receive(.call(1_000_000, ping), bytes: 1).name == "call 1000000")
        #expect(try multiplexer.receive(.call(1_000_001, ping), bytes: 1).name == "refuse 1000001")
    }
}

@Suite("What the multiplexer keeps")
struct MultiplexerTests {
    @Test("Our ids are 1, 2, 3, … and are not reused")
    func ids() throws {
        let multiplexer = try host()
        let ids = (0..<3).map { _ in multiplexer.start(Wire.Call(method: ping), bytes: 1)?.id }
        #expect(ids == [2, 3, 4])
        _ = try multiplexer.receive(.reply(4, pong), bytes: 1)
        #expect(multiplexer.start(Wire.Call(method: ping), bytes: 1)?.id == 5)
    }

    @Test("A call without a method is not sent")
    func noMethod() throws {
        let multiplexer = try host()
        #expect(multiplexer.start(Wire.Call(), bytes: 1) == nil)
    }

    @Test("Replies find their calls in any order")
    func anyOrder() throws {
        let multiplexer = try host()
        for _ in 0..<3 { _ = multiplexer.start(Wire.Call(method: ping), bytes: 1) }
        #expect(
            try [3, 2, 4].map { try multiplexer.receive(.reply($0, pong), bytes: 1).name } == [
                "reply 3", "reply 2", "reply 4",
            ])
        #expect(multiplexer.outgoingCount == 0)
    }

    @Test("A failure needs no result")
    func failure() throws {
        let multiplexer = try host()
        _ = multiplexer.start(Wire.Call(method: ping), bytes: 1)
        #expect(try multiplexer.receive(.reply(2, nil, .unimplemented), bytes: 1).name == "reply 2")
    }

    @Test("The peer's window of calls is kept")
    func windowOfCalls() throws {
        let multiplexer = try host()
        multiplexer.peerLimits = SessionLimits(calls: 2)
        #expect(multiplexer.hasRoom(forBytes: 1))
        _ = multiplexer.start(Wire.Call(method: ping), bytes: 1)
        #expect(multiplexer.hasRoom(forBytes: 1))
        _ = multiplexer.start(Wire.Call(method: ping), bytes: 1)
        #expect(!multiplexer.hasRoom(forBytes: 1))
        _ = try multiplexer.receive(.reply(2, pong), bytes: 1)
        #expect(multiplexer.hasRoom(forBytes: 1))
    }

    @Test("The peer's window of bytes is kept; one call is always allowed")
    func windowOfBytes() throws {
        let multiplexer = try host()
        multiplexer.peerLimits = SessionLimits(callBytes: 100)
        #expect(multiplexer.hasRoom(forBytes: 1000))
        _ = multiplexer.start(Wire.Call(method: ping), bytes: 60)
        #expect(multiplexer.hasRoom(forBytes: 40))
        #expect(!multiplexer.hasRoom(forBytes: 41))
        #expect(!multiplexer.hasRoom(forBytes: .max - 10))
    }

    @Test("A call that was not sent after all gives its place back")
    func withdraw() throws {
        let multiplexer = try host()
        multiplexer.peerLimits = SessionLimits(calls: 1)
        let call = try #require(multiplexer.start(Wire.Call(method: ping), bytes: 1))
        multiplexer.withdraw(call.id)
        multiplexer.withdraw(call.id)
        #expect(multiplexer.outgoingCount == 0)
        #expect(multiplexer.hasRoom(forBytes: 1))
        #expect(throws: WireError(.unexpectedReply, "")) { try multiplexer.receive(.reply(call.id, pong), bytes: 1) }
    }

    @Test("Calls beyond our window are refused and take no place; unknown methods take one")
    func ourWindow() throws {
        let multiplexer = try connector(SessionLimits(calls: 2))
        #expect(try multiplexer.receive(.call(2, ping), bytes: 1).name == "call 2")
        #expect(try multiplexer.receive(.call(3, nil), bytes: 1).name == "call 3")
        guard case .refuse(4, let status) = try multiplexer.receive(.call(4, ping), bytes: 1) else {
            Issue.record("not refused")
            return
        }
        #expect(status.code == .resourceExhausted && status.retryable)
        #expect(multiplexer.refusal(of: 4, with: status) == Wire.Frame(id: 4, kind: .reply(Wire.Reply(status: status))))
        #expect(multiplexer.incomingCount == 2)
    }

    @Test("Reading should pause while too many bytes are worked on")
    func saturation() throws {
        let multiplexer = try connector(SessionLimits(callBytes: 100))
        _ = try multiplexer.receive(.call(2, ping), bytes: 100)
        #expect(!multiplexer.isSaturated)
        _ = try multiplexer.receive(.call(3, ping), bytes: 1)
        #expect(multiplexer.isSaturated)
        _ = multiplexer.reply(to: 2, with: Wire.Reply())
        #expect(!multiplexer.isSaturated)
    }

    @Test("Every call gets one reply, not two")
    func oneReply() throws {
        let multiplexer = try connector()
        _ = try multiplexer.receive(.call(2, ping), bytes: 1)
        let reply = Wire.Reply(status: Wire.Status(), result: pong)
        #expect(multiplexer.reply(to: 2, with: reply) == Wire.Frame(id: 2, kind: .reply(reply)))
        #expect(multiplexer.reply(to: 2, with: reply) == nil)
        #expect(multiplexer.reply(to: 3, with: reply) == nil)
    }

    @Test("An abandoned call keeps its place until its reply comes late")
    func abandon() throws {
        let multiplexer = try host()
        multiplexer.peerLimits = SessionLimits(calls: 1)
        let call = try #require(multiplexer.start(Wire.Call(method: ping), bytes: 1))
        #expect(multiplexer.abandon(call.id) == .cancel(call.id))
        #expect(multiplexer.abandon(call.id) == nil)
        #expect(!multiplexer.hasRoom(forBytes: 1))
        #expect(try multiplexer.receive(.reply(call.id, nil, .cancelled), bytes: 1).name == "late 2")
        #expect(multiplexer.hasRoom(forBytes: 1))
        #expect(multiplexer.abandon(call.id) == nil)
    }

    @Test("A late reply must still be right")
    func lateAndWrong() throws {
        let multiplexer = try host()
        let call = try #require(multiplexer.start(Wire.Call(method: ping), bytes: 1))
        _ = multiplexer.abandon(call.id)
        #expect(throws: WireError(.wrongResult, "")) {
            try multiplexer.receive(.reply(call.id, .read(Wire.ReadResponse())), bytes: 1)
        }
    }

    @Test("Calls whose deadline has passed are abandoned, each once, in order")
    func expire() throws {
        let multiplexer = try host()
        func at(_ nanoseconds: Int64) -> Deadline { Deadline(nanoseconds: nanoseconds) }
        for deadline in [at(300), at(100), .never, at(200)] {
            _ = multiplexer.start(Wire.Call(method: ping), bytes: 1, deadline: deadline)
        }
        #expect(multiplexer.nextDeadline == at(100))
        #expect(multiplexer.expire(at: at(99)).isEmpty)
        let expired = multiplexer.expire(at: at(250))
        #expect(expired.map(\.id) == [3, 5])
        #expect(expired.map(\.cancel) == [.cancel(3), .cancel(5)])
        #expect(multiplexer.nextDeadline == at(300))
        #expect(multiplexer.expire(at: at(300)).map(\.id) == [2])
        #expect(multiplexer.nextDeadline == .never)
        #expect(multiplexer.expire(at: at(.max - 1)).isEmpty)
        #expect(multiplexer.outgoingCount == 4)
    }

    @Test("A cancellation reaches the running call; one that crossed the reply is nothing")
    func cancel() throws {
        let multiplexer = try connector()
        _ = try multiplexer.receive(.call(2, ping), bytes: 1)
        #expect(try multiplexer.receive(.cancel(2), bytes: 1).name == "cancel 2")
        #expect(try multiplexer.receive(.cancel(2), bytes: 1).name == "cancel 2")
        _ = multiplexer.reply(to: 2, with: Wire.Reply())
        #expect(try multiplexer.receive(.cancel(2), bytes: 1).name == "nothing")
    }

    @Test("Limits are clamped into the protocol's bounds, and 0 means the default")
    func limits() {
        #expect(SessionLimits(nil) == SessionLimits())
        #expect(SessionLimits(Wire.Limits()) == SessionLimits(frameBytes: 4 << 20, calls: 64, callBytes: 16 << 20))
        #expect(
            SessionLimits(Wire.Limits(maxFrameBytes: 1, maxCalls: 1, maxCallBytes: 1))
                == SessionLimits(frameBytes: 64 << 10, calls: 1, callBytes: 1))
        #expect(
            SessionLimits(Wire.Limits(maxFrameBytes: .max, maxCalls: .max, maxCallBytes: .max))
                == SessionLimits(frameBytes: 64 << 20, calls: 1024, callBytes: Int(UInt32.max)))
        #expect(SessionLimits(SessionLimits(frameBytes: 1 << 20, calls: 3, callBytes: 9).message).calls == 3)
    }
}
