import Synchronization

/// Lets so many through at the same time; the others wait in order, without a thread.
final class CallGate: Sendable {
    private struct State {
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    /// - Parameter count: how many may be inside at the same time.
    init(_ count: Int) {
        state = Mutex(State(free: count))
    }

    /// Runs the work as soon as there is a place.
    ///
    /// It does not give up waiting when the task is cancelled: those inside end then, and make room.
    func run<Result: Sendable>(_ work: () async -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.free == 0 else {
                    state.free -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
        defer { leave() }
        return await work()
    }

    private func leave() {
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
