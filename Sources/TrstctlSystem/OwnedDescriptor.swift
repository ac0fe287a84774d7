import Glibc

/// A file descriptor with one owner, closed when the owner goes away.
///
/// Every descriptor in this package is opened with `O_CLOEXEC`, so that nothing is inherited by accident.
package struct OwnedDescriptor: ~Copyable, Sendable {
    private let number: Int32

    /// Takes over a descriptor that nobody else will close.
    package init(_ number: Int32) {
        self.number = number
    }

    deinit {
        _ = close(number)
    }

    /// The raw number, valid only while this value lives.
    package var raw: Int32 { number }

    /// Gives the descriptor away; the caller closes it.
    package consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// Another descriptor for the same open file.
    package borrowing func duplicate() throws(SystemError) -> OwnedDescriptor {
        OwnedDescriptor(try retryingInterrupts("fcntl(F_DUPFD_CLOEXEC)") { fcntl(number, F_DUPFD_CLOEXEC, 3) })
    }
}
