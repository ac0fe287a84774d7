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

    private final class Shared: @unchecked Sendable {
        let lock = Lock()
        let mayWork = Condition()
        // Not a stored property: the optimiser of Swift 6.3 merges the accesses of two statements into one that it
        // does not end on every path, and the next access is then fatal (spec/DECISIONS.md, 52).
        let state = UnsafeMutablePointer<State>.allocate(capacity: 1)

        init() {
            state.initialize(to: State())
        }

        deinit {
            state.deinitialize(count: 1)
            state.deallocate()
        }
    }

    private let shared = Shared()
    private let maximumThreads: Int

    /// A pool that starts threads when there is work, up to a bound.
    package init(maximumThreads: Int) {
        self.maximumThreads = maximumThreads
    }

    /// How much work waits for a thread, for tests.
    var waitingCount: Int {
        shared.lock.lock()
        defer { shared.lock.unlock() }
        return shared.state.pointee.queue.count - shared.state.pointee.first
    }

    /// Runs blocking work on one of the threads and suspends until it is done.
    package func run<Result: Sendable>(_ work: @Sendable @escaping () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            submit { continuation.resume(returning: work()) }
        }
    }

    /// Queues blocking work that nobody waits for.
    func submit(_ work: @Sendable @escaping () -> Void) {
        let shared = shared
        shared.lock.lock()
        shared.state.pointee.queue.append(work)
        let waiting = shared.state.pointee.queue.count - shared.state.pointee.first
        let mustStart = shared.state.pointee.idle < waiting && shared.state.pointee.threads < maximumThreads
        if mustStart { shared.state.pointee.threads += 1 }
        let mustWake = shared.state.pointee.idle > 0
        shared.lock.unlock()
        // After the unlocking: else the one that wakes would only wait for the mutex.
        if mustWake { shared.mayWork.signal() }
        if mustStart, !Worker.startThread({ WorkerPool.work(shared) }) { goOnWithoutThread() }
    }

    /// Leaves the work to the threads that there are; without any it is done here, because nobody else would.
    private func goOnWithoutThread() {
        let shared = shared
        shared.lock.lock()
        shared.state.pointee.threads -= 1
        var works: [@Sendable () -> Void] = []
        if shared.state.pointee.threads == 0 {
            works = Array(shared.state.pointee.queue[shared.state.pointee.first...])
            shared.state.pointee.queue.removeAll()
            shared.state.pointee.first = 0
        }
        shared.lock.unlock()
        for work in works { work() }
    }

    private static func work(_ shared: Shared) {
        shared.lock.lock()
        while true {
            if shared.state.pointee.first < shared.state.pointee.queue.count {
                let work = shared.state.pointee.queue[shared.state.pointee.first]
                shared.state.pointee.first += 1
                if shared.state.pointee.first == shared.state.pointee.queue.count {
                    shared.state.pointee.queue.removeAll(keepingCapacity: true)
                    shared.state.pointee.first = 0
                }
                shared.lock.unlock()
                work()
                shared.lock.lock()
            } else {
                shared.state.pointee.idle += 1
                shared.mayWork.wait(shared.lock)
                shared.state.pointee.idle -= 1
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
