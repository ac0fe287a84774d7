/// A C program that tries what a connector must not be able to do.
///
/// For each attempt it says what happened: `name ok`, or `name` and the error number. The calls are raw where a library
/// would decide in the kernel's place.
let probeSource = #"""
    #define _GNU_SOURCE
    #include <errno.h>
    #include <fcntl.h>
    #include <linux/prctl.h>
    #include <pthread.h>
    #include <sched.h>
    #include <signal.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/ioctl.h>
    #include <sys/mman.h>
    #include <sys/prctl.h>
    #include <sys/resource.h>
    #include <sys/socket.h>
    #include <sys/stat.h>
    #include <sys/syscall.h>
    #include <sys/un.h>
    #include <sys/xattr.h>
    #include <unistd.h>

    static const char *directory;

    static void say(const char *name, long result) {
        char line[128];
        int length = result == -1 ? snprintf(line, sizeof line, "%s %d\n", name, errno)
                                  : snprintf(line, sizeof line, "%s ok\n", name);
        if (write(1, line, length) != length) _exit(9);
    }

    static int named(int type, const char *path, int (*use)(int, const struct sockaddr *, socklen_t)) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
        int s = socket(AF_UNIX, type, 0);
        return s == -1 ? -1 : use(s, (struct sockaddr *)&address, sizeof address);
    }

    static const char *in(const char *name) {
        static char path[256];
        snprintf(path, sizeof path, "%s/%s", directory, name);
        return path;
    }

    static void *thread(void *result) { *(int *)result = 1; return NULL; }

    int main(int argc, char **argv) {
        directory = getenv("DIRECTORY");
        const char *canary = getenv("CANARY"), *only = getenv("ONLY");
        if (only) {  // the calls that end the process
            if (!strcmp(only, "ptrace")) say(only, syscall(SYS_ptrace, 0, 0, 0, 0));
            if (!strcmp(only, "unshare")) say(only, syscall(SYS_unshare, 0));
            if (!strcmp(only, "io_uring")) say(only, syscall(SYS_io_uring_setup, 0, NULL) == -1 && errno == EFAULT ? 0 : -1);
            if (!strcmp(only, "bpf")) say(only, syscall(SYS_bpf, 9999, NULL, 0) == -1 && errno == EINVAL ? 0 : -1);
            if (!strcmp(only, "abort")) abort();
    #if defined(__x86_64__)
            if (!strcmp(only, "x32")) say(only, syscall(0x40000000 | SYS_getpid) == -1 ? 0 : -1);
            if (!strcmp(only, "int80")) {
                long result;
                __asm__ volatile("int $0x80" : "=a"(result) : "0"(20) : "memory");
                say(only, result > 0 || result == -ENOSYS ? 0 : -1);
            }
    #endif
            return 0;
        }

        say("descriptor-3", fcntl(3, F_GETFD) == -1 ? 0 : -1);
        say("open-passwd", open("/etc/passwd", O_RDONLY));
        say("open-root", open("/", O_RDONLY | O_DIRECTORY));
        say("open-canary", open(canary, O_RDWR));
        say("open-proc", open("/proc/self/status", O_RDONLY));
        say("null", open("/dev/null", O_RDWR));
        say("urandom", open("/dev/urandom", O_RDONLY));
        say("create", open(in("file"), O_CREAT | O_WRONLY, 0600));
        say("mkdir", mkdirat(AT_FDCWD, in("directory"), 0700));
        say("fifo", mknodat(AT_FDCWD, in("fifo"), S_IFIFO | 0600, 0));
        say("symlink", symlinkat("/etc/passwd", AT_FDCWD, in("link")));
        say("chmod", chmod(canary, 0755));
        say("chown", chown(canary, -1, -1));
        say("utimes", utimensat(AT_FDCWD, canary, NULL, 0));
        say("truncate", truncate(canary, 0));
        say("bind-run", named(SOCK_STREAM, in("s"), bind));
        say("bind-elsewhere", named(SOCK_STREAM, getenv("ELSEWHERE"), bind));
        say("connect-unix", named(SOCK_STREAM, getenv("LISTENER"), connect));

        struct { const char *name; int domain, type; } sockets[] = {
            {"socket-inet", AF_INET, SOCK_STREAM}, {"socket-inet6", AF_INET6, SOCK_STREAM},
            {"socket-udp", AF_INET, SOCK_DGRAM}, {"socket-netlink", AF_NETLINK, SOCK_RAW},
            {"socket-packet", AF_PACKET, SOCK_RAW}, {"socket-unix-datagram", AF_UNIX, SOCK_DGRAM},
            {"socket-unix", AF_UNIX, SOCK_STREAM}};
        for (unsigned i = 0; i < sizeof sockets / sizeof sockets[0]; i++)
            say(sockets[i].name, socket(sockets[i].domain, sockets[i].type, 0));
        int pair[2];
        say("pair-datagram", socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
        say("pair-stream", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));

        say("memfd", syscall(SYS_memfd_create, "m", 0));
        say("execveat-missing", syscall(SYS_execveat, 99, "", NULL, NULL, AT_EMPTY_PATH) == -1 && errno == EBADF ? 0 : -1);
        long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (pid == 0) _exit(0);
        say("fork", pid);
        errno = 0;
        say("clone3", syscall(SYS_clone3, NULL, 0) == -1 && errno == EINVAL ? 0 : -1);
        int ran = 0;
        pthread_t other;
        errno = pthread_create(&other, NULL, thread, &ran);
        if (!errno) pthread_join(other, NULL);
        say("thread", ran ? 0 : -1);
        say("kill-host", syscall(SYS_kill, getppid(), 0));
        say("tgkill-host", syscall(SYS_tgkill, getppid(), getppid(), 0));
        say("tgkill-self", syscall(SYS_tgkill, getpid(), getpid(), 0));
        say("fcntl-owner", fcntl(pair[0], F_SETOWN, getpid()));
        say("fcntl-signal", fcntl(pair[0], F_SETSIG, SIGUSR1));
        say("fcntl-flags", fcntl(pair[0], F_SETFL, O_NONBLOCK));
        struct rlimit limit;
        say("limits-read", syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit));
        say("limits-host", syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, NULL, &limit));
        say("limits-set", syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL));
        int fatal = 0;
        say("pdeathsig-read", prctl(PR_GET_PDEATHSIG, &fatal) == 0 && fatal == SIGKILL ? 0 : -1);
        say("pdeathsig-clear", prctl(PR_SET_PDEATHSIG, 0));
        say("name", prctl(PR_SET_NAME, "probe"));
        int on = 1;
        say("ioctl-nonblocking", ioctl(pair[0], FIONBIO, &on));
        say("ioctl-queue", ioctl(pair[0], FIONREAD, &on));
        say("write-execute", mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            == MAP_FAILED ? -1 : 0);
        say("chroot", chroot("/"));
        say("unknown-call", syscall(9999) == -1 && errno == ENOSYS ? 0 : -1);
        char *const words[] = {"true", NULL};
        execve("/bin/true", words, words + 1);
        say("execve", -1);
        return 42;
    }
    """#
