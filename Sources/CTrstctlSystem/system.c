#define _GNU_SOURCE
#include "trstctl_system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

_Static_assert(TRSTCTL_EPOLL_IN == EPOLLIN && TRSTCTL_EPOLL_OUT == EPOLLOUT, "epoll bits");
_Static_assert(TRSTCTL_EPOLL_ERR == EPOLLERR && TRSTCTL_EPOLL_HUP == EPOLLHUP, "epoll bits");
_Static_assert(TRSTCTL_EPOLL_RDHUP == EPOLLRDHUP, "epoll bits");
_Static_assert(TRSTCTL_RESOLVE_BENEATH == RESOLVE_BENEATH, "openat2 bits");
_Static_assert(TRSTCTL_RESOLVE_NO_SYMLINKS == RESOLVE_NO_SYMLINKS, "openat2 bits");
_Static_assert(TRSTCTL_RESOLVE_NO_MAGICLINKS == RESOLVE_NO_MAGICLINKS, "openat2 bits");
_Static_assert(TRSTCTL_RESOLVE_NO_XDEV == RESOLVE_NO_XDEV, "openat2 bits");
_Static_assert(TRSTCTL_O_PATH == O_PATH, "O_PATH");
_Static_assert((TRSTCTL_O_TMPFILE | O_DIRECTORY) == O_TMPFILE, "O_TMPFILE");
_Static_assert(TRSTCTL_RLIMIT_MEMLOCK == RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK");

int trstctl_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static int control(int epoll, int operation, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return epoll_ctl(epoll, operation, descriptor, &event);
}

int trstctl_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t token) {
    return control(epoll, EPOLL_CTL_ADD, descriptor, events, token);
}

int trstctl_epoll_modify(int epoll, int descriptor, uint32_t events, uint64_t token) {
    return control(epoll, EPOLL_CTL_MOD, descriptor, events, token);
}

int trstctl_epoll_remove(int epoll, int descriptor) { return control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0); }

int trstctl_epoll_wait(int epoll, struct trstctl_epoll_event *events, int capacity, int timeout) {
    struct epoll_event raw[64];
    int count = epoll_wait(epoll, raw, capacity < 64 ? capacity : 64, timeout);
    for (int i = 0; i < count; i++) {
        events[i].token = raw[i].data.u64;
        events[i].events = raw[i].events;
    }
    return count;
}

int trstctl_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int trstctl_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int trstctl_link(int file, int directory, const char *name) {
    if (linkat(file, "", directory, name, AT_EMPTY_PATH) == 0) return 0;
    if (errno == EEXIST) return -1;
    char path[sizeof "/proc/self/fd/" + 3 * sizeof file];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    return linkat(AT_FDCWD, path, directory, name, AT_SYMLINK_FOLLOW);
}

void trstctl_begin_writeback(int file, int64_t offset) {
    int saved = errno;
    (void)sync_file_range(file, offset, 0, SYNC_FILE_RANGE_WRITE);
    errno = saved;
}

int trstctl_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int trstctl_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int trstctl_reap_pidfd(int pidfd, int block, int *exited, int *status) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int result;
    do {
        result = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | (block ? 0 : WNOHANG));
    } while (result == -1 && errno == EINTR);
    if (result == -1) return -1;
    if (info.si_pid == 0) return 0;
    *exited = info.si_code == CLD_EXITED;
    *status = info.si_status;
    return 1;
}

int trstctl_memfd_create(const char *name) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd == -1 && errno == EINVAL) fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd;
}

// The kernel waits 150 ms for pages that it holds itself (reclaim, compaction), which a busy machine can exceed.
static int add_seals(int memfd, int seals) {
    for (int attempt = 0; attempt < 8; attempt++) {
        if (fcntl(memfd, F_ADD_SEALS, seals) == 0) return 0;
        if (errno != EBUSY) return -1;
    }
    return -1;
}

int trstctl_memfd_seal(int memfd) {
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
    if (add_seals(memfd, seals | F_SEAL_EXEC) == 0) return 0;
    if (errno != EINVAL) return -1;
    return add_seals(memfd, seals);
}

int trstctl_peer_credentials(int socket, pid_t *pid, uid_t *uid, gid_t *gid) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == -1) return -1;
    *pid = credentials.pid;
    *uid = credentials.uid;
    *gid = credentials.gid;
    return 0;
}

int trstctl_peer_pidfd(int socket) {
    int pidfd = -1;
    socklen_t length = sizeof pidfd;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) == -1) return -1;
    return pidfd;
}

int trstctl_random(void *bytes, size_t count) {
    unsigned char *next = bytes;
    while (count > 0) {
        ssize_t got = getrandom(next, count, 0);
        if (got == -1 && errno == EINTR) continue;
        if (got <= 0) return -1;
        next += got;
        count -= (size_t)got;
    }
    return 0;
}

const void *trstctl_place(const void *bytes, size_t count, const void *part, size_t part_count) {
    return memmem(bytes, count, part, part_count);
}

void *trstctl_secret_map(size_t size, int lock, int *locked) {
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *locked = 0;
    if (pages == MAP_FAILED) return NULL;
    madvise(pages, size, MADV_DONTDUMP);
    madvise(pages, size, MADV_WIPEONFORK);
    if (lock) *locked = mlock(pages, size) == 0;
    return pages;
}

void trstctl_secret_unmap(void *pages, size_t size) { munmap(pages, size); }

void trstctl_wipe(void *bytes, size_t count) { explicit_bzero(bytes, count); }

void *trstctl_wiping_malloc(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return malloc(size);
}

void trstctl_wiping_free(void *bytes, const char *file, int line) {
    (void)file;
    (void)line;
    if (bytes != NULL) explicit_bzero(bytes, malloc_usable_size(bytes));
    free(bytes);
}

void *trstctl_wiping_realloc(void *old, size_t size, const char *file, int line) {
    if (old == NULL) return malloc(size);
    size_t present = malloc_usable_size(old);
    if (size <= present) return old;
    void *bytes = malloc(size);
    if (bytes == NULL) return NULL;
    memcpy(bytes, old, present);
    trstctl_wiping_free(old, file, line);
    return bytes;
}

int trstctl_pipe(int descriptors[2], int nonblocking_reader) {
    if (pipe2(descriptors, O_CLOEXEC) == -1) return -1;
    if (!nonblocking_reader || fcntl(descriptors[0], F_SETFL, O_NONBLOCK) == 0) return 0;
    int error = errno;
    close(descriptors[0]);
    close(descriptors[1]);
    errno = error;
    return -1;
}

int trstctl_accept(int socket) { return accept4(socket, NULL, NULL, SOCK_CLOEXEC); }

int trstctl_undumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

int trstctl_rename_noreplace(int old_directory, const char *old_name, int new_directory, const char *new_name) {
    return (int)syscall(SYS_renameat2, old_directory, old_name, new_directory, new_name, RENAME_NOREPLACE);
}

int trstctl_rename_exchange(int old_directory, const char *old_name, int new_directory, const char *new_name) {
    return renameat2(old_directory, old_name, new_directory, new_name, RENAME_EXCHANGE);
}

ssize_t trstctl_xattr_names(int file, char *names, size_t size) { return flistxattr(file, names, size); }

ssize_t trstctl_xattr_value(int file, const char *name, void *value, size_t size) {
    return fgetxattr(file, name, value, size);
}

int trstctl_xattr_set(int file, const char *name, const void *value, size_t size) {
    return fsetxattr(file, name, value, size, 0);
}

int64_t trstctl_monotonic_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void trstctl_tune_malloc(void) {
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

void trstctl_error_text(int error, char *text, size_t size) {
    char buffer[128];
    const char *message = strerror_r(error, buffer, sizeof buffer);  // the GNU form, because of _GNU_SOURCE
    snprintf(text, size, "%s", message);
}
