// What a connector must not be able to do, as functions by topic, and what it needs. Each attempt tells its name and
// its result with `tried`, which the program that includes this defines. The calls are raw where a library would decide
// in the kernel's place.
//
// The environment says where the canaries are: see `Canaries` in Tests/Support. DIRECTORY is the connector's own.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/// Tells what came of an attempt: it failed with `errno` when the result is -1, and worked otherwise.
static void tried(const char *name, long result);

// MARK: Tools

static const char *canary(const char *name) { return getenv(name) ? getenv(name) : ""; }

static long number(const char *name) { return atol(canary(name)); }

static long failed(int error) {
    errno = error;
    return -1;
}

static int named(int type, const char *path, int (*use)(int, const struct sockaddr *, socklen_t)) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int s = socket(AF_UNIX, type, 0);
    return s == -1 ? -1 : use(s, (struct sockaddr *)&address, sizeof address);
}

static const char *in(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", canary("DIRECTORY"), name);
    return path;
}

static int abstract(int (*use)(int, const struct sockaddr *, socklen_t)) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s", canary("ABSTRACT"));
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    return s == -1 ? -1 : use(s, (struct sockaddr *)&address, sizeof(sa_family_t) + 1 + length);
}

static long inet(int type, int protocol, const char *port, int fast) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(number(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, type, protocol);
    if (s == -1) return -1;
    if (type == SOCK_DGRAM || fast)
        return sendto(s, "x", 1, fast ? MSG_FASTOPEN : 0, (struct sockaddr *)&address, sizeof address);
    return connect(s, (struct sockaddr *)&address, sizeof address);
}

static long same_namespace(const char *name) {
    char path[64], variable[64], target[64] = {0};
    snprintf(path, sizeof path, "/proc/self/ns/%s", name);
    snprintf(variable, sizeof variable, "NS_%s", name);
    if (readlink(path, target, sizeof target - 1) == -1) return -1;
    return strcmp(target, canary(variable)) ? failed(ENOENT) : 0;
}

/// Whether a file of /proc/self has this text.
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
    long result = failed(ENOENT);
    for (struct dirent *entry; (entry = readdir(all));)
        if (atoi(entry->d_name) > 0 && atoi(entry->d_name) != getpid()) result = 0;
    closedir(all);
    return result;
}

// MARK: Files

static void try_files(void) {
    tried("open-passwd", open("/etc/passwd", O_RDONLY));
    tried("open-root", open("/", O_RDONLY | O_DIRECTORY));
    tried("open-canary", open(canary("CANARY"), O_RDWR));
    tried("open-shadow", open("/etc/shadow", O_RDONLY));
    tried("stat-private", syscall(SYS_newfstatat, AT_FDCWD, canary("PRIVATE"), &(struct stat){0}, 0));
    tried("chdir", chdir("/"));
    tried("chroot", chroot("/"));
}

/// In its own directory a connector may make sockets, and nothing else.
static void try_own_directory(void) {
    tried("create", open(in("file"), O_CREAT | O_WRONLY, 0600));
    tried("mkdir", mkdirat(AT_FDCWD, in("directory"), 0700));
    tried("fifo", mknodat(AT_FDCWD, in("fifo"), S_IFIFO | 0600, 0));
    tried("symlink", symlinkat("/etc/passwd", AT_FDCWD, in("link")));
    tried("link", syscall(SYS_linkat, AT_FDCWD, canary("CANARY"), AT_FDCWD, in("hard"), 0));
}

static void try_changing_files(void) {
    const char *file = canary("CANARY");
    tried("chmod", chmod(file, 0755));
    tried("chown", chown(file, 0, 0));
    tried("utimes", utimensat(AT_FDCWD, file, NULL, 0));
    tried("xattr", setxattr(file, "user.probe", "x", 1, 0));
    tried("truncate", truncate(file, 0));
}

// MARK: Sockets

static void try_sockets(void) {
    struct { const char *name; int domain, type, protocol; } sockets[] = {
        {"socket-inet", AF_INET, SOCK_STREAM, 0}, {"socket-inet6", AF_INET6, SOCK_STREAM, 0},
        {"socket-udp", AF_INET, SOCK_DGRAM, 0}, {"socket-netlink", AF_NETLINK, SOCK_RAW, 0},
        {"socket-packet", AF_PACKET, SOCK_RAW, 0}, {"socket-unix-datagram", AF_UNIX, SOCK_DGRAM, 0},
        {"socket-mptcp", AF_INET, SOCK_STREAM, 262}, {"socket-raw", AF_INET, SOCK_RAW, 1},
        {"socket-vsock", AF_VSOCK, SOCK_STREAM, 0}};
    for (unsigned i = 0; i < sizeof sockets / sizeof sockets[0]; i++)
        tried(sockets[i].name, socket(sockets[i].domain, sockets[i].type, sockets[i].protocol));
}

static void try_networks(void) {
    tried("tcp", inet(SOCK_STREAM, 0, "TCP", 0));
    tried("tcp-mptcp", inet(SOCK_STREAM, 262, "TCP", 0));
    tried("udp", inet(SOCK_DGRAM, 0, "UDP", 0));
}

/// Data in the first packet, which no `connect` goes before.
static void try_fast_open(void) { tried("tcp-fastopen", inet(SOCK_STREAM, 0, "TCP", 1)); }

/// A datagram socket without socket(2): sendto(2) then needs no `connect`.
static void try_pairs(void) {
    int pair[2];
    tried("pair-datagram", socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", canary("DATAGRAM"));
    long result = socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    if (!result) result = sendto(pair[0], "x", 1, 0, (struct sockaddr *)&address, sizeof address);
    tried("datagram-by-pair", result);
}

static void try_local_sockets(void) {
    tried("bind-elsewhere", named(SOCK_STREAM, canary("ELSEWHERE"), bind));
    tried("connect-unix", named(SOCK_STREAM, canary("LISTENER"), connect));
}

static void try_abstract_sockets(void) {
    tried("connect-abstract", abstract(connect));
    tried("sees-abstract", abstract(bind) == -1 && errno == EADDRINUSE ? 0 : failed(ENOENT));
}

// MARK: Programs and processes

/// Another program, in a child where it may have one, otherwise in its own place.
static long runs_a_program(void) {
    char *const words[] = {"true", NULL};
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child > 0) {
        int status = 0;
        waitpid(child, &status, 0);
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : failed(ECHILD);
    }
    execve("/bin/true", words, words + 1);
    if (child == 0) _exit(1);
    return -1;
}

static void try_programs(void) {
    tried("memfd", syscall(SYS_memfd_create, "m", 0));
    tried("execveat-missing",
          syscall(SYS_execveat, 99, "", NULL, NULL, AT_EMPTY_PATH) == -1 && errno == EBADF ? 0 : -1);
    tried("program", runs_a_program());
}

static void try_processes(void) {
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    tried("fork", pid);
    errno = 0;
    tried("clone3", syscall(SYS_clone3, NULL, 0) == -1 && errno == EINVAL ? 0 : -1);
    tried("kill-host", syscall(SYS_kill, number("HOST"), 0));
    tried("tgkill-host", syscall(SYS_tgkill, number("HOST"), number("HOST"), 0));
    int host = syscall(SYS_pidfd_open, number("HOST"), 0);
    tried("pidfd-host", host);
    tried("pidfd-getfd", host == -1 ? -1 : syscall(SYS_pidfd_getfd, host, 1, 0));
    int nice = getpriority(PRIO_PROCESS, number("HOST"));
    tried("priority-host", setpriority(PRIO_PROCESS, number("HOST"), nice == -1 ? 0 : nice));
}

/// Sets to what was read; the host's stay what they are.
static void try_limits(void) {
    struct rlimit limit = {0};
    syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    tried("limits-host", syscall(SYS_prlimit64, number("HOST"), RLIMIT_NOFILE, NULL, &limit));
    tried("limits-set", syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL));
    tried("limits-host-set", syscall(SYS_prlimit64, number("HOST"), RLIMIT_NOFILE, &limit, NULL));
}

/// What the host set for this process, and the kernel ends it by or hides it with.
static void try_own_switches(void) {
    int fatal = 0;
    tried("pdeathsig-read", prctl(PR_GET_PDEATHSIG, &fatal) == 0 && fatal == SIGKILL ? 0 : -1);
    tried("pdeathsig-clear", prctl(PR_SET_PDEATHSIG, 0));
    tried("dumpable", prctl(PR_SET_DUMPABLE, 1));
}

static void try_descriptor_signals(void) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) return;
    int on = 1;
    tried("fcntl-owner", fcntl(pair[0], F_SETOWN, getpid()));
    tried("fcntl-signal", fcntl(pair[0], F_SETSIG, SIGUSR1));
    tried("ioctl-queue", ioctl(pair[0], FIONREAD, &on));
}

// MARK: Memory

static long write_then_execute(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static void try_code(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    tried("write-execute", page == MAP_FAILED ? -1 : 0);
    tried("write-then-execute", write_then_execute());
}

static void try_shared_memory(void) {
    void *shared = shmat(number("SHM"), NULL, 0);
    if (shared != (void *)-1) *(char *)shared = 'x';
    tried("shm", shared == (void *)-1 ? -1 : 0);
}

// MARK: What belongs to others

static void try_proc(void) {
    tried("open-environ", open(canary("HOST_ENVIRON"), O_RDONLY));
    tried("proc-host", tells(canary("HOST_STATUS"), "Name:"));
    tried("proc-others", lists_others());
    tried("proc-net", open("/proc/self/net/dev", O_RDONLY) == -1 ? -1 : open("/proc/net/dev", O_RDONLY));
    tried("proc-cpuinfo", open("/proc/cpuinfo", O_RDONLY));
}

static void try_namespaces(void) {
    tried("same-net", same_namespace("net"));
    tried("same-ipc", same_namespace("ipc"));
    tried("same-uts", same_namespace("uts"));
    tried("same-cgroup", same_namespace("cgroup"));
    tried("same-mnt", same_namespace("mnt"));
    tried("hostname", sethostname(canary("HOSTNAME"), strlen(canary("HOSTNAME"))));
}

/// What it is, and what it can become.
static void try_privileges(void) {
    tried("root-uid", getuid() == 0 || geteuid() == 0 || getgid() == 0 ? 0 : failed(EPERM));
    tried("capabilities", tells("/proc/self/status", "CapEff:\t0000000000000000") == 0 ? failed(EPERM) : 0);
    tried("setuid-0", setuid(0));
}

static void try_unknown_call(void) {
    tried("unknown-call", syscall(9999) == -1 && errno == ENOSYS ? 0 : -1);
}

// MARK: What a connector needs

static void need_privileges_gone(void) {
    tried("no-new-privs", tells("/proc/self/status", "NoNewPrivs:\t1"));
    tried("filtered", tells("/proc/self/status", "Seccomp:\t2"));
}

static long random_numbers(void) {
    unsigned char all[3][16] = {{0}};
    for (int i = 1; i < 3; i++)
        if (getrandom(all[i], 16, 0) != 16) return -1;
    for (int i = 0; i < 3; i++)
        if (!memcmp(all[i], all[(i + 1) % 3], 16)) return failed(EDOM);
    return 0;
}

static void need_random(void) {
    tried("urandom", open("/dev/urandom", O_RDONLY));
    tried("random", random_numbers());
}
