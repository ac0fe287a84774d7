import Glibc
import TrstctlSystem

/// A read lease (fcntl(2), F_SETLEASE): while it is held nobody has the file open for writing, and who wants to waits
/// until it is given back, or for /proc/sys/fs/lease-break-time.
///
/// It is the only way to know that nobody is in the middle of writing: the kernel sets a file's time when a write(2)
/// begins, and its bytes may follow much later when the processor is busy.
struct ReadLease: ~Copyable {
    // Not in every version of the C library's module; linux/fcntl.h.
    private static let setLease: Int32 = 1_024
    private static let setSignal: Int32 = 10

    private let descriptor: Int32

    /// Takes the lease.
    ///
    /// - Parameter descriptor: open for reading only, for as long as this value lives.
    /// - Returns: nil when the kernel gives none: the file is another user's, or its file system has no leases.
    /// - Throws: EAGAIN when somebody has the file open for writing.
    static func take(_ descriptor: Int32) throws(SystemError) -> ReadLease? {
        // Who wants to write makes the kernel send a signal; this one is ignored unless somebody asked for it (signal(7)).
        guard fcntl(descriptor, setSignal, SIGURG) == 0 else { return nil }
        guard fcntl(descriptor, setLease, Int32(F_RDLCK)) == 0 else {
            guard errno == EAGAIN else { return nil }
            throw SystemError(stage: "fcntl(F_SETLEASE)", errno: EAGAIN)
        }
        return ReadLease(descriptor: descriptor)
    }

    private init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        _ = fcntl(descriptor, ReadLease.setLease, Int32(F_UNLCK))
    }
}
