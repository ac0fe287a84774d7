import Synchronization
package import TrstctlSystem

/// A value that is set once and can be waited for, with a deadline.
///
/// The deadline lives in the loop's timer, not in a race between tasks; waiting ends early when the task is cancelled.
package final class OneShot<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var waiters: [Int: CheckedContinuation<Value?, Never>] = [:]
        var cancelled: Set<Int> = []
        var next = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// The value, when it is set.
    package var value: Value? { state.withLock { $0.value } }

    /// Sets the value and wakes all who wait; only the first value counts.
    package func set(_ value: Value) {
        let waiters = state.withLock { state -> [CheckedContinuation<Value?, Never>] in
            guard state.value == nil else { return [] }
            state.value = value
            defer { state.waiters.removeAll() }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    /// Waits for the value.
    ///
    /// - Parameter deadline: when to give up.
    /// - Returns: the value, or nil when the deadline passed or the task was cancelled.
    package func wait(until deadline: Deadline) async -> Value? {
        let key = state.withLock { state -> Int in
            state.next += 1
            return state.next
        }
        let timer = deadline == .never ? nil : LoopTimer(at: deadline) { self.giveUp(key) }
        defer { timer?.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let result = state.withLock { state -> Value?? in
                    if let value = state.value { return .some(value) }
                    if state.cancelled.remove(key) != nil { return .some(nil) }
                    state.waiters[key] = continuation
                    return nil
                }
                if let result { continuation.resume(returning: result) }
            }
        } onCancel: {
            giveUp(key)
        }
    }

    private func giveUp(_ key: Int) {
        let waiter = state.withLock { state -> CheckedContinuation<Value?, Never>? in
            if let waiter = state.waiters.removeValue(forKey: key) { return waiter }
            if state.value == nil { state.cancelled.insert(key) }
            return nil
        }
        waiter?.resume(returning: nil)
    }
}

/// A callback at a point in time, on the loop's thread.
final class LoopTimer: EventSource {
    private let token: UInt64
    private let action: @Sendable () -> Void

    init(at deadline: Deadline, _ action: @Sendable @escaping () -> Void) {
        self.action = action
        token = EventLoop.shared.reserveToken()
        EventLoop.shared.addTimer(self, token, deadline)
    }

    func cancel() { EventLoop.shared.removeTimer(token) }
    func handle(_ events: UInt32) {}
    func timerFired() {
        cancel()
        action()
    }
}
