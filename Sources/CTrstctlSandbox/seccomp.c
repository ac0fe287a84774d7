// The system calls a connector may make. Everything else answers EPERM; what only an attack uses ends the process.
//
// Why Landlock is not enough: it governs neither chmod, chown and xattrs, nor Unix sockets by path, UDP, raw and
// netlink sockets, TCP fast open, memfd execution, prlimit of other processes, io_uring. `connect` is denied
// altogether: the connector listens and the host dials.
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "no system call table for this architecture"
#endif
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "LOW reads the low half of an argument");

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#ifndef SECCOMP_RET_KILL_PROCESS
#error "linux/seccomp.h is too old"
#endif

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define NUMBER LOAD(offsetof(struct seccomp_data, nr))
// The low and the high half of an argument. Where only LOW is looked at, the kernel itself takes an int.
#define LOW(index) LOAD(offsetof(struct seccomp_data, args) + 8 * (index))
#define HIGH(index) LOAD(offsetof(struct seccomp_data, args) + 8 * (index) + 4)
#define AND(mask) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask)
#define EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, action)
#define ERROR(number) (SECCOMP_RET_ERRNO | (number))
#define DONE ANSWER(SECCOMP_RET_ALLOW)

// Each of the blocks below ends in an answer on every way through it: once it has loaded an argument, the number of the
// call is gone, and falling through would compare the argument with the numbers that follow.

#define ALLOW(name) EQUAL(__NR_##name, 0, 1), DONE
#define KILL(name) EQUAL(__NR_##name, 0, 1), ANSWER(SECCOMP_RET_KILL_PROCESS)
#define DENY(name, error) EQUAL(__NR_##name, 0, 1), ANSWER(ERROR(error))
// A stream socket of the Unix family. STREAM matters for pairs too: a datagram pair can send to any path.
#define UNIX_STREAM(name)                                                                                    \
    EQUAL(__NR_##name, 0, 7), LOW(0), EQUAL(AF_UNIX, 0, 4), LOW(1), AND(0xf), EQUAL(SOCK_STREAM, 0, 1), DONE, \
        ANSWER(ERROR(EAFNOSUPPORT))
#define NAMESPACES \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

enum { OWN_PID = 6 };  // the instruction of the filter that is completed at run time

static struct sock_filter filter[] = {
    LOAD(offsetof(struct seccomp_data, arch)), EQUAL(ARCHITECTURE, 1, 0), ANSWER(SECCOMP_RET_KILL_PROCESS), NUMBER,
    // tgkill: only to this process, which is how abort(3) ends it. The pid is put in before the filter is installed.
    EQUAL(__NR_tgkill, 0, 4), LOW(0), EQUAL(0, 0, 1), DONE, ANSWER(ERROR(EPERM)),
#if defined(__x86_64__)
    // The x32 calls have other numbers for the same things.
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), ANSWER(SECCOMP_RET_KILL_PROCESS),
#endif

    // Only an attack makes these.
    KILL(ptrace), KILL(process_vm_readv), KILL(process_vm_writev), KILL(bpf), KILL(perf_event_open), KILL(userfaultfd),
    KILL(kexec_load), KILL(kexec_file_load), KILL(init_module), KILL(finit_module), KILL(delete_module), KILL(mount),
    KILL(umount2), KILL(pivot_root), KILL(unshare), KILL(setns), KILL(io_uring_setup), KILL(io_uring_enter),
    KILL(io_uring_register), KILL(keyctl), KILL(add_key), KILL(request_key),

    // With conditions.
    UNIX_STREAM(socket), UNIX_STREAM(socketpair), DENY(connect, EACCES),
    // Threads yes, processes and namespaces no. clone3 hides its flags behind a pointer: ENOSYS makes libc use clone.
    EQUAL(__NR_clone, 0, 5), LOW(0), AND(CLONE_THREAD | NAMESPACES), EQUAL(CLONE_THREAD, 0, 1), DONE,
    ANSWER(ERROR(EPERM)),
    DENY(clone3, ENOSYS),
    EQUAL(__NR_prctl, 0, 6), LOW(0), EQUAL(PR_SET_NAME, 2, 0), EQUAL(PR_GET_NAME, 1, 0), EQUAL(PR_SET_VMA, 0, 1), DONE,
    ANSWER(ERROR(EPERM)),
    // prlimit64: ask about oneself, set nothing (root could raise its limits again).
    EQUAL(__NR_prlimit64, 0, 8), LOW(0), EQUAL(0, 0, 5), LOW(2), EQUAL(0, 0, 3), HIGH(2), EQUAL(0, 0, 1), DONE,
    ANSWER(ERROR(EPERM)),
    EQUAL(__NR_ioctl, 0, 6), LOW(1), EQUAL(TCGETS, 2, 0), EQUAL(FIONBIO, 1, 0), EQUAL(FIOCLEX, 0, 1), DONE,
    ANSWER(ERROR(ENOTTY)),
    // fcntl: not the commands that make the kernel send a signal to a process of one's choice.
    EQUAL(__NR_fcntl, 0, 6), LOW(1), EQUAL(F_SETOWN, 2, 0), EQUAL(F_SETSIG, 1, 0), EQUAL(F_SETOWN_EX, 0, 1),
    ANSWER(ERROR(EPERM)), DONE,
    EQUAL(__NR_execveat, 0, 6), LOW(0), EQUAL(TRSTCTL_PROGRAM_SLOT, 0, 3), LOW(4), EQUAL(AT_EMPTY_PATH, 0, 1), DONE,
    ANSWER(ERROR(EPERM)),

    // Without conditions. The kernel keeps these in a bitmap (Linux 5.11), so the length of the list costs nothing.
    ALLOW(read), ALLOW(write), ALLOW(readv), ALLOW(writev), ALLOW(pread64), ALLOW(close), ALLOW(close_range),
    ALLOW(lseek), ALLOW(openat), ALLOW(fstat), ALLOW(newfstatat), ALLOW(statx), ALLOW(faccessat), ALLOW(faccessat2),
    ALLOW(readlinkat), ALLOW(getcwd), ALLOW(getdents64), ALLOW(dup), ALLOW(dup3), ALLOW(pipe2),
    ALLOW(ppoll), ALLOW(pselect6), ALLOW(epoll_create1), ALLOW(epoll_ctl), ALLOW(epoll_pwait), ALLOW(eventfd2),
    ALLOW(timerfd_create), ALLOW(timerfd_settime), ALLOW(accept), ALLOW(accept4), ALLOW(bind), ALLOW(listen),
    ALLOW(getsockname), ALLOW(getpeername), ALLOW(getsockopt), ALLOW(setsockopt), ALLOW(recvfrom), ALLOW(recvmsg),
    ALLOW(sendto), ALLOW(sendmsg), ALLOW(shutdown), ALLOW(brk), ALLOW(mmap), ALLOW(mprotect), ALLOW(mremap),
    ALLOW(munmap), ALLOW(madvise), ALLOW(membarrier), ALLOW(futex), ALLOW(rseq), ALLOW(set_robust_list),
    ALLOW(set_tid_address), ALLOW(rt_sigaction), ALLOW(rt_sigprocmask), ALLOW(rt_sigreturn), ALLOW(sigaltstack),
    ALLOW(restart_syscall), ALLOW(clock_getres), ALLOW(clock_gettime), ALLOW(clock_nanosleep), ALLOW(nanosleep),
    ALLOW(gettimeofday), ALLOW(sched_getaffinity), ALLOW(sched_yield), ALLOW(getrandom), ALLOW(sysinfo), ALLOW(uname),
    ALLOW(getpid), ALLOW(getppid), ALLOW(gettid), ALLOW(getuid), ALLOW(geteuid), ALLOW(getgid), ALLOW(getegid),
    ALLOW(exit), ALLOW(exit_group),
#if defined(__x86_64__)
    // The older forms, which the arm64 table never had.
    ALLOW(access), ALLOW(arch_prctl), ALLOW(dup2), ALLOW(epoll_wait), ALLOW(getpgrp), ALLOW(getrlimit), ALLOW(lstat),
    ALLOW(open), ALLOW(pipe), ALLOW(poll), ALLOW(readlink), ALLOW(select), ALLOW(stat),
#endif

    ANSWER(ERROR(EPERM)),
};

int trstctl_seccomp_install(void) {
    filter[OWN_PID].k = (uint32_t)getpid();  // in the child's own copy of the memory
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
