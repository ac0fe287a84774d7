import CTrstctlSystem
import Synchronization
import TrstctlBroker
import TrstctlLaunch
import TrstctlSystem
import TrstctlWire

/// The scopes that are open on one session, and the way from a brokered call to its scope.
///
/// A scope is found by its token, 16 random bytes, and by the id of the host's call that opened it: both must be right.
final class ScopeRegistry: Sendable {
    private struct Entry {
        var call: UInt32?
        var scope: BrokerScope
    }

    /// Threads for the host's own short work, verifying, loading and closing scopes: no connector can keep them busy.
    static let workers = WorkerPool(maximumThreads: 32)

    /// Threads for what brokered calls do, for the whole process; each connector has `callsAtOnce` of them at most.
    private static let brokered = WorkerPool(maximumThreads: 256)

    /// Threads for the host's own proofs, which may wait for minutes.
    static let proofs = WorkerPool(maximumThreads: 64)

    /// How many brokered calls of one connector are worked on at the same time; the others of its window wait.
    private static let callsAtOnce = 16

    /// The calls of scopes that wait or are worked on, until they are on record.
    private struct Unfinished {
        var calls: [Interruption: (scope: BrokerScope, method: Wire.Call.Method)] = [:]
        /// Set when there is none any more.
        var settled: OneShot<Void>?
    }

    private let unfinished = Mutex(Unfinished())
    private let queue = WorkQueue(ScopeRegistry.brokered, atOnce: ScopeRegistry.callsAtOnce)
    /// How many bytes of Log and Progress are passed on in one session; what comes later is dropped.
    private static let logBudget = 1 << 20
    private let logged = Mutex(0)
    /// How many calls that belong to no scope are told to `stray` in one session.
    private static let strayLimit = 100
    private let strays = Mutex(0)
    private let entries = Mutex<[Bytes: Entry]>([:])
    private let logLevel: Wire.LogRequest.Level
    private let log: @Sendable (Wire.LogRequest) -> Void
    private let progress: @Sendable (Wire.ProgressRequest) -> Void
    private let stray: @Sendable (EffectRecord?) -> Void

    /// Passes on what connectors log, and tells of their calls outside of any scope.
    ///
    /// - Parameters:
    ///   - logLevel: the least level that is passed on; Progress counts as INFO.
    ///   - log: gets Log, within a budget.
    ///   - progress: gets Progress, within the same budget.
    ///   - stray: gets what became of a call that belongs to no scope; nil once, when there are too many.
    init(
        logLevel: Wire.LogRequest.Level = .debug,
        log: @Sendable @escaping (Wire.LogRequest) -> Void,
        progress: @Sendable @escaping (Wire.ProgressRequest) -> Void,
        stray: @Sendable @escaping (EffectRecord?) -> Void = { _ in }
    ) {
        self.logLevel = logLevel
        self.log = log
        self.progress = progress
        self.stray = stray
    }

    /// Whether a line is to be passed on, and may still be; each one costs at least 64 bytes, so that empty ones end too.
    private func spend(_ bytes: Int, _ level: Wire.LogRequest.Level) -> Bool {
        guard level.isShown(from: logLevel) else { return false }
        let (before, after) = logged.withLock { logged in
            let before = logged
            if logged <= ScopeRegistry.logBudget { logged += max(64, min(bytes, 4_096)) }
            return (before, logged)
        }
        if before <= ScopeRegistry.logBudget, after > ScopeRegistry.logBudget {
            log(Wire.LogRequest(level: .warning, message: "it logs too much; what follows is dropped"))
        }
        return before <= ScopeRegistry.logBudget
    }

    /// Opens a scope and makes its token.
    func open(_ scope: BrokerScope) throws(SystemError) -> Bytes {
        var token = [UInt8](repeating: 0, count: 16)
        guard trstctl_random(&token, 16) == 0 else { throw SystemError.last("getrandom") }
        let bytes = Bytes(token)
        entries.withLock { $0[bytes] = Entry(call: nil, scope: scope) }
        return bytes
    }

    /// Notes the call that the scope belongs to, just before it is sent.
    func bind(_ token: Bytes, to call: UInt32) {
        entries.withLock { $0[token]?.call = call }
    }

    /// Ends the scope for the connector; the host still closes the `BrokerScope` itself.
    func close(_ token: Bytes) {
        entries.withLock { _ = $0.removeValue(forKey: token) }
    }

    private func note(
        _ method: Wire.Call.Method?, _ outcome: EffectRecord.Outcome, _ code: some RawRepresentable<String>
    ) {
        let count = strays.withLock { strays in
            strays += strays <= ScopeRegistry.strayLimit ? 1 : 0
            return strays
        }
        guard count <= ScopeRegistry.strayLimit else { return }
        var record = EffectRecord(method)
        record.outcome = outcome
        record.code = code.rawValue
        stray(record)
        if count == ScopeRegistry.strayLimit { stray(nil) }
    }

    /// Answers a brokered call: at once, or when a worker has performed it.
    ///
    /// - Parameters:
    ///   - incoming: the call.
    ///   - answer: takes the reply, once, on this thread or a worker's.
    /// - Returns: how to end it early; nothing happens when it is over.
    func begin(_ incoming: IncomingCall, _ answer: @escaping CallHandler.Answer) -> CallHandler.Cancel {
        guard let method = incoming.call.method else {
            note(nil, .failed, EffectError.Code.unimplemented)
            answer(.failure(.unimplemented, "this host does not know method \(incoming.call.unknownField)"))
            return {}
        }
        switch method {
        case .log(let request):
            if spend(request.message.utf8.count, request.level) { log(request) }
            answer(Wire.Reply(status: Wire.Status(), result: .log(Wire.LogResponse())))
            return {}
        case .progress(let request):
            if spend(request.message.utf8.count, .info) { progress(request) }
            answer(Wire.Reply(status: Wire.Status(), result: .progress(Wire.ProgressResponse())))
            return {}
        default:
            break
        }
        let call = incoming.call.scopeCall
        let token = incoming.call.scopeToken
        let scope = entries.withLock { entries -> BrokerScope? in
            guard let entry = entries[token], entry.call == call else { return nil }
            return entry.scope
        }
        guard let scope else {
            note(method, .denied, ReasonCode.Host.noScope)
            answer(
                .failure(
                    .permissionDenied,
                    "the call belongs to no scope that is open: brokered calls are answered only "
                        + "inside the host's call they belong to"))
            return {}
        }
        let timeout = incoming.call.timeoutMilliseconds
        let deadline = timeout == 0 ? Deadline.never : .after(milliseconds: Int64(timeout))
        let interruption = Interruption()
        // Now, not when a thread takes it up: the connector's own answer may come before that.
        scope.accept(method, interruption)
        unfinished.withLock { $0.calls[interruption] = (scope, method) }
        queue.submit {
            // One that was cancelled while it waited is only recorded.
            let reply = scope.perform(method, until: deadline, interruption: interruption)
            self.finish(interruption)
            let isCancelled = interruption.isRaised && reply.status?.code != .ok
            answer(isCancelled ? .failure(.cancelled, "the call was cancelled") : reply)
        }
        return { interruption.raise() }
    }

    private func finish(_ call: Interruption) {
        let settled = unfinished.withLock { unfinished -> OneShot<Void>? in
            unfinished.calls[call] = nil
            return unfinished.calls.isEmpty ? unfinished.settled : nil
        }
        settled?.set(())
    }

    /// Waits until all calls are on record, and records those as given up that take longer: a file system that does not
    /// answer must not keep the run from its end.
    ///
    /// To be called when the session is over: that ends all that can be ended.
    ///
    /// - Parameter deadline: when to wait no longer; also when the task is cancelled, they get that long.
    func settle(until deadline: Deadline) async {
        let settled = OneShot<Void>()
        let hasUnfinished = unfinished.withLock { unfinished in
            unfinished.settled = settled
            return !unfinished.calls.isEmpty
        }
        guard hasUnfinished else { return }
        let wait = Task(executorPreference: EventLoop.shared) { await settled.wait(until: deadline) }
        guard await wait.value == nil else { return }
        let left = unfinished.withLock { unfinished in
            defer { unfinished.calls = [:] }
            return Array(unfinished.calls.values)
        }
        for call in left { call.scope.giveUp(call.method) }
    }
}

extension Wire.Reply {
    /// A reply with a failed status.
    static func failure(_ code: Wire.Status.Code, _ message: String) -> Wire.Reply {
        Wire.Reply(status: Wire.Status(code: code, message: message))
    }
}
