import CTrstctlSandbox
import Glibc
import TrstctlSystem

/// The one thread that starts processes, which lives as long as the host: the parent-death signal of a child is tied to
/// the *thread* that cloned it (PR_SET_PDEATHSIG(2const)), and threads of a pool come and go.
final class SpawnThread: @unchecked Sendable {
    static let shared = SpawnThread()

    // Allocated once and never moved, as POSIX requires of its mutexes and conditions.
    private let turn = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// Guarded by `lock`: what the thread is to do for the one caller that has the turn.
    private var pending: (() -> Void)?
    private var isRunning = false

    private init() {
        pthread_mutex_init(turn, nil)
        pthread_mutex_init(lock, nil)
        pthread_cond_init(changed, nil)
    }

    /// Runs work on the thread and waits for its end.
    ///
    /// - Throws: the error of pthread_create(3).
    func run(_ work: () -> Void) throws(SystemError) {
        pthread_mutex_lock(turn)
        pthread_mutex_lock(lock)
        defer {
            pthread_mutex_unlock(lock)
            pthread_mutex_unlock(turn)
        }
        if !isRunning { try start() }
        isRunning = true
        withoutActuallyEscaping(work) { work in
            pending = work
            pthread_cond_broadcast(changed)
            while pending != nil { pthread_cond_wait(changed, lock) }
        }
    }

    private func serve() {
        pthread_mutex_lock(lock)
        while true {
            while pending == nil { pthread_cond_wait(changed, lock) }
            pending?()
            pending = nil
            pthread_cond_broadcast(changed)
        }
    }

    private func start() throws(SystemError) {
        // The host's signals are for its other threads.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let error = pthread_create(
            &thread, nil,
            { _ in
                SpawnThread.shared.serve()
                return nil
            }, nil)
        guard error == 0 else { throw SystemError(stage: "pthread_create", errno: error) }
        pthread_detach(thread)
    }
}
