import CTrstctlSystem
import Glibc
import Synchronization
package import TrstctlSystem
package import TrstctlWire

/// One connection to a connector: calls out, calls in, over one socket, on the loop.
///
/// All decisions are the `Multiplexer`'s, a value under a mutex; this class moves bytes and wakes whoever waits.
package final class Connection: EventSource {
    /// How long a peer that takes nothing any more may still say something, in milliseconds.
    static let lastWordsMilliseconds: Int64 = 1_000
    /// How long the connector may refuse to read before the session ends, in milliseconds.
    let writeStall: Int64
    let socket: OwnedDescriptor
    let state: Locked<ConnectionState>
    /// What was read and is not a whole frame yet; for the loop's thread only.
    let decoder: Mutex<FrameDecoder>
    let handler: CallHandler
    /// Set when the connection is over, whoever ended it.
    package let ended = OneShot<ConnectionEnd>()

    /// Takes over a connected, non-blocking socket.
    ///
    /// - Parameters:
    ///   - socket: the connection.
    ///   - side: which end this is; a test can play the connector.
    ///   - limits: what this side accepts.
    ///   - writeStall: how long the peer may refuse to read before the connection ends, in milliseconds.
    ///   - handler: answers the peer's calls.
    /// - Throws: when the loop cannot watch the socket.
    package init(
        socket: consuming OwnedDescriptor, side: Multiplexer.Side = .host, limits: SessionLimits = SessionLimits(),
        writeStall: Int64 = 30_000, handler: CallHandler
    ) throws(SystemError) {
        self.socket = socket
        self.writeStall = writeStall
        self.handler = handler
        decoder = Mutex(FrameDecoder(maximumFrameBytes: limits.frameBytes))
        state = Locked(ConnectionState(multiplexer: Multiplexer(side: side, limits: limits)))
        // Under the lock: the loop may call `handle` before `add` has returned, and that may need the token.
        let descriptor = self.socket.raw
        try state.withLock { state throws(SystemError) in
            state.token = try EventLoop.shared.add(descriptor, TRSTCTL_EPOLL_IN, self)
        }
    }

    /// Sets what the peer announced in Hello.
    package func setPeerLimits(_ limits: SessionLimits) {
        state.withLock { $0.multiplexer.peerLimits = limits }
    }

    // MARK: - Calls out

    /// Makes a call and waits for its reply.
    ///
    /// - Parameters:
    ///   - method: what to call.
    ///   - scopeToken: for calls that open a scope.
    ///   - deadline: when to give up; also told to the connector.
    ///   - started: told the call's id just before the frame goes out, for calls that open a scope.
    ///   - answered: told that the reply has come, before any later frame of the peer is looked at.
    /// - Returns: the reply, whatever its status.
    /// - Throws: `CallFailure`.
    package func call(
        _ method: Wire.Call.Method, scopeToken: Bytes = Bytes(), deadline: Deadline,
        started: (@Sendable (UInt32) -> Void)? = nil, answered: (@Sendable () -> Void)? = nil
    ) async throws(CallFailure) -> Wire.Reply {
        var call = Wire.Call(scopeToken: scopeToken, method: method)
        if deadline != .never { call.timeoutMilliseconds = UInt32(clamping: max(1, Int(deadline.pollTimeout))) }
        let pending = PendingCall(call: call, deadline: deadline, started: started, answered: answered)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                self.begin(pending, continuation)
            }
        } onCancel: {
            self.giveUp(pending, .cancelled)
        }
        return try result.get()
    }

    func begin(_ pending: PendingCall, _ continuation: CheckedContinuation<PendingCall.Outcome, Never>) {
        let immediate = state.withLock { state -> PendingCall.Outcome? in
            if let end = state.end { return .failure(.closed(end)) }
            guard !pending.isGivenUp else { return .failure(.cancelled) }
            pending.continuation = continuation
            do throws(CallFailure) {
                if state.waitingForRoom.isEmpty, try state.start(pending) {
                    requestFlush(&state)
                } else {
                    state.waitingForRoom.append(pending)
                }
            } catch {
                pending.continuation = nil
                return .failure(error)
            }
            armTimer(&state, pending.deadline)
            return nil
        }
        if let immediate { continuation.resume(returning: immediate) }
    }

    /// Ends the wait for a call and tells the peer; for cancellation and deadlines.
    func giveUp(_ pending: PendingCall, _ failure: CallFailure) {
        let continuation = state.withLock { state -> CheckedContinuation<PendingCall.Outcome, Never>? in
            pending.isGivenUp = true
            if let id = pending.id {
                guard state.pending.removeValue(forKey: id) != nil else { return nil }
                if let cancel = state.multiplexer.abandon(id) { state.outgoing.append(cancel.encoded()) }
                requestFlush(&state)
            } else {
                state.waitingForRoom.removeAll { $0 === pending }
            }
            defer { pending.continuation = nil }
            return pending.continuation
        }
        continuation?.resume(returning: .failure(failure))
    }

    // MARK: - The end

    /// Ends the connection: every call in flight fails once, the peer's running calls are cancelled.
    package func close(_ reason: ConnectionEnd = .closedByHost) {
        typealias Waiters = ([CheckedContinuation<PendingCall.Outcome, Never>], [CallHandler.Cancel])
        let waiters = state.withLock { state -> Waiters? in
            guard state.end == nil else { return nil }
            state.end = reason
            let calls = Array(state.pending.values) + state.waitingForRoom
            let continuations = calls.compactMap(\.continuation)
            for call in calls { call.continuation = nil }
            state.pending.removeAll()
            state.waitingForRoom.removeAll()
            state.outgoing.removeAll()
            defer { state.running.removeAll() }
            return (continuations, state.running.values.compactMap(\.self))
        }
        guard let (continuations, cancels) = waiters else { return }
        EventLoop.shared.remove(socket.raw, state.withLock { $0.token })
        shutdown(socket.raw, Int32(SHUT_RDWR))
        for cancel in cancels { cancel() }
        for continuation in continuations { continuation.resume(returning: .failure(.closed(reason))) }
        ended.set(reason)
    }
}
