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
    let onEnd: @Sendable (SessionEnd) -> Void
    /// Guards everything below.
    ///
    /// Never held while calling the connector, reading or writing.
    let state = Lock()
    /// Held while a frame is written, and, for calls, from taking the id on: ids increase on the wire.
    ///
    /// Taken before `state`, never after it.
    let writing = Lock()
    var multiplexer = Multiplexer(side: .connector)
    var targets: [String: Target] = [:]
    var queue: [QueuedCall] = []
    var replies: [UInt32: Wire.Reply] = [:]
    /// Brokered calls whose reply nobody waits for: Log and Progress.
    var unawaited: Set<UInt32> = []
    var running: [UInt32: RunningCall] = [:]
    var waiters: [Worker] = []
    var isReading = false
    var threads = 1
    var shutdownCall: UInt32?
    var hasCommonVersion = false
    /// The least level of Log that the host shows.
    var logLevel = Wire.LogRequest.Level.debug
    package internal(set) var end: SessionEnd?

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

    var concurrency: Int { max(1, min(64, type(of: connector).concurrency)) }

    /// Serves on the calling thread until the session ends.
    package func run() -> SessionEnd {
        work(Worker())
        state.lock()
        defer { state.unlock() }
        return end ?? .hostGone
    }

    func work(_ worker: Worker) {
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

    func take(_ want: Want) -> Got? {
        switch want {
        case .nothing: nil
        case .call: queue.isEmpty ? nil : .call(queue.removeFirst())
        case .reply(let id): replies.removeValue(forKey: id).map { .reply($0) }
        case .room(let bytes): multiplexer.hasRoom(forBytes: bytes) ? .room : nil
        case .cancellation(let call): call.isCancelled ? .cancellation : nil
        }
    }

    /// Lets another thread read after this one: one that waits for the host in a running call.
    ///
    /// A thread that waits for calls is left alone, because this one will read again when its call waits or ends;
    /// handing the reading back and forth would cost more than it gives.
    func promote() {
        guard !isReading else { return }
        wake { !$0.want.isCall }
    }

    func wake(_ isWanted: (Worker) -> Bool) {
        guard let worker = waiters.first(where: { !$0.isWoken && isWanted($0) }) else { return }
        worker.isWoken = true
        worker.condition.signal()
    }
}
