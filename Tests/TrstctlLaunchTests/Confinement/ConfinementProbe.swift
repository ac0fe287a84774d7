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
    #include <dirent.h>
    #include <netinet/in.h>
    #include <sched.h>
    #include <signal.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/ioctl.h>
    #include <sys/mman.h>
    #include <sys/shm.h>
    #include <sys/mount.h>
    #include <linux/vm_sockets.h>
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

    static void *waiting(void *unused) { (void)unused; sleep(1000); return NULL; }

    static long number(const char *name) { return getenv(name) ? atol(getenv(name)) : 0; }

    // The kernel answers something else than "not for you": the call was reached.
    static long reached(long result) {
        return result != -1 || (errno != EPERM && errno != EACCES && errno != ENOSYS) ? 0 : -1;
    }

    static long failed(int error) { errno = error; return -1; }

    static int abstract(int (*use)(int, const struct sockaddr *, socklen_t)) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s", getenv("ABSTRACT"));
        int s = socket(AF_UNIX, SOCK_STREAM, 0);
        return s == -1 ? -1 : use(s, (struct sockaddr *)&address, sizeof(sa_family_t) + 1 + length);
    }

    static struct sockaddr_in loopback(const char *port) {
        return (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons(number(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    }

    static long inet(int type, int protocol, const char *port, int fast) {
        struct sockaddr_in address = loopback(port);
        int s = socket(AF_INET, type, protocol);
        if (s == -1) return -1;
        if (type == SOCK_DGRAM || fast)
            return sendto(s, "x", 1, fast ? MSG_FASTOPEN : 0, (struct sockaddr *)&address, sizeof address);
        return connect(s, (struct sockaddr *)&address, sizeof address);
    }

    static long datagram_by_pair(void) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "%s", getenv("DATAGRAM"));
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == -1) return -1;
        return sendto(pair[0], "x", 1, 0, (struct sockaddr *)&address, sizeof address);
    }

    static long same_namespace(const char *name) {
        char path[64], variable[64], target[64] = {0};
        snprintf(path, sizeof path, "/proc/self/ns/%s", name);
        snprintf(variable, sizeof variable, "NS_%s", name);
        if (readlink(path, target, sizeof target - 1) == -1) return -1;
        return strcmp(target, getenv(variable)) ? failed(ENOENT) : 0;
    }

    // Whether a file of /proc/self has this text.
    static long tells(const char *path, const char *text) {
        static char content[1 << 16];
        int file = open(path, O_RDONLY);
        if (file == -1) return -1;
        ssize_t length = read(file, content, sizeof content - 1);
        close(file);
        content[length < 0 ? 0 : length] = 0;
        return strstr(content, text) ? 0 : failed(ENOENT);
    }

    static long lists_others(void) {
        DIR *all = opendir("/proc");
        if (!all) return -1;
        for (struct dirent *entry; (entry = readdir(all));)
            if (atoi(entry->d_name) > 0 && atoi(entry->d_name) != getpid()) return 0;
        return failed(ENOENT);
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

    static long write_then_execute(void) {
        void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return mprotect(page, 4096, PROT_READ | PROT_EXEC);
    }

    int main(int argc, char **argv) {
        directory = getenv("DIRECTORY");
        const char *canary = getenv("CANARY"), *only = getenv("ONLY");
        if (argc == 1 && !strcmp(argv[0], "setuid")) {  // what a set-user-id copy of this program becomes
            say("setuid", geteuid() == 0 ? 0 : failed(EPERM));
            return 0;
        }
        if (only) {  // the calls that end the process
            if (!strcmp(only, "ptrace")) say(only, syscall(SYS_ptrace, 0, 0, 0, 0));
            if (!strcmp(only, "unshare")) say(only, syscall(SYS_unshare, 0));
            if (!strcmp(only, "io_uring")) say(only, syscall(SYS_io_uring_setup, 0, NULL) == -1 && errno == EFAULT ? 0 : -1);
            if (!strcmp(only, "bpf")) say(only, syscall(SYS_bpf, 9999, NULL, 0) == -1 && errno == EINVAL ? 0 : -1);
            if (!strcmp(only, "mount")) say(only, reached(mount("none", "/nonexistent", "none", 0, NULL)));
            if (!strcmp(only, "setns")) say(only, reached(syscall(SYS_setns, -1, 0)));
            if (!strcmp(only, "pivot_root")) say(only, reached(syscall(SYS_pivot_root, "/nonexistent", "/nonexistent")));
            if (!strcmp(only, "userfaultfd")) say(only, reached(syscall(SYS_userfaultfd, 0x7f000000)));
            if (!strcmp(only, "perf")) say(only, reached(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0)));
            if (!strcmp(only, "keyctl")) say(only, reached(syscall(SYS_keyctl, 9999, 0, 0, 0, 0)));
            if (!strcmp(only, "process_vm_readv")) say(only, reached(syscall(SYS_process_vm_readv, number("HOST"), NULL, 0, NULL, 0, 0)));
            if (!strcmp(only, "memory")) {
                char *block = malloc(64 << 20);
                memset(block, 1, 64 << 20);
                say(only, block[1 << 20] == 1 ? 0 : -1);
            }
            if (!strcmp(only, "wait")) {
                say(only, 0);
                for (char byte; read(0, &byte, 1) >= 0;) pause();
            }
            if (!strcmp(only, "fork-and-leave")) {  // a grandchild in another session, which holds stdout open
                pid_t child = fork();
                if (child == 0) {
                    setsid();
                    if (fork() == 0) for (;;) pause();
                    _exit(0);
                }
                say(only, child);
            }
            if (!strcmp(only, "setuid")) {
                char *const none[] = {NULL}, *const words[] = {"setuid", NULL};
                execve(getenv("SETUID"), words, none);
                say(only, -1);
            }
            if (!strcmp(only, "abort")) abort();
            if (!strcmp(only, "execute-again")) {  // the dynamic linker, the one file that may be executed
                int file = open(access("/lib64/ld-linux-x86-64.so.2", F_OK) ? "/lib/ld-linux-aarch64.so.1"
                                                                           : "/lib64/ld-linux-x86-64.so.2", O_RDONLY);
                say("linker", file);
                char *const words[] = {"ld.so", "--version", NULL};
                for (int slot = 3; slot < 6; slot++) {
                    dup2(file, slot);
                    syscall(SYS_execveat, slot, "", words, words + 2, AT_EMPTY_PATH, 0);
                }
                say(only, -1);
            }
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

        say("leaked-descriptors", leaked_descriptors());
        say("descriptor-3", fcntl(3, F_GETFD) == -1 ? 0 : -1);
        say("open-passwd", open("/etc/passwd", O_RDONLY));
        say("open-root", open("/", O_RDONLY | O_DIRECTORY));
        say("open-canary", open(canary, O_RDWR));
        say("open-shadow", open("/etc/shadow", O_RDONLY));
        say("open-environ", open(getenv("HOST_ENVIRON"), O_RDONLY));
        say("stat-private", syscall(SYS_newfstatat, AT_FDCWD, getenv("PRIVATE"), &(struct stat){0}, 0));
        say("open-proc", open("/proc/self/status", O_RDONLY));
        say("proc-host", tells(getenv("HOST_STATUS"), "Name:"));
        say("proc-others", lists_others());
        say("proc-net", open("/proc/self/net/dev", O_RDONLY) == -1 ? -1 : open("/proc/net/dev", O_RDONLY));
        say("proc-cpuinfo", open("/proc/cpuinfo", O_RDONLY));
        say("cgroup-path", tells("/proc/self/cgroup", getenv("GROUP")));
        say("root-uid", getuid() == 0 || geteuid() == 0 || getgid() == 0 ? 0 : failed(EPERM));
        say("capabilities", tells("/proc/self/status", "CapEff:\t0000000000000000") == 0 ? failed(EPERM) : 0);
        say("groups", tells("/proc/self/status", "Groups:\t \n") == 0 ? failed(EPERM) : 0);
        say("no-new-privs", tells("/proc/self/status", "NoNewPrivs:\t1"));
        say("filtered", tells("/proc/self/status", "Seccomp:\t2"));
        say("same-net", same_namespace("net"));
        say("same-ipc", same_namespace("ipc"));
        say("same-uts", same_namespace("uts"));
        say("same-cgroup", same_namespace("cgroup"));
        say("same-mnt", same_namespace("mnt"));
        say("null", open("/dev/null", O_RDWR));
        say("urandom", open("/dev/urandom", O_RDONLY));
        say("create", open(in("file"), O_CREAT | O_WRONLY, 0600));
        say("mkdir", mkdirat(AT_FDCWD, in("directory"), 0700));
        say("fifo", mknodat(AT_FDCWD, in("fifo"), S_IFIFO | 0600, 0));
        say("symlink", symlinkat("/etc/passwd", AT_FDCWD, in("link")));
        say("chmod", chmod(canary, 0755));
        say("chown", chown(canary, 0, 0));
        say("utimes", utimensat(AT_FDCWD, canary, NULL, 0));
        say("xattr", setxattr(canary, "user.probe", "x", 1, 0));
        say("truncate", truncate(canary, 0));
        say("link", syscall(SYS_linkat, AT_FDCWD, canary, AT_FDCWD, in("hard"), 0));
        say("chdir", chdir("/"));
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
        say("socket-mptcp", socket(AF_INET, SOCK_STREAM, 262));
        say("socket-raw", socket(AF_INET, SOCK_RAW, 1));
        say("socket-vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
        say("tcp", inet(SOCK_STREAM, 0, "TCP", 0));
        say("tcp-mptcp", inet(SOCK_STREAM, 262, "TCP", 0));
        say("tcp-fastopen", inet(SOCK_STREAM, 0, "TCP", 1));
        say("udp", inet(SOCK_DGRAM, 0, "UDP", 0));
        say("datagram-by-pair", datagram_by_pair());
        say("connect-abstract", abstract(connect));
        say("sees-abstract", abstract(bind) == -1 && errno == EADDRINUSE ? 0 : failed(ENOENT));
        void *shared = shmat(number("SHM"), NULL, 0);
        if (shared != (void *)-1) *(char *)shared = 'x';
        say("shm", shared == (void *)-1 ? -1 : 0);
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
        say("kill-host", syscall(SYS_kill, number("HOST"), 0));
        say("tgkill-host", syscall(SYS_tgkill, number("HOST"), number("HOST"), 0));
        int host = syscall(SYS_pidfd_open, number("HOST"), 0);
        say("pidfd-host", host);
        if (host != -1) say("pidfd-getfd", syscall(SYS_pidfd_getfd, host, 1, 0)); else say("pidfd-getfd", -1);
        int nice = getpriority(PRIO_PROCESS, number("HOST"));
        say("priority-host", setpriority(PRIO_PROCESS, number("HOST"), nice == -1 ? 0 : nice));
        say("tgkill-self", syscall(SYS_tgkill, getpid(), getpid(), 0));
        say("fcntl-owner", fcntl(pair[0], F_SETOWN, getpid()));
        say("fcntl-signal", fcntl(pair[0], F_SETSIG, SIGUSR1));
        say("fcntl-flags", fcntl(pair[0], F_SETFL, O_NONBLOCK));
        struct rlimit limit;
        say("limits-read", syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit));
        say("limits-host", syscall(SYS_prlimit64, number("HOST"), RLIMIT_NOFILE, NULL, &limit));
        say("limits-set", syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL));
        say("limits-host-set", syscall(SYS_prlimit64, number("HOST"), RLIMIT_NOFILE, &limit, NULL));
        int fatal = 0;
        say("orphan", prctl(PR_GET_PDEATHSIG, &fatal) == 0 && fatal == 0 ? 0 : failed(EPERM));
        say("dumpable", prctl(PR_SET_DUMPABLE, 1));
        say("setuid-0", setuid(0));
        say("hostname", sethostname(getenv("HOSTNAME"), strlen(getenv("HOSTNAME"))));
        say("pdeathsig-read", prctl(PR_GET_PDEATHSIG, &fatal) == 0 && fatal == SIGKILL ? 0 : -1);
        say("pdeathsig-clear", prctl(PR_SET_PDEATHSIG, 0));
        say("name", prctl(PR_SET_NAME, "probe"));
        int on = 1;
        say("ioctl-nonblocking", ioctl(pair[0], FIONBIO, &on));
        say("ioctl-queue", ioctl(pair[0], FIONREAD, &on));
        say("write-execute", mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            == MAP_FAILED ? -1 : 0);
        say("write-then-execute", write_then_execute());
        say("chroot", chroot("/"));
        say("unknown-call", syscall(9999) == -1 && errno == ENOSYS ? 0 : -1);
        say("descriptors-300", many_descriptors());
        say("threads-100", many_threads());
        char *const words[] = {"true", NULL};
        execve("/bin/true", words, words + 1);
        say("execve", -1);
        return 42;
    }
    """#
