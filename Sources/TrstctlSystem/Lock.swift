internal import Glibc

/// A mutex that conditions can be waited for under; `Synchronization.Mutex` has none.
package final class Lock: @unchecked Sendable {
    fileprivate let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

    package init() {
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Waits until nobody else holds it.
    package func lock() { pthread_mutex_lock(mutex) }
    /// Lets the next one have it.
    package func unlock() { pthread_mutex_unlock(mutex) }
}

/// Something a thread can wait for while it holds a ``Lock``.
package final class Condition: @unchecked Sendable {
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    package init() {
        condition.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
    }

    /// Wakes one who waits.
    package func signal() { pthread_cond_signal(condition) }

    /// Wakes all who wait.
    package func broadcast() { pthread_cond_broadcast(condition) }

    /// Gives up the lock until there is a signal, the deadline passes, or for no reason at all.
    package func wait(_ lock: Lock, until deadline: Deadline = .never) {
        guard deadline != .never else {
            pthread_cond_wait(condition, lock.mutex)
            return
        }
        var time = timespec(
            tv_sec: Int(deadline.nanoseconds / 1_000_000_000), tv_nsec: Int(deadline.nanoseconds % 1_000_000_000))
        pthread_cond_timedwait(condition, lock.mutex, &time)
    }
}
