// Tries what a connector must not be able to do, and says what happened: `name ok`, or `name` and the error number.
#define _GNU_SOURCE
#include "attempts.h"

#include <linux/prctl.h>
#include <sched.h>
#include <sys/mount.h>

static void tried(const char *name, long result) {
    char line[128];
    int length = result == -1 ? snprintf(line, sizeof line, "%s %d\n", name, errno)
                              : snprintf(line, sizeof line, "%s ok\n", name);
    if (write(1, line, length) != length) _exit(9);
}

static void *thread(void *result) {
    *(int *)result = 1;
    return NULL;
}

static void *waiting(void *unused) {
    (void)unused;
    sleep(1000);
    return NULL;
}

// The kernel answers something else than "not for you": the call was reached.
static long reached(long result) {
    return result != -1 || (errno != EPERM && errno != EACCES && errno != ENOSYS) ? 0 : -1;
}

static long many_descriptors(void) {
    for (int i = 0; i < 300; i++)
        if (dup(1) == -1) return -1;
    return 0;
}

static long many_threads(void) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 32768);
    for (int i = 0; i < 100; i++) {
        pthread_t other;
        errno = pthread_create(&other, &attributes, waiting, NULL);
        if (errno) return -1;
    }
    return 0;
}

static long leaked_descriptors(void) {
    for (int i = 3; i < 1024; i++)
        if (fcntl(i, F_GETFD) != -1) return 0;
    return failed(EBADF);
}

/// What every connector does, beside what `attempts.h` has.
static void need_the_rest(void) {
    tried("open-proc", open("/proc/self/status", O_RDONLY));
    tried("null", open("/dev/null", O_RDWR));
    tried("bind-run", named(SOCK_STREAM, in("s"), bind));
    tried("socket-unix", socket(AF_UNIX, SOCK_STREAM, 0));
    int ran = 0, pair[2], on = 1;
    pthread_t other;
    errno = pthread_create(&other, NULL, thread, &ran);
    if (!errno) pthread_join(other, NULL);
    tried("thread", ran ? 0 : -1);
    tried("tgkill-self", syscall(SYS_tgkill, getpid(), getpid(), 0));
    tried("pair-stream", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    tried("fcntl-flags", fcntl(pair[0], F_SETFL, O_NONBLOCK));
    tried("ioctl-nonblocking", ioctl(pair[0], FIONBIO, &on));
    tried("limits-read", syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &(struct rlimit){0}));
    tried("name", prctl(PR_SET_NAME, "probe"));
}

int main(int argc, char **argv) {
    const char *only = getenv("ONLY");
    if (argc == 1 && !strcmp(argv[0], "setuid")) {  // what a set-user-id copy of this program becomes
        tried("setuid", geteuid() == 0 ? 0 : failed(EPERM));
        return 0;
    }
    if (only) {  // the calls that end the process
        if (!strcmp(only, "ptrace")) tried(only, syscall(SYS_ptrace, 0, 0, 0, 0));
        if (!strcmp(only, "unshare")) tried(only, syscall(SYS_unshare, 0));
        if (!strcmp(only, "io_uring")) tried(only, syscall(SYS_io_uring_setup, 0, NULL) == -1 && errno == EFAULT ? 0 : -1);
        if (!strcmp(only, "bpf")) tried(only, syscall(SYS_bpf, 9999, NULL, 0) == -1 && errno == EINVAL ? 0 : -1);
        if (!strcmp(only, "mount")) tried(only, reached(mount("none", "/nonexistent", "none", 0, NULL)));
        if (!strcmp(only, "setns")) tried(only, reached(syscall(SYS_setns, -1, 0)));
        if (!strcmp(only, "pivot_root")) tried(only, reached(syscall(SYS_pivot_root, "/nonexistent", "/nonexistent")));
        if (!strcmp(only, "userfaultfd")) tried(only, reached(syscall(SYS_userfaultfd, 0x7f000000)));
        if (!strcmp(only, "perf")) tried(only, reached(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0)));
        if (!strcmp(only, "keyctl")) tried(only, reached(syscall(SYS_keyctl, 9999, 0, 0, 0, 0)));
        if (!strcmp(only, "process_vm_readv")) tried(only, reached(syscall(SYS_process_vm_readv, number("HOST"), NULL, 0, NULL, 0, 0)));
        if (!strcmp(only, "memory")) {
            char *block = malloc(64 << 20);
            memset(block, 1, 64 << 20);
            tried(only, block[1 << 20] == 1 ? 0 : -1);
        }
        if (!strcmp(only, "wait")) {
            tried(only, 0);
            for (char byte; read(0, &byte, 1) >= 0;) pause();
        }
        if (!strcmp(only, "fork-and-leave")) {  // a grandchild in another session, which holds stdout open
            pid_t child = fork();
            if (child == 0) {
                setsid();
                if (fork() == 0) for (;;) pause();
                _exit(0);
            }
            tried(only, child);
        }
        if (!strcmp(only, "setuid")) {
            char *const none[] = {NULL}, *const words[] = {"setuid", NULL};
            execve(getenv("SETUID"), words, none);
            tried(only, -1);
        }
        if (!strcmp(only, "abort")) abort();
        if (!strcmp(only, "execute-again")) {  // the dynamic linker, the one file that may be executed
            int file = open(access("/lib64/ld-linux-x86-64.so.2", F_OK) ? "/lib/ld-linux-aarch64.so.1"
                                                                       : "/lib64/ld-linux-x86-64.so.2", O_RDONLY);
            tried("linker", file);
            char *const words[] = {"ld.so", "--version", NULL};
            for (int slot = 3; slot < 6; slot++) {
                dup2(file, slot);
                syscall(SYS_execveat, slot, "", words, words + 2, AT_EMPTY_PATH, 0);
            }
            tried(only, -1);
        }
#if defined(__x86_64__)
        if (!strcmp(only, "x32")) tried(only, syscall(0x40000000 | SYS_getpid) == -1 ? 0 : -1);
        if (!strcmp(only, "int80")) {
            long result;
            __asm__ volatile("int $0x80" : "=a"(result) : "0"(20) : "memory");
            tried(only, result > 0 || result == -ENOSYS ? 0 : -1);
        }
#endif
        return 0;
    }

    tried("leaked-descriptors", leaked_descriptors());
    tried("descriptor-3", fcntl(3, F_GETFD) == -1 ? 0 : -1);
    try_proc();
    tried("cgroup-path", tells("/proc/self/cgroup", canary("GROUP")));
    int fatal = 0;
    tried("orphan", prctl(PR_GET_PDEATHSIG, &fatal) == 0 && fatal == 0 ? 0 : failed(EPERM));
    tried("groups", tells("/proc/self/status", "Groups:\t \n") == 0 ? failed(EPERM) : 0);
    try_files();
    try_own_directory();
    try_changing_files();
    try_sockets();
    try_networks();
    try_fast_open();
    try_pairs();
    try_local_sockets();
    try_abstract_sockets();
    try_programs();
    try_processes();
    try_limits();
    try_own_switches();
    try_descriptor_signals();
    try_code();
    try_shared_memory();
    try_namespaces();
    try_privileges();
    try_unknown_call();
    need_privileges_gone();
    need_random();
    need_the_rest();
    tried("descriptors-300", many_descriptors());
    tried("threads-100", many_threads());
    char *const words[] = {"true", NULL};
    execve("/bin/true", words, words + 1);
    tried("execve", -1);
    return 42;
}
