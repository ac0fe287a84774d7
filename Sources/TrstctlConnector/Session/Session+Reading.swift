internal import TrstctlSystem
internal import TrstctlWire

/// Taking frames in, and sending frames out.
extension Session {
    /// Reads one frame and acts on it.
    ///
    /// The state lock is held before and after, and released in between.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    func readOne(_ worker: Worker, until deadline: Deadline) -> Bool {
        state.unlock()
        let received = connection.receive(until: deadline)
        switch received {
        case .nothing:
            state.lock()
            return false
        case .end(let end):
            finish(end)
            state.lock()
            return false
        case .frame(let frame, let bytes):
            state.lock()
            let answers = act(on: frame, bytes, worker)
            let last = finalReply()
            guard last != nil || !answers.isEmpty else { return true }
            state.unlock()
            for answer in answers { send(answer) }
            if let last { sendLast(last) }
            state.lock()
            return true
        }
    }

    /// Acts on a frame under the state lock.
    ///
    /// - Returns: frames to send at once.
    func act(on frame: Wire.Frame, _ bytes: Int, _ worker: Worker) -> [Wire.Frame] {
        do {
            switch try multiplexer.receive(frame, bytes: bytes) {
            case .call(let id, let call): return accept(id, call, worker)
            case .refuse(let id, let status): return [multiplexer.refusal(of: id, with: status)]
            case .reply(let id, let reply):
                if unawaited.remove(id) == nil { replies[id] = reply }
                wake { if case .reply(id) = $0.want { true } else { false } }
                wake { if case .room = $0.want { true } else { false } }
            case .late: wake { if case .room = $0.want { true } else { false } }
            case .cancel(let id):
                guard let call = running[id] else { break }
                call.isCancelled = true
                wake { if case .cancellation(let waiting) = $0.want { waiting === call } else { false } }
            case .nothing: break
            }
        } catch {
            state.unlock()
            finish(.violation(error))
            state.lock()
        }
        return []
    }

    /// Answers what needs no connector, and queues the rest.
    func accept(_ id: UInt32, _ call: Wire.Call, _ worker: Worker) -> [Wire.Frame] {
        if let immediate = immediateReply(id, call) {
            return multiplexer.reply(to: id, with: immediate).map { [$0] } ?? []
        }
        if case .shutdown = call.method {
            shutdownCall = id
            for call in running.values { call.isCancelled = true }
            let cancelled = Wire.Reply(status: Wire.Status(code: .cancelled, message: "the connector shuts down"))
            let answers = queue.compactMap { multiplexer.reply(to: $0.id, with: cancelled) }
            for queued in queue { running[queued.id] = nil }
            queue = []
            wake { if case .cancellation = $0.want { true } else { false } }
            return answers
        }
        guard shutdownCall == nil else { return refuse(id, "the connector shuts down") }
        guard !multiplexer.isSaturated || running.isEmpty else {
            return refuse(id, "too many bytes of calls in flight")
        }
        let deadline: Deadline =
            call.timeoutMilliseconds == 0 ? .never : .after(milliseconds: Int64(call.timeoutMilliseconds))
        let entry = RunningCall(id: id, scopeToken: call.scopeToken, deadline: deadline)
        running[id] = entry
        queue.append(QueuedCall(id: id, call: call, running: entry))
        // A reader that waits for calls takes it itself.
        if !worker.want.isCall { summonWorker() }
        return []
    }

    func refuse(_ id: UInt32, _ message: String) -> [Wire.Frame] {
        let status = Wire.Status(code: .resourceExhausted, message: message, retryable: true)
        return multiplexer.reply(to: id, with: Wire.Reply(status: status)).map { [$0] } ?? []
    }

    func summonWorker() {
        if waiters.contains(where: { $0.want.isCall && !$0.isWoken }) {
            wake { $0.want.isCall }
        } else if threads < concurrency {
            threads += 1
            if startThread({ [self] in work(Worker()) }) != 0 { threads -= 1 }
        }
    }

    // MARK: - Sending

    func send(_ frame: Wire.Frame) {
        state.lock()
        let limit = multiplexer.peerLimits.frameBytes
        state.unlock()
        let encoded = Session.encode(frame, within: limit)
        writing.lock()
        let isSent = connection.send(encoded)
        writing.unlock()
        if !isSent { finish(.hostGone) }
    }

    /// A reply that is longer than the host accepts becomes one that says so.
    static func encode(_ frame: Wire.Frame, within limit: Int) -> Bytes {
        let encoded = frame.encoded()
        guard encoded.count - 4 > limit else { return encoded }
        let status = Wire.Status(
            code: .resourceExhausted, message: "the reply has \(encoded.count - 4) bytes, the host accepts \(limit)")
        return Wire.Frame(id: frame.id, kind: .reply(Wire.Reply(status: status))).encoded()
    }

    /// The reply to Shutdown, once everything else is answered; the state lock is held.
    func finalReply() -> Wire.Frame? {
        guard let id = shutdownCall, running.isEmpty else { return nil }
        let reply = Wire.Reply(status: Wire.Status(), result: .shutdown(Wire.ShutdownResponse()))
        return multiplexer.reply(to: id, with: reply)
    }

    func sendLast(_ frame: Wire.Frame) {
        send(frame)
        finish(.shutdown)
    }

    /// Ends the session, once.
    func finish(_ reason: SessionEnd) {
        state.lock()
        let isFirst = end == nil
        if isFirst { end = reason }
        for waiter in waiters { waiter.condition.signal() }
        state.unlock()
        if isFirst { onEnd(reason) }
    }
}
