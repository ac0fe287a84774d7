// Preloaded into the host by the crash tests (LD_PRELOAD): counts the system calls on files in some directories, and kills
// the process before or after one of them, or lets it fail. The program under test has no such hooks.
//
// FAULTS_UNDER  directories, colon-separated
// FAULTS_LOG    a file that gets a line for each call: its number, its name, the path
// FAULTS_AT     the number of the call, from 1
// FAULTS_DO     "before": SIGKILL before it; "after": SIGKILL after it; "lose": the file system is cut off from its disk
//               before it, then SIGKILL; otherwise the errno that it fails with
// FAULTS_DISK   with "lose": a directory of the file system
// FAULTS_ALL    with an errno: this call and all later ones of its name fail
// FAULTS_LACK   "open": the file system knows no files without a name; "link": it does, and cannot give them one; "hint":
//               it does nothing before it must
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static atomic_long calls;
static char broken[32];

static void *next(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) abort();
    return found;
}
#define REAL(name) ((__typeof__(&name))next(#name))

// The object of a call as a path: of a descriptor, or of a name beneath one.
static void place(int descriptor, const char *name, char *path, size_t size) {
    if (name != NULL && name[0] == '/') {
        snprintf(path, size, "%s", name);
        return;
    }
    char link[64];
    snprintf(link, sizeof link, descriptor == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, size - 1);
    path[length < 0 ? 0 : length] = 0;
    if (name != NULL) snprintf(path + strlen(path), size - strlen(path), "/%s", name);
}

static int watched(const char *path) {
    const char *under = getenv("FAULTS_UNDER");
    while (under != NULL && *under != 0) {
        size_t length = strcspn(under, ":");
        if (length > 0 && strncmp(path, under, length) == 0 && (path[length] == '/' || path[length] == 0)) return 1;
        under += length + (under[length] == ':');
    }
    return 0;
}

// Loses what was not synchronised, as a machine that loses power: nothing reaches the disk any more, not even the file
// system's own log (EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH; linux/fs/ext4/ext4.h).
static void lose_power(void) {
    uint32_t how = 2;
    int disk = REAL(open)(getenv("FAULTS_DISK"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (disk < 0 || ioctl(disk, _IOR('X', 125, uint32_t), &how) != 0) abort();
    kill(getpid(), SIGKILL);
}

// Counts a call. Returns the errno that it has to fail with, -1 when the process has to die after it, otherwise 0.
static int count(const char *call, int descriptor, const char *name) {
    int saved = errno;
    char path[PATH_MAX * 2];
    place(descriptor, name, path, sizeof path);
    int result = 0;
    if (watched(path)) {
        long number = atomic_fetch_add(&calls, 1) + 1;
        const char *log = getenv("FAULTS_LOG");
        if (log != NULL) {
            char line[PATH_MAX * 2 + 64];
            int length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path);
            int file = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
            if (file >= 0) {
                if (REAL(write)(file, line, (size_t)length) < 0) abort();
                close(file);
            }
        }
        const char *at = getenv("FAULTS_AT"), *what = getenv("FAULTS_DO");
        if (at != NULL && what != NULL) {
            if (broken[0] != 0 && strcmp(broken, call) == 0) result = atoi(what);
            if (number == atol(at)) {
                if (strcmp(what, "before") == 0) kill(getpid(), SIGKILL);
                if (strcmp(what, "lose") == 0) lose_power();
                result = strcmp(what, "after") == 0 ? -1 : atoi(what);
                if (getenv("FAULTS_ALL") != NULL) snprintf(broken, sizeof broken, "%s", call);
            }
        }
    }
    errno = saved;
    return result;
}

// Whether the file system lacks something.
static int lacks(const char *what, int descriptor, const char *name) {
    const char *lack = getenv("FAULTS_LACK");
    if (lack == NULL || strcmp(lack, what) != 0) return 0;
    char path[PATH_MAX * 2];
    place(descriptor, name, path, sizeof path);
    return watched(path);
}

static int makes(unsigned long long flags) { return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }

#define CALL(type, name, parameters, arguments, descriptor, path)             \
    type name parameters {                                                    \
        int fault = count(#name, descriptor, path);                           \
        if (fault > 0) {                                                      \
            errno = fault;                                                    \
            return -1;                                                        \
        }                                                                     \
        type result = REAL(name) arguments;                                   \
        if (fault < 0) kill(getpid(), SIGKILL);                               \
        return result;                                                        \
    }

CALL(ssize_t, write, (int f, const void *b, size_t n), (f, b, n), f, NULL)
CALL(ssize_t, pwrite, (int f, const void *b, size_t n, off_t o), (f, b, n, o), f, NULL)
CALL(ssize_t, pwrite64, (int f, const void *b, size_t n, off64_t o), (f, b, n, o), f, NULL)
CALL(int, fsync, (int f), (f), f, NULL)
CALL(int, fdatasync, (int f), (f), f, NULL)
CALL(int, fchmod, (int f, mode_t m), (f, m), f, NULL)
CALL(int, fchown, (int f, uid_t u, gid_t g), (f, u, g), f, NULL)
CALL(int, ftruncate, (int f, off_t l), (f, l), f, NULL)
CALL(int, ftruncate64, (int f, off64_t l), (f, l), f, NULL)
CALL(int, fallocate, (int f, int m, off_t o, off_t l), (f, m, o, l), f, NULL)
CALL(int, fallocate64, (int f, int m, off64_t o, off64_t l), (f, m, o, l), f, NULL)
CALL(int, renameat, (int a, const char *b, int c, const char *d), (a, b, c, d), c, d)
CALL(int, renameat2, (int a, const char *b, int c, const char *d, unsigned int e), (a, b, c, d, e), c, d)
CALL(int, rename, (const char *a, const char *b), (a, b), AT_FDCWD, b)
CALL(int, unlinkat, (int d, const char *n, int f), (d, n, f), d, n)
CALL(int, unlink, (const char *n), (n), AT_FDCWD, n)
int sync_file_range(int f, off64_t o, off64_t l, unsigned int h) {
    int fault = count("sync_file_range", f, NULL);
    if (fault > 0) {
        errno = fault;
        return -1;
    }
    int result = lacks("hint", f, NULL) ? 0 : REAL(sync_file_range)(f, o, l, h);
    if (fault < 0) kill(getpid(), SIGKILL);
    return result;
}
CALL(int, symlinkat, (const char *t, int d, const char *n), (t, d, n), d, n)
CALL(int, fsetxattr, (int f, const char *n, const void *v, size_t s, int e), (f, n, v, s, e), f, NULL)
int linkat(int a, const char *b, int c, const char *d, int e) {
    int fault = count("linkat", c, d);
    if (fault > 0) {
        errno = fault;
        return -1;
    }
    int isLacking = lacks("link", c, d);
    int result = isLacking ? -1 : REAL(linkat)(a, b, c, d, e);
    if (fault < 0) kill(getpid(), SIGKILL);
    if (isLacking) errno = EOPNOTSUPP;
    return result;
}
CALL(int, mkdir, (const char *n, mode_t m), (n, m), AT_FDCWD, n)
CALL(int, mkdirat, (int d, const char *n, mode_t m), (d, n, m), d, n)

#define OPEN(name, parameters, arguments, descriptor)                         \
    int name parameters {                                                     \
        mode_t mode = 0;                                                      \
        if (flags & (O_CREAT | O_TMPFILE)) {                                  \
            va_list list;                                                     \
            va_start(list, flags);                                            \
            mode = va_arg(list, mode_t);                                      \
            va_end(list);                                                     \
        }                                                                     \
        int fault = count(makes((unsigned)flags) ? "create" : "open", descriptor, path); \
        if (fault > 0) {                                                      \
            errno = fault;                                                    \
            return -1;                                                        \
        }                                                                     \
        int result = REAL(name) arguments;                                    \
        if (fault < 0) kill(getpid(), SIGKILL);                               \
        return result;                                                        \
    }
OPEN(open, (const char *path, int flags, ...), (path, flags, mode), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode), AT_FDCWD)
OPEN(openat, (int directory, const char *path, int flags, ...), (directory, path, flags, mode), directory)
OPEN(openat64, (int directory, const char *path, int flags, ...), (directory, path, flags, mode), directory)

// openat2(2) has no wrapper.
long syscall(long number, ...) {
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    static __typeof__(&syscall) real;
    if (real == NULL) real = REAL(syscall);
    if (number != SYS_openat2) return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    unsigned long long flags = *(const unsigned long long *)a[2];
    int fault = count(makes(flags) ? "create" : "open", (int)a[0], (const char *)a[1]);
    if (fault > 0) {
        errno = fault;
        return -1;
    }
    int isLacking = (flags & O_TMPFILE) == O_TMPFILE && lacks("open", (int)a[0], (const char *)a[1]);
    long result = isLacking ? -1 : real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (fault < 0) kill(getpid(), SIGKILL);
    if (isLacking) errno = EOPNOTSUPP;
    return result;
}
