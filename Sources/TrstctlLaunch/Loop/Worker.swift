import CTrstctlSystem
import Glibc
import Synchronization
import TrstctlSystem

/// Plain threads for what blocks: file system calls, waiting for a command, starting a process.
///
/// They never exit, which matters for starting processes: the kernel's parent-death signal fires when the *thread*
/// that started the child ends (prctl(2), `PR_SET_PDEATHSIG`).
package final class WorkerPool: Sendable {
    private struct State {
        var queue: [@Sendable () -> Void] = []
        var first = 0
        var idle = 0
        var threads = 0
    }

    private final class Condition: @unchecked Sendable {
        // Allocated once and never moved, as POSIX requires of its mutexes and conditions.
        let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        let signal = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        // Not a stored property: the optimiser of Swift 6.3 merges the accesses of two statements into one that it
        // does not end on every path, and the next access is then fatal (spec/DECISIONS.md, 52).
        let state = UnsafeMutablePointer<State>.allocate(capacity: 1)

        init() {
            state.initialize(to: State())
            pthread_mutex_init(mutex, nil)
            pthread_cond_init(signal, nil)
        }

        deinit {
            pthread_cond_destroy(signal)
            pthread_mutex_destroy(mutex)
            state.deinitialize(count: 1)
            state.deallocate()
            signal.deallocate()
            mutex.deallocate()
        }
    }

    private let condition = Condition()
    private let maximumThreads: Int

    /// A pool that starts threads when there is work, up to a bound.
    package init(maximumThreads: Int) {
        self.maximumThreads = maximumThreads
    }

    /// Runs blocking work on one of the threads and suspends until it is done.
    package func run<Result: Sendable>(_ work: @Sendable @escaping () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            submit { continuation.resume(returning: work()) }
        }
    }

    /// Queues blocking work that nobody waits for.
    func submit(_ work: @Sendable @escaping () -> Void) {
        let condition = condition
        pthread_mutex_lock(condition.mutex)
        condition.state.pointee.queue.append(work)
        let waiting = condition.state.pointee.queue.count - condition.state.pointee.first
        let mustStart = condition.state.pointee.idle < waiting && condition.state.pointee.threads < maximumThreads
        if mustStart { condition.state.pointee.threads += 1 }
        let mustWake = condition.state.pointee.idle > 0
        pthread_mutex_unlock(condition.mutex)
        // After the unlocking: else the one that wakes would only wait for the mutex.
        if mustWake { pthread_cond_signal(condition.signal) }
        if mustStart, !Worker.startThread({ WorkerPool.work(condition) }) { goOnWithoutThread() }
    }

    /// Leaves the work to the threads that there are; without any it is done here, because nobody else would.
    private func goOnWithoutThread() {
        let condition = condition
        pthread_mutex_lock(condition.mutex)
        condition.state.pointee.threads -= 1
        var works: [@Sendable () -> Void] = []
        if condition.state.pointee.threads == 0 {
            works = Array(condition.state.pointee.queue[condition.state.pointee.first...])
            condition.state.pointee.queue.removeAll()
            condition.state.pointee.first = 0
        }
        pthread_mutex_unlock(condition.mutex)
        for work in works { work() }
    }

    private static func work(_ condition: Condition) {
        pthread_mutex_lock(condition.mutex)
        while true {
            if condition.state.pointee.first < condition.state.pointee.queue.count {
                let work = condition.state.pointee.queue[condition.state.pointee.first]
                condition.state.pointee.first += 1
                if condition.state.pointee.first == condition.state.pointee.queue.count {
                    condition.state.pointee.queue.removeAll(keepingCapacity: true)
                    condition.state.pointee.first = 0
                }
                pthread_mutex_unlock(condition.mutex)
                work()
                pthread_mutex_lock(condition.mutex)
            } else {
                condition.state.pointee.idle += 1
                pthread_cond_wait(condition.signal, condition.mutex)
                condition.state.pointee.idle -= 1
            }
        }
    }
}

/// A bare thread.
enum Worker {
    private static let stackBytes = 1 << 20

    /// Starts one that nobody joins.
    ///
    /// - Returns: false when the system has none to give.
    static func startThread(_ body: @Sendable @escaping () -> Void) -> Bool {
        TrstctlSystem.startThread(stackBytes: stackBytes, body) == 0
    }
}
