internal import Glibc
package import TrstctlSystem
internal import TrstctlWire

/// A connector's end of one session: reads calls, runs them, makes brokered calls, replies.
///
/// Whoever waits, for a call to run or for the reply to a brokered call, reads frames if nobody else is reading, and
/// hands over what is for others (leader and followers). So a call that meets no other call stays on one thread: one
/// read and one write each for the call and for every brokered call in it. Further threads are started only when a
/// call arrives while another one runs, up to the connector's `concurrency`.
package final class Session: @unchecked Sendable {
    /// What a thread waits for.
    enum Want {
        /// Nothing: the thread runs a call.
        case nothing
        /// A call to run.
        case call
        /// The reply to a brokered call.
        case reply(UInt32)
        /// Space in the host's window for a call of this many bytes.
        case room(Int)
        /// The cancellation of a call.
        case cancellation(RunningCall)

        var isCall: Bool {
            if case .call = self { true } else { false }
        }
    }

    /// What waiting brought.
    enum Got {
        case call(QueuedCall)
        case reply(Wire.Reply)
        case room
        case cancellation
        case deadline
        case end
    }

    /// A thread that runs calls.
    final class Worker: @unchecked Sendable {
        let condition = Condition()
        /// Guarded by the session's state lock.
        var want = Want.call
        var isWoken = false
    }

    struct QueuedCall {
        var id: UInt32
        var call: Wire.Call
        var running: RunningCall
    }

    /// A call of the host that has no reply yet.
    final class RunningCall: @unchecked Sendable {
        let id: UInt32
        let scopeToken: Bytes
        let deadline: Deadline
        /// Guarded by the session's state lock.
        var isCancelled = false

        init(id: UInt32, scopeToken: Bytes, deadline: Deadline) {
            self.id = id
            self.scopeToken = scopeToken
            self.deadline = deadline
        }
    }

    let connector: any Connector
    let connection: Connection
    private let onEnd: @Sendable (SessionEnd) -> Void
    /// Guards everything below. Never held while calling the connector, reading or writing.
    let state = Lock()
    /// Held while a frame is written, and, for calls, from taking the id on: ids increase on the wire. Taken before
    /// `state`, never after it.
    let writing = Lock()
    var multiplexer = Multiplexer(side: .connector)
    var targets: [String: Target] = [:]
    private var queue: [QueuedCall] = []
    private var replies: [UInt32: Wire.Reply] = [:]
    /// Brokered calls whose reply nobody waits for: Log and Progress.
    private var unawaited: Set<UInt32> = []
    private var running: [UInt32: RunningCall] = [:]
    private var waiters: [Worker] = []
    private var isReading = false
    private var threads = 1
    private var shutdownCall: UInt32?
    var hasCommonVersion = false
    package private(set) var end: SessionEnd?

    /// - Parameters:
    ///   - connector: what runs the calls.
    ///   - socket: the connected socket, in blocking mode.
    ///   - onEnd: called once, on the thread that sees the end; `serve` ends the process there.
    package init(
        _ connector: any Connector, socket: consuming OwnedDescriptor,
        onEnd: @escaping @Sendable (SessionEnd) -> Void = { _ in }
    ) {
        self.connector = connector
        self.connection = Connection(socket: socket, limits: SessionLimits())
        self.onEnd = onEnd
    }

    private var concurrency: Int { max(1, min(64, type(of: connector).concurrency)) }

    /// Serves on the calling thread until the session ends.
    package func run() -> SessionEnd {
        work(Worker())
        state.lock()
        defer { state.unlock() }
        return end ?? .hostGone
    }

    private func work(_ worker: Worker) {
        while true {
            state.lock()
            let got = wait(worker, for: .call)
            state.unlock()
            guard case .call(let queued) = got else { return }
            let reply = perform(queued, worker)
            state.lock()
            let frame = multiplexer.reply(to: queued.id, with: reply)
            state.unlock()
            if let frame { send(frame) }
            // Only now: the reply to Shutdown, which ends the process, must come after this one.
            state.lock()
            running[queued.id] = nil
            let last = finalReply()
            state.unlock()
            if let last { sendLast(last) }
        }
    }

    // MARK: - Waiting

    /// Waits until there is what the worker wants, reading frames when nobody else does.
    ///
    /// The state lock is held when it is called and when it returns, and released in between.
    func wait(_ worker: Worker, for want: Want, until deadline: Deadline = .never) -> Got {
        worker.want = want
        while true {
            if let got = take(want) {
                promote()
                return got
            }
            if end != nil { return .end }
            if deadline.hasPassed {
                promote()
                return .deadline
            }
            if isReading {
                waiters.append(worker)
                worker.isWoken = false
                worker.condition.wait(state, until: deadline)
                waiters.removeAll { $0 === worker }
            } else {
                isReading = true
                readOne(worker, until: deadline)
                isReading = false
            }
        }
    }

    /// Takes in everything that has arrived, without waiting; the state lock is held.
    func lookAround(_ worker: Worker) {
        guard !isReading, end == nil else { return }
        worker.want = .nothing
        isReading = true
        while readOne(worker, until: Deadline(nanoseconds: 0)), end == nil {}
        isReading = false
        promote()
    }

    private func take(_ want: Want) -> Got? {
        switch want {
        case .nothing: nil
        case .call: queue.isEmpty ? nil : .call(queue.removeFirst())
        case .reply(let id): replies.removeValue(forKey: id).map { .reply($0) }
        case .room(let bytes): multiplexer.hasRoom(forBytes: bytes) ? .room : nil
        case .cancellation(let call): call.isCancelled ? .cancellation : nil
        }
    }

    /// Lets another thread read after this one: one that waits for the host in a running call. A thread that waits for
    /// calls is left alone, because this one will read again when its call waits or ends; handing the reading back
    /// and forth would cost more than it gives.
    private func promote() {
        guard !isReading else { return }
        wake { !$0.want.isCall }
    }

    private func wake(_ isWanted: (Worker) -> Bool) {
        guard let worker = waiters.first(where: { !$0.isWoken && isWanted($0) }) else { return }
        worker.isWoken = true
        worker.condition.signal()
    }

    // MARK: - Reading

    /// Reads one frame and acts on it. The state lock is held before and after, and released in between.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    private func readOne(_ worker: Worker, until deadline: Deadline) -> Bool {
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
    private func act(on frame: Wire.Frame, _ bytes: Int, _ worker: Worker) -> [Wire.Frame] {
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
    private func accept(_ id: UInt32, _ call: Wire.Call, _ worker: Worker) -> [Wire.Frame] {
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

    private func refuse(_ id: UInt32, _ message: String) -> [Wire.Frame] {
        let status = Wire.Status(code: .resourceExhausted, message: message, retryable: true)
        return multiplexer.reply(to: id, with: Wire.Reply(status: status)).map { [$0] } ?? []
    }

    private func summonWorker() {
        if waiters.contains(where: { $0.want.isCall && !$0.isWoken }) {
            wake { $0.want.isCall }
        } else if threads < concurrency {
            threads += 1
            if !startThread({ [self] in work(Worker()) }) { threads -= 1 }
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
    private static func encode(_ frame: Wire.Frame, within limit: Int) -> Bytes {
        let encoded = frame.encoded()
        guard encoded.count - 4 > limit else { return encoded }
        let status = Wire.Status(
            code: .resourceExhausted, message: "the reply has \(encoded.count - 4) bytes, the host accepts \(limit)")
        return Wire.Frame(id: frame.id, kind: .reply(Wire.Reply(status: status))).encoded()
    }

    /// The reply to Shutdown, once everything else is answered; the state lock is held.
    private func finalReply() -> Wire.Frame? {
        guard let id = shutdownCall, running.isEmpty else { return nil }
        let reply = Wire.Reply(status: Wire.Status(), result: .shutdown(Wire.ShutdownResponse()))
        return multiplexer.reply(to: id, with: reply)
    }

    private func sendLast(_ frame: Wire.Frame) {
        send(frame)
        finish(.shutdown)
    }

    /// Ends the session, once.
    private func finish(_ reason: SessionEnd) {
        state.lock()
        let isFirst = end == nil
        if isFirst { end = reason }
        for waiter in waiters { waiter.condition.signal() }
        state.unlock()
        if isFirst { onEnd(reason) }
    }

    // MARK: - Brokered calls

    /// Makes a brokered call in the scope of a running call, and waits for its result.
    ///
    /// - Parameters:
    ///   - method: the call.
    ///   - running: the host's call that it belongs to.
    ///   - worker: the calling thread.
    ///   - bytes: about how long the frame will be, for the host's window.
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

    /// Makes a brokered call whose reply nobody needs.
    func tell(_ method: Wire.Call.Method, in running: RunningCall, _ worker: Worker) {
        _ = try? start(method, in: running, worker, bytes: 256, isAwaited: false)
    }

    private func start(
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
