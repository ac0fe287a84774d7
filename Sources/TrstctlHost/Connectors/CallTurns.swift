import Synchronization
import TrstctlLaunch
import TrstctlSystem
import TrstctlWire

extension RunningConnector {
    /// Waits for a turn; only then a call's time begins.
    ///
    /// - Throws: `timeout` when there is none, because the connector answers nothing any more.
    func takeTurn() async throws(SessionError) -> CallTurn {
        if let turn = await turns.take() { return turn }
        throw SessionError(
            .timeout, connector: session.name,
            message: "answers no more: \(CallTurns.patience) of its calls in a row had no answer in time, so this one "
                + "was not made")
    }

    /// Makes one of the host's calls for a target.
    ///
    /// - Parameters:
    ///   - method: what to call.
    ///   - turn: the caller's, who ends it.
    ///   - scopeToken: for calls that open a scope.
    ///   - timeout: milliseconds.
    ///   - started: see `Session.call`.
    ///   - answered: see `Session.call`.
    /// - Returns: the reply, whatever its status.
    /// - Throws: what `Session.call` throws.
    func call(
        _ method: Wire.Call.Method, _ turn: CallTurn, scopeToken: Bytes = Bytes(), timeout: Int64,
        started: (@Sendable (UInt32) -> Void)? = nil, answered: (@Sendable () -> Void)? = nil
    ) async throws(SessionError) -> Wire.Reply {
        do throws(SessionError) {
            return try await session.call(
                method, scopeToken: scopeToken, deadline: .after(milliseconds: timeout), started: started,
                answered: answered)
        } catch {
            if error.code == .timeout { turn.hadNoAnswer() }
            throw error
        }
    }
}

/// Lets so many calls of one connector be under way at the same time; the others wait here, in the order in which they
/// came.
///
/// A call's time runs from its sending on: one that waited in the connector for others could lose all of it there.
/// A turn lasts until the call's scope is over, so that nothing of a call which had no answer happens beside the next one.
/// Nobody waits for ever: whoever has a turn has a deadline, and a connector that answers nothing any more gets no more
/// calls.
final class CallTurns: Sendable {
    private struct State {
        var free: Int
        var waiting: [CheckedContinuation<Bool, Never>] = []
        /// How many calls in a row had no answer in time.
        var unanswered = 0
    }

    /// After how many calls in a row without an answer in time there are no more.
    static let patience = 3

    private let state: Mutex<State>

    /// - Parameter count: how many; 0 means that nobody ever waits.
    init(_ count: UInt32) {
        state = Mutex(State(free: count == 0 ? .max : Int(count)))
    }

    /// How many wait, and how many turns are free, for tests.
    var waitingCount: Int { state.withLock { $0.waiting.count } }
    var freeCount: Int { state.withLock { $0.free } }

    /// Waits for a turn.
    ///
    /// - Returns: nil when there is none, because the connector answers nothing any more.
    func take() async -> CallTurn? { await wait() ? CallTurn(self) : nil }

    private func wait() async -> Bool {
        await withCheckedContinuation { continuation in
            let now = state.withLock { state -> Bool? in
                guard state.unanswered < CallTurns.patience else { return false }
                guard state.free > 0 else {
                    state.waiting.append(continuation)
                    return nil
                }
                state.free -= 1
                return true
            }
            if let now { continuation.resume(returning: now) }
        }
    }

    /// Ends a turn, and lets the next one have it.
    ///
    /// - Parameter isAnswered: whether there was an answer, or at least the end of the connector, in time.
    fileprivate func give(isAnswered: Bool) {
        let (next, isOver) = state.withLock { state -> ([CheckedContinuation<Bool, Never>], Bool) in
            state.unanswered = isAnswered ? 0 : state.unanswered + 1
            let isOver = state.unanswered >= CallTurns.patience
            let next = Array(isOver ? state.waiting[...] : state.waiting.prefix(1))
            state.waiting.removeFirst(next.count)
            if isOver || next.isEmpty { state.free += 1 }
            return (next, isOver)
        }
        for waiter in next { waiter.resume(returning: !isOver) }
    }
}

/// A turn that somebody has.
final class CallTurn: Sendable {
    private struct State {
        var isAnswered = true
        var isOver = false
    }

    private let turns: CallTurns
    private let state = Mutex(State())

    fileprivate init(_ turns: CallTurns) {
        self.turns = turns
    }

    /// Notes that there was no answer in time, nor the connector's end.
    func hadNoAnswer() { state.withLock { $0.isAnswered = false } }

    /// Lets the next one have it; once, however often this is called.
    func end() {
        let isAnswered = state.withLock { state -> Bool? in
            guard !state.isOver else { return nil }
            state.isOver = true
            return state.isAnswered
        }
        if let isAnswered { turns.give(isAnswered: isAnswered) }
    }
}
