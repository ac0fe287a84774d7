import Glibc
import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlLaunch

@Suite("What waits to be written on a connection")
struct ConnectionStateTests {
    /// Everything that is to be written now, as the peer gets it.
    private func written(_ queue: OutgoingQueue) throws -> String {
        var queue = queue
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        try #require(queue.write(to: ends[0]) == 0)
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = read(ends[1], &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }

    @Test("One thread writes, what comes meanwhile stays behind what it could not write, and all of it counts")
    func order() throws {
        var state = ConnectionState(multiplexer: Multiplexer(side: .host, limits: SessionLimits()))
        state.outgoing.append("first ")
        let begun = state.takeOutgoing()
        let taken = try #require(begun)
        state.outgoing.append("second ")
        let other = state.takeOutgoing()
        #expect(other == nil, "somebody writes already")
        let both = state.unwrittenWeight
        #expect(both == taken.weight + state.outgoing.weight && both >= 13)
        // As when the peer takes nothing.
        state.giveBack(taken)
        let again = state.unwrittenWeight
        #expect(again == both)
        state.outgoing.append("third")
        let rest = state.takeOutgoing()
        #expect(try written(try #require(rest)) == "first second third")
    }

    @Test("Short replies count for the memory that they take, not for their bytes")
    func weight() throws {
        var state = ConnectionState(multiplexer: Multiplexer(side: .host, limits: SessionLimits()))
        let reply = Wire.Frame(id: 1, kind: .reply(Wire.Reply(status: Wire.Status(), result: .log(Wire.LogResponse()))))
        for _ in 0..<1_000 { state.outgoing.append(reply.encoded()) }
        let all = state.unwrittenWeight
        #expect(all >= 128_000)
        // What is written counts no more.
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK, 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        let rest = state.outgoing.write(to: ends[0])
        let left = state.unwrittenWeight
        #expect(rest == 0 && left == 0)
    }

    @Test("When the connection ends meanwhile nothing comes back")
    func end() throws {
        var state = ConnectionState(multiplexer: Multiplexer(side: .host, limits: SessionLimits()))
        state.outgoing.append("frame")
        let begun = state.takeOutgoing()
        let taken = try #require(begun)
        state.end = .closedByHost
        state.giveBack(taken)
        let left = state.unwrittenWeight
        #expect(left == 0)
        let rest = state.takeOutgoing()
        #expect(rest == nil)
    }
}
