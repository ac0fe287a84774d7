/// A processor that connectors run on, as seccomp sees it: its name and the numbers of its system calls.
package struct Architecture: Sendable {
    /// `AUDIT_ARCH_*` of linux/audit.h, what seccomp_data holds.
    package let audit: UInt32
    /// The first number of another way to make the same calls, which are for an attack; nil where there is none.
    package let foreignCalls: UInt32?
    /// The numbers of all calls that the filter names, as far as the processor has them.
    package let calls: [String: UInt32]

    #if arch(x86_64)
        /// The processor that this is built for.
        package static let native = x86
    #elseif arch(arm64)
        /// The processor that this is built for.
        package static let native = arm
    #endif

    /// The table of x86-64, from asm/unistd_64.h.
    ///
    /// The x32 calls have other numbers, from 0x40000000 on, for the same things.
    package static let x86 = Architecture(
        audit: 0xc000_003e, foreignCalls: 0x4000_0000,
        calls: [
            "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8,
            "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14,
            "rt_sigreturn": 15, "ioctl": 16, "pread64": 17, "readv": 19, "writev": 20, "access": 21, "pipe": 22,
            "select": 23, "sched_yield": 24, "mremap": 25, "madvise": 28, "dup": 32, "dup2": 33, "nanosleep": 35,
            "getpid": 39, "socket": 41, "connect": 42, "accept": 43, "sendto": 44, "recvfrom": 45, "sendmsg": 46,
            "recvmsg": 47, "shutdown": 48, "bind": 49, "listen": 50, "getsockname": 51, "getpeername": 52,
            "socketpair": 53, "setsockopt": 54, "getsockopt": 55, "clone": 56, "exit": 60, "uname": 63, "fcntl": 72,
            "getcwd": 79, "readlink": 89, "gettimeofday": 96, "getrlimit": 97, "sysinfo": 99, "ptrace": 101,
            "getuid": 102, "getgid": 104, "geteuid": 107, "getegid": 108, "getppid": 110, "getpgrp": 111,
            "sigaltstack": 131, "pivot_root": 155, "prctl": 157, "arch_prctl": 158, "mount": 165, "umount2": 166,
            "init_module": 175, "delete_module": 176, "gettid": 186, "futex": 202, "sched_getaffinity": 204,
            "getdents64": 217, "set_tid_address": 218, "restart_syscall": 219, "clock_gettime": 228,
            "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231, "epoll_wait": 232, "epoll_ctl": 233,
            "tgkill": 234, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "openat": 257,
            "newfstatat": 262, "readlinkat": 267, "faccessat": 269, "pselect6": 270, "ppoll": 271, "unshare": 272,
            "set_robust_list": 273, "epoll_pwait": 281, "timerfd_create": 283, "timerfd_settime": 286,
            "accept4": 288, "eventfd2": 290, "epoll_create1": 291, "dup3": 292, "pipe2": 293, "perf_event_open": 298,
            "prlimit64": 302, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "finit_module": 313,
            "getrandom": 318, "kexec_file_load": 320, "bpf": 321, "execveat": 322, "userfaultfd": 323,
            "membarrier": 324, "statx": 332, "rseq": 334, "io_uring_setup": 425, "io_uring_enter": 426,
            "io_uring_register": 427, "clone3": 435, "close_range": 436, "faccessat2": 439,
        ])

    /// The table of arm64, from asm-generic/unistd.h.
    ///
    /// It never had the older forms.
    package static let arm = Architecture(
        audit: 0xc000_00b7, foreignCalls: nil,
        calls: [
            "getcwd": 17, "eventfd2": 19, "epoll_create1": 20, "epoll_ctl": 21, "epoll_pwait": 22, "dup": 23,
            "dup3": 24, "fcntl": 25, "ioctl": 29, "umount2": 39, "mount": 40, "pivot_root": 41, "faccessat": 48,
            "openat": 56, "close": 57, "pipe2": 59, "getdents64": 61, "lseek": 62, "read": 63, "write": 64,
            "readv": 65, "writev": 66, "pread64": 67, "pselect6": 72, "ppoll": 73, "readlinkat": 78,
            "newfstatat": 79, "fstat": 80, "timerfd_create": 85, "timerfd_settime": 86, "exit": 93, "exit_group": 94,
            "set_tid_address": 96, "unshare": 97, "futex": 98, "set_robust_list": 99, "nanosleep": 101,
            "kexec_load": 104, "init_module": 105, "delete_module": 106, "clock_gettime": 113, "clock_getres": 114,
            "clock_nanosleep": 115, "ptrace": 117, "sched_getaffinity": 123, "sched_yield": 124,
            "restart_syscall": 128, "tgkill": 131, "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135,
            "rt_sigreturn": 139, "uname": 160, "getrlimit": 163, "prctl": 167, "gettimeofday": 169, "getpid": 172,
            "getppid": 173, "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177, "gettid": 178,
            "sysinfo": 179, "socket": 198, "socketpair": 199, "bind": 200, "listen": 201, "accept": 202,
            "connect": 203, "getsockname": 204, "getpeername": 205, "sendto": 206, "recvfrom": 207,
            "setsockopt": 208, "getsockopt": 209, "shutdown": 210, "sendmsg": 211, "recvmsg": 212, "brk": 214,
            "munmap": 215, "mremap": 216, "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220,
            "mmap": 222, "mprotect": 226, "madvise": 233, "perf_event_open": 241, "accept4": 242, "prlimit64": 261,
            "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "finit_module": 273, "getrandom": 278,
            "bpf": 280, "execveat": 281, "userfaultfd": 282, "membarrier": 283, "statx": 291, "rseq": 293,
            "kexec_file_load": 294, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
            "clone3": 435, "close_range": 436, "faccessat2": 439,
        ])
}
