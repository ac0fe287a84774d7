package import TrstctlSystem

/// The calls in flight on one connection, both directions: who may send what, and when.
///
/// A value without I/O. It assigns ids, matches replies, keeps the window of calls and bytes, knows the deadlines, and
/// refuses every violation of the protocol. Whoever owns it moves the frames.
package struct Multiplexer: Sendable {
    /// Which end of the connection this is.
    package enum Side: Sendable {
        case host, connector
    }

    /// What a received frame asks for.
    package enum Event: Sendable {
        /// Run the call, then `reply(to:with:)`.
        case call(id: UInt32, Wire.Call)
        /// Reply with this at once: the call came over the window.
        case refuse(id: UInt32, Wire.Status)
        /// The reply to one of our calls.
        case reply(id: UInt32, Wire.Reply)
        /// The reply to a call that we abandoned.
        case late(id: UInt32)
        /// The peer no longer wants the result of this running call.
        case cancel(id: UInt32)
        /// A cancellation that crossed our reply.
        case nothing
    }

    private struct Outgoing {
        var method: UInt32
        var bytes: Int
        var deadline: Deadline
        var isAbandoned = false
    }

    /// How many calls in a row beyond the window are answered before the session ends.
    package static let maximumRefusals = 1024

    package let side: Side
    /// What we accept.
    package let limits: SessionLimits
    /// What the peer accepts; the defaults until Hello has told.
    package var peerLimits = SessionLimits()
    /// The id that the next call of ours gets.
    package private(set) var nextID: UInt32 = 1
    private var outgoing: [UInt32: Outgoing] = [:]
    private var outgoingBytes = 0
    private var lastIncomingID: UInt32 = 0
    private var incoming: [UInt32: Int] = [:]
    private var incomingBytes = 0
    private var helloDone = false
    /// Calls refused since the last one that was accepted.
    private var refusals = 0
    /// The earliest deadline of a call in flight; may be earlier than the truth, never later.
    package private(set) var nextDeadline = Deadline.never

    package init(side: Side, limits: SessionLimits = SessionLimits()) {
        self.side = side
        self.limits = limits
    }

    // MARK: - Our calls

    /// Whether the peer's window has room for a call of this many bytes.
    ///
    /// One call is always allowed, whatever its size.
    package func hasRoom(forBytes bytes: Int) -> Bool {
        outgoing.isEmpty
            || (outgoing.count < peerLimits.calls && bytes <= peerLimits.callBytes - outgoingBytes)
    }

    /// How many of our calls have no reply yet.
    package var outgoingCount: Int { outgoing.count }

    /// How many of the peer's calls we have not replied to.
    package var incomingCount: Int { incoming.count }

    /// Whether enough of the peer's bytes are being worked on that reading should pause.
    package var isSaturated: Bool { incomingBytes > limits.callBytes }

    /// Begins a call; the caller checked `hasRoom`.
    ///
    /// - Returns: the frame to send, or nil when the session has used all its 2³²-1 ids.
    package mutating func start(_ call: Wire.Call, bytes: Int, deadline: Deadline = .never) -> Wire.Frame? {
        guard nextID < UInt32.max, let method = call.method?.fieldNumber else { return nil }
        let id = nextID
        nextID += 1
        outgoing[id] = Outgoing(method: method, bytes: bytes, deadline: deadline)
        outgoingBytes += bytes
        nextDeadline = min(nextDeadline, deadline)
        return Wire.Frame(id: id, kind: .call(call))
    }

    /// Takes back a call whose frame was not sent after all, for example because it is too long.
    package mutating func withdraw(_ id: UInt32) {
        guard let call = outgoing.removeValue(forKey: id) else { return }
        outgoingBytes -= call.bytes
    }

    /// Gives up one of our calls: its place in the window stays taken until the reply comes.
    ///
    /// - Returns: the Cancel frame to send, or nil when there is nothing to cancel.
    package mutating func abandon(_ id: UInt32) -> Wire.Frame? {
        guard var call = outgoing[id], !call.isAbandoned else { return nil }
        call.isAbandoned = true
        call.deadline = .never
        outgoing[id] = call
        return Wire.Frame(id: id, kind: .cancel(Wire.Cancel()))
    }

    /// The calls whose deadline has passed, abandoned; each with the Cancel frame to send.
    package mutating func expire(at now: Deadline) -> [(id: UInt32, cancel: Wire.Frame)] {
        guard now >= nextDeadline else { return [] }
        var expired: [(UInt32, Wire.Frame)] = []
        for (id, call) in outgoing where call.deadline <= now {
            if let cancel = abandon(id) { expired.append((id, cancel)) }
        }
        nextDeadline = outgoing.values.map(\.deadline).min() ?? .never
        return expired.sorted { $0.0 < $1.0 }
    }

    // MARK: - The peer's frames

    /// Takes in a frame.
    ///
    /// - Parameters:
    ///   - frame: what the peer sent.
    ///   - bytes: the frame's size, counted against the window.
    /// - Returns: what to do now.
    /// - Throws: `WireError`: the session must end.
    package mutating func receive(_ frame: Wire.Frame, bytes: Int) throws(WireError) -> Event {
        guard frame.id != 0 else { throw WireError(.idZero, "a frame with id 0") }
        switch frame.kind {
        case .call(let call): return try receive(call, frame.id, bytes)
        case .reply(let reply): return try receive(reply, frame.id)
        case .cancel:
            guard frame.id <= lastIncomingID else {
                throw WireError(.unexpectedCancel, "a cancellation of call \(frame.id), which was never made")
            }
            return incoming[frame.id] == nil ? .nothing : .cancel(id: frame.id)
        case nil:
            throw WireError(.unknownKind, "a frame that is neither call, reply nor cancellation")
        }
    }

    private mutating func receive(_ call: Wire.Call, _ id: UInt32, _ bytes: Int) throws(WireError) -> Event {
        guard id > lastIncomingID else {
            throw WireError(
                .idNotIncreasing, "call id \(id) after \(lastIncomingID); ids increase and are never reused")
        }
        lastIncomingID = id
        try checkDirection(call.method)
        // Refusals hold no place in the window, but a peer that goes far beyond it is not well: end the session.
        guard incoming.count < limits.calls else {
            refusals += 1
            guard refusals <= Multiplexer.maximumRefusals else {
                throw WireError(.tooManyCalls, "\(refusals) calls in a row beyond the window of \(limits.calls)")
            }
            return .refuse(
                id: id,
                Wire.Status(
                    code: .resourceExhausted, message: "more than \(limits.calls) calls in flight", retryable: true))
        }
        refusals = 0
        incoming[id] = bytes
        incomingBytes += bytes
        return .call(id: id, call)
    }

    private mutating func checkDirection(_ method: Wire.Call.Method?) throws(WireError) {
        guard let method else {
            guard helloDone else { throw WireError(.callBeforeHello, "an unknown call before Hello") }
            return
        }
        let isBrokered = method.fieldNumber >= 100
        guard isBrokered == (side == .host) else {
            throw WireError(.wrongDirection, "method \(method.fieldNumber) sent in the wrong direction")
        }
        if case .hello = method {
            guard !helloDone else { throw WireError(.secondHello, "a second Hello") }
            helloDone = true
        } else if !helloDone {
            throw WireError(.callBeforeHello, "method \(method.fieldNumber) before Hello")
        }
    }

    private mutating func receive(_ reply: Wire.Reply, _ id: UInt32) throws(WireError) -> Event {
        guard let call = outgoing.removeValue(forKey: id) else {
            throw WireError(.unexpectedReply, "a reply to call \(id), which is not in flight")
        }
        outgoingBytes -= call.bytes
        guard let status = reply.status else { throw WireError(.missingStatus, "a reply without a status") }
        if status.code == .ok {
            guard reply.result?.fieldNumber == call.method else {
                throw WireError(.wrongResult, "a reply to method \(call.method) with another method's result")
            }
            if case .hello = reply.result { helloDone = true }
        }
        return call.isAbandoned ? .late(id: id) : .reply(id: id, reply)
    }

    /// The frame that answers a call of the peer, or nil when it was answered before: every call gets one reply.
    package mutating func reply(to id: UInt32, with reply: Wire.Reply) -> Wire.Frame? {
        endCall(id) ? Wire.Frame(id: id, kind: .reply(reply)) : nil
    }

    /// Notes that a call of the peer is being answered.
    ///
    /// - Returns: false when it was answered before.
    package mutating func endCall(_ id: UInt32) -> Bool {
        guard let bytes = incoming.removeValue(forKey: id) else { return false }
        incomingBytes -= bytes
        return true
    }

    /// The frame that answers a call that `receive` said to refuse.
    package func refusal(of id: UInt32, with status: Wire.Status) -> Wire.Frame {
        Wire.Frame(id: id, kind: .reply(Wire.Reply(status: status)))
    }
}
