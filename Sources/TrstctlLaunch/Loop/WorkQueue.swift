import TrstctlSystem

/// Blocking work of one origin, at most so much of it at the same time; the rest waits in order, without a thread.
///
/// A thread that is done goes on with what waits, so that no other has to be woken.
package final class WorkQueue: Sendable {
    private struct State {
        var free: Int
        var waiting: [@Sendable () -> Void] = []
    }

    private let pool: WorkerPool
    private let state: Locked<State>

    /// - Parameters:
    ///   - pool: whose threads do it.
    ///   - count: how much is done at the same time.
    package init(_ pool: WorkerPool, atOnce count: Int) {
        self.pool = pool
        state = Locked(State(free: count))
    }

    /// Queues work; nobody waits for it.
    package func submit(_ work: @Sendable @escaping () -> Void) {
        let isFree = state.withLock { state in
            guard state.free > 0 else {
                state.waiting.append(work)
                return false
            }
            state.free -= 1
            return true
        }
        if isFree { pool.submit { self.perform(work) } }
    }

    private func perform(_ first: @Sendable () -> Void) {
        first()
        while let next = next() { next() }
    }

    /// What waits longest; nil when nothing does, and then there is room.
    private func next() -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
    }
}
