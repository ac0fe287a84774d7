internal import TrstctlSystem
internal import TrstctlWire

/// Brokered calls: what the connector asks of the host.
extension Session {
    /// Makes a brokered call in the scope of a running call, and waits for its result.
    ///
    /// - Parameters:
    ///   - method: the call.
    ///   - running: the host's call that it belongs to.
    ///   - worker: the calling thread.
    ///   - bytes: about how long the frame will be, for the host's window.
    /// - Returns: the result of the method that was called.
    /// - Throws: what the host answered, or `unavailable` when the session has ended.
    func request(
        _ method: Wire.Call.Method, in running: RunningCall, _ worker: Worker, bytes: Int = 256
    ) throws(ConnectorError) -> Wire.Reply.Result? {
        let id = try start(method, in: running, worker, bytes: bytes, isAwaited: true)
        state.lock()
        let got = wait(worker, for: .reply(id))
        state.unlock()
        guard case .reply(let reply) = got, let status = reply.status else { throw Session.ended }
        guard status.code == .ok else { throw ConnectorError(status) }
        return reply.result
    }

    /// Whether the host shows lines of this level.
    func shows(_ level: Wire.LogRequest.Level) -> Bool {
        state.lock()
        defer { state.unlock() }
        return level.isShown(from: logLevel)
    }

    /// Makes a brokered call whose reply nobody needs.
    func tell(_ method: Wire.Call.Method, in running: RunningCall, _ worker: Worker) {
        _ = try? start(method, in: running, worker, bytes: 256, isAwaited: false)
    }

    func start(
        _ method: Wire.Call.Method, in running: RunningCall, _ worker: Worker, bytes: Int, isAwaited: Bool
    ) throws(ConnectorError) -> UInt32 {
        let call = Wire.Call(scopeToken: running.scopeToken, scopeCall: running.id, method: method)
        writing.lock()
        state.lock()
        while end == nil, !multiplexer.hasRoom(forBytes: bytes) {
            writing.unlock()
            _ = wait(worker, for: .room(bytes))
            state.unlock()
            writing.lock()
            state.lock()
        }
        let frame = end == nil ? multiplexer.start(call, bytes: bytes) : nil
        let limit = multiplexer.peerLimits.frameBytes
        if let frame, !isAwaited { unawaited.insert(frame.id) }
        state.unlock()
        defer { writing.unlock() }
        guard let frame else { throw Session.ended }
        let encoded = frame.encoded()
        guard encoded.count - 4 <= limit else {
            state.lock()
            multiplexer.withdraw(frame.id)
            unawaited.remove(frame.id)
            state.unlock()
            throw ConnectorError(
                .resourceExhausted, "a request of \(encoded.count - 4) bytes, where the host accepts \(limit)")
        }
        guard connection.send(encoded) else {
            finish(.hostGone)
            throw Session.ended
        }
        return frame.id
    }

    static let ended = ConnectorError(.unavailable, "the session with the host has ended")
}
