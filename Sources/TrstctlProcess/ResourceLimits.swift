import CTrstctlSandbox
import Glibc

extension ResourceLimit {
    /// No core dump: it would hold keys.
    package static let noCoreDump = ResourceLimit(resource: Int32(RLIMIT_CORE.rawValue), value: 0)

    /// At most this many open descriptors.
    package static func openFiles(_ count: UInt64) -> ResourceLimit {
        ResourceLimit(resource: Int32(RLIMIT_NOFILE.rawValue), value: count)
    }

    /// As many open descriptors as this process could have when it began, before it raised its own limit: programs with
    /// select(2) overrun their sets with numbers above 1023 (https://0pointer.net/blog/file-descriptor-limits.html).
    package static var openFilesAsInherited: ResourceLimit {
        ResourceLimit(resource: Int32(RLIMIT_NOFILE.rawValue), value: OpenFiles.inherited, isSoft: true)
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

/// This process's own limit of open descriptors.
package enum OpenFiles {
    /// The soft limit that this process was started with.
    static let inherited: UInt64 = {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1_024 }
        return UInt64(limit.rlim_cur)
    }()

    /// Raises the soft limit, and remembers what it was for the programs that this process starts.
    ///
    /// - Parameter wanted: descriptors; the hard limit bounds it.
    package static func raise(to wanted: UInt64) {
        _ = inherited
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = min(limit.rlim_max, rlim_t(wanted))
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
