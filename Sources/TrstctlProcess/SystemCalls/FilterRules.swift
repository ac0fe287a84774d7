import Glibc

/// What the filter says to one system call.
enum FilterRule {
    /// It is made.
    case allow
    /// It fails with this error.
    case deny(Int32)
    /// The process ends (SIGSYS).
    case kill
    /// It is made when every test holds, and otherwise fails with this error.
    case when([ArgumentTest], otherwise: Int32)
}

/// A question about half an argument of a system call, which is all that the filter's machine can hold.
struct ArgumentTest {
    /// Half an argument.
    enum Half: UInt32 {
        // Both processors are little-endian.
        case low = 0
        case high = 4
    }

    /// 0 to 5.
    var index: UInt32
    /// The low half alone is enough where the kernel itself takes an int.
    var half = Half.low
    /// The bits that count.
    var mask = UInt32.max
    /// What the bits are compared with.
    var values: [UInt32]
    /// Whether they have to be among the values, or must not be.
    var isAmong = true
}

extension FilterRule {
    /// The system calls that a connector may make, and those that end it.
    ///
    /// Everything else answers EPERM.
    ///
    /// Why Landlock is not enough: it governs neither chmod, chown and xattrs, nor Unix sockets by path, UDP, raw and
    /// netlink sockets, TCP fast open, memfd execution, prlimit of other processes, io_uring. `connect` is denied
    /// altogether: the connector listens and the host dials.
    ///
    /// - Parameters:
    ///   - pid: the process's own number.
    ///   - key: what only the launcher passes to execveat, as a sixth argument that the kernel does not look at.
    /// - Returns: each call with its rule, no call twice; those with conditions first.
    static func connector(pid: UInt32, key: UInt64) -> [(call: String, rule: FilterRule)] {
        conditional(pid: pid, key: key) + attacks.map { ($0, .kill) } + harmless.map { ($0, .allow) }
    }

    private static func conditional(pid: UInt32, key: UInt64) -> [(call: String, rule: FilterRule)] {
        // STREAM matters for pairs too: a datagram pair can send to any path.
        let unixStream = FilterRule.when(
            [
                ArgumentTest(index: 0, values: [UInt32(AF_UNIX)]),
                ArgumentTest(index: 1, mask: 0xf, values: [UInt32(SOCK_STREAM.rawValue)]),
            ], otherwise: EAFNOSUPPORT)
        return [
            // Only to this process, which is how abort(3) ends it. First, because the launcher puts the number in.
            ("tgkill", .when([ArgumentTest(index: 0, values: [pid])], otherwise: EPERM)),
            // The launcher's own start of the program, and none after it.
            (
                "execveat",
                .when(
                    [
                        ArgumentTest(index: 5, half: .low, values: [UInt32(truncatingIfNeeded: key)]),
                        ArgumentTest(index: 5, half: .high, values: [UInt32(truncatingIfNeeded: key >> 32)]),
                    ], otherwise: EPERM)
            ),
            ("socket", unixStream), ("socketpair", unixStream), ("connect", .deny(EACCES)),
            // Threads yes, processes and namespaces no. clone3 hides its flags behind a pointer: ENOSYS makes libc use
            // clone.
            ("clone", .when([ArgumentTest(index: 0, mask: thread | namespaces, values: [thread])], otherwise: EPERM)),
            ("clone3", .deny(ENOSYS)),
            ("prctl", .when([ArgumentTest(index: 0, values: names)], otherwise: EPERM)),
            // Ask about oneself, set nothing (root could raise its limits again).
            (
                "prlimit64",
                .when(
                    [
                        ArgumentTest(index: 0, values: [0]), ArgumentTest(index: 2, values: [0]),
                        ArgumentTest(index: 2, half: .high, values: [0]),
                    ], otherwise: EPERM)
            ),
            ("ioctl", .when([ArgumentTest(index: 1, values: terminalAndFlags)], otherwise: ENOTTY)),
            // Not the commands that make the kernel send a signal to a process of one's choice.
            ("fcntl", .when([ArgumentTest(index: 1, values: signalOwners, isAmong: false)], otherwise: EPERM)),
        ]
    }

    // Linux's own numbers, the same on both processors; Glibc's Swift module has few of them.
    private static let thread: UInt32 = 0x10000  // CLONE_THREAD
    private static let namespaces: UInt32 = 0x7e02_0000  // CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET
    private static let names: [UInt32] = [15, 16, 0x5356_4d41]  // PR_SET_NAME, PR_GET_NAME, PR_SET_VMA
    private static let terminalAndFlags: [UInt32] = [0x5401, 0x5421, 0x5451]  // TCGETS, FIONBIO, FIOCLEX
    private static let signalOwners: [UInt32] = [8, 10, 15]  // F_SETOWN, F_SETSIG, F_SETOWN_EX

    /// Only an attack makes these.
    static let attacks = [
        "ptrace", "process_vm_readv", "process_vm_writev", "bpf", "perf_event_open", "userfaultfd", "kexec_load",
        "kexec_file_load", "init_module", "finit_module", "delete_module", "mount", "umount2", "pivot_root", "unshare",
        "setns", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key", "request_key",
    ]

    /// What is allowed without conditions.
    ///
    /// The kernel keeps these in a bitmap (Linux 5.11), so the length of the list costs nothing.
    static let harmless =
        [
            "read", "write", "readv", "writev", "pread64", "close", "close_range", "lseek", "openat", "fstat",
            "newfstatat", "statx", "faccessat", "faccessat2", "readlinkat", "getcwd", "getdents64", "dup", "dup3",
            "pipe2",
            "ppoll", "pselect6", "epoll_create1", "epoll_ctl", "epoll_pwait", "eventfd2", "timerfd_create",
            "timerfd_settime", "accept", "accept4", "bind", "listen", "getsockname", "getpeername", "getsockopt",
            "setsockopt", "recvfrom", "recvmsg", "sendto", "sendmsg", "shutdown", "brk", "mmap", "mprotect", "mremap",
            "munmap", "madvise", "membarrier", "futex", "rseq", "set_robust_list", "set_tid_address", "rt_sigaction",
            "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "clock_getres", "clock_gettime",
            "clock_nanosleep", "nanosleep", "gettimeofday", "sched_getaffinity", "sched_yield", "getrandom", "sysinfo",
            "uname", "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "exit", "exit_group",
        ] + older

    /// Which arm64 never had.
    static let older = [
        "access", "arch_prctl", "dup2", "epoll_wait", "getpgrp", "getrlimit", "lstat", "open", "pipe", "poll",
        "readlink",
        "select", "stat",
    ]
}
