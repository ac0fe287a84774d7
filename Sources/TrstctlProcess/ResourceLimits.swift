import CTrstctlSandbox
import Glibc

extension ResourceLimit {
    /// No core dump: it would hold keys.
    package static let noCoreDump = ResourceLimit(resource: Int32(RLIMIT_CORE.rawValue), value: 0)

    /// At most this many open descriptors.
    package static func openFiles(_ count: UInt64) -> ResourceLimit {
        ResourceLimit(resource: Int32(RLIMIT_NOFILE.rawValue), value: count)
    }

    /// No file of the process grows beyond this many bytes.
    package static func fileSize(_ bytes: UInt64) -> ResourceLimit {
        ResourceLimit(resource: Int32(RLIMIT_FSIZE.rawValue), value: bytes)
    }

    /// At most this many bytes of locked memory (RLIMIT_MEMLOCK, which the Glibc module does not export).
    package static func lockedMemory(_ bytes: UInt64) -> ResourceLimit {
        ResourceLimit(resource: 8, value: bytes)
    }

    /// At most this many processes and threads of the uid; in a user namespace of those in it (Linux 5.14).
    package static func processes(_ count: UInt64) -> ResourceLimit {
        ResourceLimit(resource: 6, value: count)
    }

    /// The main thread's stack in bytes.
    package static func stack(_ bytes: UInt64) -> ResourceLimit {
        ResourceLimit(resource: Int32(RLIMIT_STACK.rawValue), value: bytes)
    }
}

enum Kernel {
    static var canDenyWriteExecute: Bool { trstctl_can_deny_write_exec() != 0 }
}
