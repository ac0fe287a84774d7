import Foundation
import Glibc
import Testing
import TrstctlProcess
import TrstctlSystem

/// The kernel's machine for classic BPF, as far as the filter uses it (kernel/seccomp.c, seccomp_check_filter), so that
/// the filter of each processor is tested on any.
struct FilterMachine {
    struct Broken: Error {}

    let filter: SystemCallFilter
    let architecture: Architecture

    init(_ architecture: Architecture, pid: UInt32 = 4242, key: UInt64 = 0x1234_5678_9abc_def0) {
        self.architecture = architecture
        filter = SystemCallFilter(architecture, pid: pid, key: key)
    }

    /// What the filter answers to a call by number.
    func answer(number: UInt32, _ arguments: [UInt64] = [], audit: UInt32? = nil) throws -> UInt32 {
        var data: [UInt32] = [number, audit ?? architecture.audit, 0, 0]
        for index in 0..<6 {
            let argument = index < arguments.count ? arguments[index] : 0xdead_beef_dead_beef
            data += [UInt32(truncatingIfNeeded: argument), UInt32(argument >> 32)]
        }
        var accumulator: UInt32 = 0
        var next = 0
        while filter.instructions.indices.contains(next) {
            let instruction = filter.instructions[next]
            next += 1
            let operand = instruction.operand
            switch instruction.code {
            case 0x20:
                guard operand % 4 == 0, data.indices.contains(Int(operand) / 4) else { throw Broken() }
                accumulator = data[Int(operand) / 4]
            case 0x54: accumulator &= operand
            case 0x15: next += Int(accumulator == operand ? instruction.jumpTrue : instruction.jumpFalse)
            case 0x35: next += Int(accumulator >= operand ? instruction.jumpTrue : instruction.jumpFalse)
            case 0x06: return operand
            default: throw Broken()
            }
        }
        throw Broken()
    }

    /// What the filter answers to a call that it names.
    func answer(_ call: String, _ arguments: [UInt64] = []) throws -> UInt32 {
        try answer(number: try #require(architecture.calls[call], "\(call)"), arguments)
    }
}

@Suite("The filter of system calls")
struct SystemCallFilterTests {
    static let machines = [FilterMachine(.x86), FilterMachine(.arm)]
    private static let allow = SystemCallFilter.allow
    private static let kill = SystemCallFilter.killProcess

    private static func error(_ number: Int32) -> UInt32 { SystemCallFilter.error(number) }

    @Test("what a connector needs is allowed, what only an attack makes ends it", arguments: [0, 1])
    func lists(index: Int) throws {
        let machine = Self.machines[index]
        let needed = [
            "read", "write", "close", "openat", "mmap", "munmap", "futex", "bind", "listen", "accept4", "epoll_pwait",
            "getrandom", "clock_gettime", "rt_sigreturn", "exit_group", "getdents64", "readlinkat",
        ]
        for call in needed { #expect(try machine.answer(call) == Self.allow, "\(call)") }
        let attacks = [
            "ptrace", "process_vm_readv", "process_vm_writev", "bpf", "perf_event_open", "userfaultfd", "kexec_load",
            "kexec_file_load", "init_module", "finit_module", "delete_module", "mount", "umount2", "pivot_root",
            "unshare", "setns", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key",
            "request_key",
        ]
        for call in attacks { #expect(try machine.answer(call) == Self.kill, "\(call)") }
        #expect(try machine.answer(number: 0, audit: Self.machines[1 - index].architecture.audit) == Self.kill)
        #expect(try machine.answer(number: 0, audit: 0x4000_0003) == Self.kill)  // AUDIT_ARCH_I386
        #expect(try machine.answer(number: 9_999) == Self.error(EPERM))
        // x32, which arm64 does not have.
        #expect(try machine.answer(number: 0x4000_0027) == (index == 0 ? Self.kill : Self.error(EPERM)))
    }

    /// Calls that the filter does not name, with their numbers for x86-64 and arm64.
    static let unnamed: [(name: String, numbers: [UInt32])] = [
        ("execve", [59, 221]), ("memfd_create", [319, 279]), ("kill", [62, 129]), ("tkill", [200, 130]),
        ("fchmodat", [268, 53]), ("fchownat", [260, 54]), ("utimensat", [280, 88]),
        ("setxattr", [188, 5]), ("unlinkat", [263, 35]), ("mkdirat", [258, 34]), ("symlinkat", [266, 36]),
        ("linkat", [265, 37]), ("renameat2", [316, 276]), ("mknodat", [259, 33]), ("truncate", [76, 45]),
        ("setuid", [105, 146]), ("setresuid", [117, 147]), ("capset", [126, 91]), ("chroot", [161, 51]),
        ("chdir", [80, 49]), ("personality", [135, 92]), ("setpriority", [141, 140]),
        ("sched_setaffinity", [203, 122]),
        ("pidfd_open", [434, 434]), ("pidfd_getfd", [438, 438]), ("pidfd_send_signal", [424, 424]),
        ("rt_sigqueueinfo", [129, 138]), ("seccomp", [317, 277]), ("landlock_restrict_self", [446, 446]),
        ("open_tree", [428, 428]), ("fsopen", [430, 430]), ("move_mount", [429, 429]), ("openat2", [437, 437]),
        ("open_by_handle_at", [304, 265]), ("shmget", [29, 194]), ("msgget", [68, 186]), ("semget", [64, 190]),
        ("mq_open", [240, 180]), ("inotify_init1", [294, 26]), ("fanotify_init", [300, 262]),
        ("setrlimit", [160, 164]),
        ("quotactl", [179, 60]), ("swapon", [167, 224]), ("reboot", [169, 142]), ("acct", [163, 89]),
        ("sendmmsg", [307, 269]), ("splice", [275, 76]), ("process_madvise", [440, 440]), ("kcmp", [312, 272]),
    ]

    @Test("every other call is refused", arguments: [0, 1])
    func others(index: Int) throws {
        let machine = Self.machines[index]
        for (name, numbers) in Self.unnamed {
            #expect(try machine.answer(number: numbers[index]) == Self.error(EPERM), "\(name)")
        }
        #expect(try machine.answer(number: 452) == Self.error(EPERM))  // fchmodat2, younger than many headers
        let fork: [UInt32] = index == 0 ? [57, 58] : []  // fork, vfork
        for number in fork { #expect(try machine.answer(number: number) == Self.error(EPERM)) }
    }

    @Test("calls with conditions are made only when these hold", arguments: [0, 1])
    func conditions(index: Int) throws {
        let machine = Self.machines[index]
        let stream = UInt64(SOCK_STREAM.rawValue)
        let datagram = UInt64(SOCK_DGRAM.rawValue)
        let closeOnExec: UInt64 = 0o2000000
        for call in ["socket", "socketpair"] {
            #expect(try machine.answer(call, [UInt64(AF_UNIX), stream, 0]) == Self.allow)
            #expect(try machine.answer(call, [UInt64(AF_UNIX), stream | closeOnExec, 0]) == Self.allow)
            for family in [AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, 40, 38] {  // 40 vsock, 38 alg
                #expect(try machine.answer(call, [UInt64(family), stream, 0]) == Self.error(EAFNOSUPPORT))
            }
            for type in [datagram, 3, 5, datagram | closeOnExec] {
                #expect(try machine.answer(call, [UInt64(AF_UNIX), type, 0]) == Self.error(EAFNOSUPPORT))
            }
        }
        #expect(try machine.answer("connect") == Self.error(EACCES))
        #expect(try machine.answer("clone3") == Self.error(ENOSYS))
        let thread: UInt64 = 0x3d0f00  // what pthread_create passes
        #expect(try machine.answer("clone", [thread]) == Self.allow)
        #expect(try machine.answer("clone", [UInt64(SIGCHLD)]) == Self.error(EPERM))
        for namespace: UInt64 in [0x20000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
            #expect(try machine.answer("clone", [thread | namespace]) == Self.error(EPERM))
        }
        #expect(try machine.answer("prctl", [15]) == Self.allow)  // PR_SET_NAME
        for option: UInt64 in [1, 4, 22, 24, 35, 38, 47, 65] {  // PDEATHSIG, DUMPABLE, SECCOMP, CAPBSET, MM, …
            #expect(try machine.answer("prctl", [option]) == Self.error(EPERM))
        }
        #expect(try machine.answer("prlimit64", [0, 7, 0]) == Self.allow)
        for arguments: [UInt64] in [[1, 7, 0], [0, 7, 4096], [0, 7, 0x7fff_0000_0000]] {
            #expect(try machine.answer("prlimit64", arguments) == Self.error(EPERM))
        }
        #expect(try machine.answer("ioctl", [0, 0x5401]) == Self.allow)  // TCGETS
        #expect(try machine.answer("ioctl", [0, 0x5412]) == Self.error(ENOTTY))  // TIOCSTI
        #expect(try machine.answer("fcntl", [0, 3]) == Self.allow)  // F_GETFL
        for command: UInt64 in [8, 10, 15] { #expect(try machine.answer("fcntl", [0, command]) == Self.error(EPERM)) }
        #expect(try machine.answer("tgkill", [4242, 4243, 6]) == Self.allow)
        #expect(try machine.answer("tgkill", [4241, 4241, 9]) == Self.error(EPERM))
        let program = machine.filter.instructions[machine.filter.pidIndex]
        #expect(program.operand == 4242)
    }

    @Test("a program is executed only by who knows the key, both halves of it", arguments: [0, 1])
    func execution(index: Int) throws {
        let machine = Self.machines[index]
        let emptyPath: UInt64 = 0x1000
        #expect(try machine.answer("execveat", [4, 1, 2, 3, emptyPath, 0x1234_5678_9abc_def0]) == Self.allow)
        for key: UInt64 in [0, 0x9abc_def0, 0x1234_5678_0000_0000, 0x1234_5678_9abc_def1, 0x0234_5678_9abc_def0] {
            #expect(try machine.answer("execveat", [4, 1, 2, 3, emptyPath, key]) == Self.error(EPERM))
        }
    }

    @Test("every call gets an answer, whatever its arguments, and every jump lands inside", arguments: [0, 1])
    func totality(index: Int) throws {
        let machine = Self.machines[index]
        let count = machine.filter.instructions.count
        #expect(count < 4_096)  // BPF_MAXINSNS
        for (position, instruction) in machine.filter.instructions.enumerated() where instruction.code & 7 == 5 {
            #expect(position + 1 + Int(max(instruction.jumpTrue, instruction.jumpFalse)) < count)
        }
        let allowed = Set(machine.architecture.calls.values)
        for number in 0..<UInt32(600) {
            let answer = try machine.answer(number: number, [0, 0, 0, 0, 0, 0])
            if answer == Self.allow { #expect(allowed.contains(number), "\(number)") }
        }
    }

    @Test("the numbers are those of the kernel's headers")
    func numbers() throws {
        // What asm/unistd.h of arm64 asks of asm-generic/unistd.h, which is installed everywhere.
        let arm = """
            #define __ARCH_WANT_NEW_STAT
            #define __ARCH_WANT_SET_GET_RLIMIT
            #define __ARCH_WANT_SYS_CLONE3
            #include <asm-generic/unistd.h>
            """
        let named = [Architecture.x86, .arm].enumerated().map { index, architecture in
            let others = Self.unnamed.map { ($0.name, $0.numbers[index]) }
            return architecture.calls.merging(others) { $1 }
        }
        #expect(try Self.numbers(of: named[1].keys, arm) == named[1])
        // The machine's own header has its own processor's numbers.
        let native = Architecture.native.audit == Architecture.x86.audit ? named[0] : named[1]
        #expect(try Self.numbers(of: native.keys, "#include <asm/unistd.h>") == native)
        // Only the older forms are x86-64's own.
        let older = Set(Architecture.x86.calls.keys).subtracting(Architecture.arm.calls.keys)
        #expect(
            older == [
                "access", "arch_prctl", "dup2", "epoll_wait", "getpgrp", "lstat", "open", "pipe", "poll", "readlink",
                "select", "stat",
            ])
        #expect(Set(Architecture.arm.calls.keys).isSubset(of: Architecture.x86.calls.keys))
    }

    /// Asks the C preprocessor.
    private static func numbers(of calls: some Sequence<String>, _ header: String) throws -> [String: UInt32] {
        let scratch = try TemporaryDirectory()
        let lines = calls.map { "\ncall \($0) __NR_\($0)" }.joined()
        try scratch.write(Array((header + lines + "\n").utf8), to: "calls.h")
        let result = try run("/usr/bin/cc", ["-E", "-P", "-x", "c", scratch.file("calls.h")]) { request in
            request.environment = ["PATH=/usr/bin:/bin"]
        }
        try #require(result.status == .exited(0), "\(result.output)")
        let words = result.lines.map { $0.split(separator: " ") }.filter { $0.first == "call" && $0.count == 3 }
        return Dictionary(words.map { (String($0[1]), UInt32($0[2]) ?? .max) }, uniquingKeysWith: { $1 })
    }
}
