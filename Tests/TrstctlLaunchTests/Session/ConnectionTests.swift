import CTrstctlSystem
import Glibc
import Synchronization
import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlLaunch

/// A connection whose peer is a socket in the test, so that it decides what is read at once.
@Suite("Connections")
struct ConnectionTests {
    private static let hello = Wire.Call.Method.hello(Wire.HelloRequest())
    private static let patience = Deadline.after(milliseconds: 60_000)

    /// What happened, in order.
    private final class Events: Sendable {
        private let list = Mutex<[String]>([])
        let last = OneShot<[String]>()

        func add(_ event: String, isLast: Bool = false) {
            let all = list.withLock { list in
                list.append(event)
                return list
            }
            if isLast { last.set(all) }
        }
    }

    /// Opens a connection, waits until Hello has been sent, and answers it with these frames behind the answer.
    private func exchange(_ events: Events, _ frames: [Wire.Frame]) async throws {
        var pair: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0, &pair) == 0)
        let peer = OwnedDescriptor(pair[1])
        let handler = CallHandler { incoming, _ in
            events.add("call \(incoming.id)", isLast: frames.count == 1)
            return { events.add("cancel \(incoming.id)", isLast: true) }
        }
        let connection = try Connection(socket: OwnedDescriptor(pair[0]), handler: handler)
        defer { connection.close() }
        let sent = OneShot<UInt32>()
        let reply = Task {
            try await connection.call(
                Self.hello, deadline: Self.patience, started: { sent.set($0) }, answered: { events.add("answered") })
        }
        let id = try #require(await sent.wait(until: Self.patience))
        let answer = Wire.Reply(status: Wire.Status(), result: .hello(Wire.HelloResponse()))
        let bytes = ([Wire.Frame(id: id, kind: .reply(answer))] + frames).flatMap { $0.encoded().array }
        try #require(send(peer.raw, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
        #expect(try await reply.value.status?.code == .ok)
        _ = await events.last.wait(until: Self.patience)
    }

    private func call(_ id: UInt32) -> Wire.Frame {
        Wire.Frame(id: id, kind: .call(Wire.Call(method: .readFile(Wire.ReadFileRequest(path: "/nowhere")))))
    }

    @Test func `Whoever waits for a reply is told before a call behind it begins`() async throws {
        let events = Events()
        try await exchange(events, [call(1)])
        #expect(events.last.value == ["answered", "call 1"])
    }

    @Test func `A call that is cancelled in the same breath begins, and hears of it`() async throws {
        let events = Events()
        try await exchange(events, [call(1), Wire.Frame(id: 1, kind: .cancel(Wire.Cancel()))])
        #expect(events.last.value == ["answered", "call 1", "cancel 1"])
    }

    @Test func `Where the peer hears nothing any more, the loop does not wait for room to write`() throws {
        var pair: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0, &pair) == 0)
        let peer = OwnedDescriptor(pair[1])
        let connection = try Connection(socket: OwnedDescriptor(pair[0]), handler: CallHandler { _, _ in {} })
        defer { connection.close() }
        try #require(shutdown(peer.raw, Int32(SHUT_RD)) == 0)
        // As after a while in which it took nothing; a socket that nobody hears is always ready to be written to.
        connection.state.withLock { state in
            state.stallDeadline = Self.patience
            state.outgoing.append("frame")
        }
        connection.flush()
        let (deadline, watched, isDying) = connection.state.withLock {
            ($0.stallDeadline, $0.watched, $0.lastWordsDeadline != .never)
        }
        #expect(deadline == .never && watched & TRSTCTL_EPOLL_OUT == 0 && isDying)
    }
}
