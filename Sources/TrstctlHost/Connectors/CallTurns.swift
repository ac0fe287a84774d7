import Synchronization

/// Lets so many calls of one connector be under way at the same time; the others wait here, in the order in which they
/// came.
///
/// A call's time runs from its sending on: one that waited in the connector for others could lose all of it there.
/// Nobody waits for ever: whoever has a turn has a deadline, and all of them end when the run is interrupted.
final class CallTurns: Sendable {
    private struct State {
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    /// - Parameter count: how many; 0 means that nobody ever waits.
    init(_ count: UInt32) {
        state = Mutex(State(free: count == 0 ? .max : Int(count)))
    }

    /// How many wait, for tests.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Waits for a turn; `give` ends it.
    func take() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.free > 0 else {
                    state.waiting.append(continuation)
                    return false
                }
                state.free -= 1
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    /// Ends a turn, and lets the next one have it.
    func give() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.waiting.isEmpty else {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
