/// A value behind a ``Lock``, for what many threads want at the same time.
///
/// `Mutex` of the standard library spins before it sleeps, and then sleeps on a futex with priority inheritance
/// (futex(2), `FUTEX_LOCK_PI`), which costs a system call on both sides: with more threads than processors that is most of
/// what such a lock takes.
package final class Locked<Value: ~Copyable>: @unchecked Sendable {
    private let lock = Lock()
    // Not a stored property: see `WorkerPool`.
    private let value = UnsafeMutablePointer<Value>.allocate(capacity: 1)

    /// - Parameter initial: what it holds at first.
    package init(_ initial: consuming sending Value) {
        value.initialize(to: initial)
    }

    deinit {
        value.deinitialize(count: 1)
        value.deallocate()
    }

    /// Calls the body while nobody else has the value.
    package func withLock<Result, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value.pointee)
    }
}
