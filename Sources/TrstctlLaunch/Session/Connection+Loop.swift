import CTrstctlSystem
import Glibc
import Synchronization
import TrstctlSystem
import TrstctlWire

/// What happens on the loop's thread: reading, writing, deadlines.
extension Connection {
    package func handle(_ events: UInt32) {
        if events & TRSTCTL_EPOLL_OUT != 0 { flush() }
        if events & (TRSTCTL_EPOLL_IN | TRSTCTL_EPOLL_HUP | TRSTCTL_EPOLL_ERR) != 0 { receive() }
    }

    /// Reads what is there, up to four buffers full, and does what its frames say.
    ///
    /// Reading and decoding hold no lock that a worker with a reply would wait for.
    private func receive() {
        var actions: [Action] = []
        var end: ConnectionEnd?
        for round in 1...4 {
            let input = readFrames()
            let mustReadOn = state.withLock { state in
                guard state.end == nil else { return false }
                end = apply(input.frames, &state, &actions) ?? input.end
                if input.isFull, end == nil, round < 4, !state.multiplexer.isSaturated { return true }
                // Replies make room.
                startWaiting(&state, &actions)
                if !state.outgoing.isEmpty { requestFlush(&state) }
                updateInterest(&state)
                return false
            }
            guard mustReadOn else { break }
        }
        for action in actions { perform(action) }
        if let end { close(end) }
    }

    private func startWaiting(_ state: inout ConnectionState, _ actions: inout [Action]) {
        while let next = state.waitingForRoom.first {
            do throws(CallFailure) {
                guard try state.start(next) else { return }
            } catch {
                if let continuation = next.continuation { actions.append(.resume(next, continuation, .failure(error))) }
                next.continuation = nil
            }
            state.waitingForRoom.removeFirst()
        }
    }

    private enum Action {
        case resume(PendingCall, CheckedContinuation<PendingCall.Outcome, Never>, PendingCall.Outcome)
        case run(UInt32, Wire.Call)
        case cancel(UInt32)
    }

    /// What one look at the socket came to.
    private struct Input {
        var frames: [(frame: Wire.Frame, bytes: Int)] = []
        /// Whether more may be there.
        var isFull = false
        /// Why nothing more comes.
        var end: ConnectionEnd?
    }

    private func readFrames() -> Input {
        decoder.withLock { decoder in
            var input = Input()
            let descriptor = socket.raw
            let count = decoder.withFreeSpace { space in
                let count = read(descriptor, space.baseAddress, space.count)
                input.isFull = count == space.count
                return count
            }
            if count < 0 {
                let error = errno
                guard error != EAGAIN, error != EINTR else { return input }
                input.end =
                    error == ECONNRESET ? .closedByConnector : .failed("\(SystemError(stage: "read", errno: error))")
                return input
            }
            do throws(WireError) {
                if count == 0 {
                    try decoder.finish()
                    input.end = .closedByConnector
                }
                while count > 0, let next = try decoder.next() { input.frames.append(next) }
            } catch {
                input.end = .violation(error)
            }
            return input
        }
    }

    private func apply(
        _ frames: [(frame: Wire.Frame, bytes: Int)], _ state: inout ConnectionState, _ actions: inout [Action]
    ) -> ConnectionEnd? {
        do throws(WireError) {
            for (frame, bytes) in frames {
                apply(try state.multiplexer.receive(frame, bytes: bytes), &state, &actions)
            }
            return nil
        } catch {
            return .violation(error)
        }
    }

    private func apply(_ event: Multiplexer.Event, _ state: inout ConnectionState, _ actions: inout [Action]) {
        switch event {
        case .call(let id, let call):
            state.running.updateValue(nil, forKey: id)
            actions.append(.run(id, call))
        case .refuse(let id, let status):
            state.outgoing.append(state.multiplexer.refusal(of: id, with: status).encoded())
        case .reply(let id, let reply):
            guard let pending = state.pending.removeValue(forKey: id), let continuation = pending.continuation
            else { return }
            pending.continuation = nil
            actions.append(.resume(pending, continuation, .success(reply)))
        case .cancel(let id):
            actions.append(.cancel(id))
        case .late, .nothing:
            break
        }
    }

    private func perform(_ action: Action) {
        switch action {
        case .resume(let call, let continuation, let outcome):
            call.answered?()
            continuation.resume(returning: outcome)
        case .cancel(let id):
            // Looked up now: the call may have come just before, and begun since.
            if let cancel = state.withLock({ $0.running[id] ?? nil }) { cancel() }
        case .run(let id, let call):
            let cancel = handler.begin(IncomingCall(id: id, call: call)) { self.reply(to: id, with: $0) }
            let isOver = state.withLock { state in
                // An answer that was quicker has taken the id away; its next use can only come on this thread.
                if state.running[id] != nil { state.running[id] = cancel }
                return state.end != nil
            }
            if isOver { cancel() }
        }
    }

    /// Sends a reply: with the others of this round on the loop's thread, at once on another.
    private func reply(to id: UInt32, with reply: Wire.Reply) {
        let isOnLoop = EventLoop.shared.isCurrent
        // Without the lock, for which others may wait.
        let encoded = Wire.Frame(id: id, kind: .reply(reply)).encoded()
        let mustWrite = state.withLock { state in
            state.running.removeValue(forKey: id)
            guard state.end == nil, state.multiplexer.endCall(id) else { return false }
            state.outgoing.append(state.acceptable(encoded, for: id))
            updateInterest(&state)
            guard !isOnLoop, !state.flushRequested, state.stallDeadline == .never else {
                requestFlush(&state)
                return false
            }
            return !state.isWriting
        }
        if mustWrite { write { $0.takeOutgoing() } }
    }

    func requestFlush(_ state: inout ConnectionState) {
        guard !state.flushRequested, state.stallDeadline == .never else { return }
        state.flushRequested = true
        EventLoop.shared.flushSoon(self)
    }

    package func flush() {
        write { state in
            state.flushRequested = false
            return state.takeOutgoing()
        }
    }

    /// Writes as much as the peer takes; one thread at a time, which also takes what others append meanwhile.
    ///
    /// The lock is not held while it writes: a worker with a reply has to wait for nobody.
    private func write(_ first: (inout ConnectionState) -> OutgoingQueue?) {
        var next = state.withLock { first(&$0) }
        while var batch = next {
            let before = batch.byteCount
            let error = batch.write(to: socket.raw)
            let hasWritten = batch.byteCount < before
            let end: ConnectionEnd?
            (end, next) = state.withLock { state in
                state.giveBack(batch)
                guard state.end == nil else { return (nil, nil) }
                let end = note(error, hasWritten: hasWritten, &state)
                return (end, end == nil && error == 0 ? state.takeOutgoing() : nil)
            }
            if let end { close(end) }
        }
    }

    /// Notes how writing ended.
    ///
    /// - Returns: why the connection is over; nil when it goes on.
    private func note(_ error: Int32, hasWritten: Bool, _ state: inout ConnectionState) -> ConnectionEnd? {
        switch error {
        case 0:
            state.stallDeadline = .never
        case EAGAIN:
            if state.stallDeadline == .never || hasWritten {
                state.stallDeadline = .after(milliseconds: writeStall)
                armTimer(&state, state.stallDeadline)
            }
        case EPIPE, ECONNRESET:
            // What the connector said last may still wait to be read, and reading finds the end: unless it closed
            // only the direction towards itself.
            state.outgoing.removeAll()
            state.stallDeadline = .never
            if state.lastWordsDeadline == .never {
                state.lastWordsDeadline = .after(milliseconds: Connection.lastWordsMilliseconds)
                armTimer(&state, state.lastWordsDeadline)
            }
        default:
            return .failed("\(SystemError(stage: "sendmsg", errno: error))")
        }
        updateInterest(&state)
        return nil
    }

    /// Reading pauses while too much is being worked on, or too many replies wait to be read by the peer.
    private func updateInterest(_ state: inout ConnectionState) {
        guard state.end == nil else { return }
        var wanted: UInt32 = 0
        if !state.multiplexer.isSaturated && state.unwrittenWeight < ConnectionState.highWaterMark {
            wanted |= TRSTCTL_EPOLL_IN
        }
        if state.stallDeadline != .never { wanted |= TRSTCTL_EPOLL_OUT }
        guard wanted != state.watched else { return }
        state.watched = wanted
        EventLoop.shared.modify(socket.raw, wanted, state.token)
    }

    func armTimer(_ state: inout ConnectionState, _ deadline: Deadline) {
        guard deadline < state.armedTimer else { return }
        state.armedTimer = deadline
        EventLoop.shared.setTimer(state.token, deadline)
    }

    package func timerFired() {
        let (expired, isStalled, isDeaf) = state.withLock { state -> ([PendingCall], Bool, Bool) in
            state.armedTimer = .never
            let now = Deadline.now
            var expired = state.waitingForRoom.filter { $0.deadline <= now }
            for (id, cancel) in state.multiplexer.expire(at: now) {
                state.outgoing.append(cancel.encoded())
                if let pending = state.pending[id] { expired.append(pending) }
            }
            let waiting = state.waitingForRoom.map(\.deadline).min() ?? .never
            let ends = min(state.stallDeadline, state.lastWordsDeadline)
            armTimer(&state, min(state.multiplexer.nextDeadline, ends, waiting))
            return (expired, state.stallDeadline.hasPassed, state.lastWordsDeadline.hasPassed)
        }
        for pending in expired { giveUp(pending, .deadlineExceeded) }
        if isStalled { close(.writeStalled) }
        if isDeaf { close(.closedByConnector) }
    }
}
