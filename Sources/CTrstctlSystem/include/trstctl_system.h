// System calls and constants that Swift's Glibc module does not export. One-line wrappers, no logic.
//
// Each returns what the system call returns: -1 with `errno` set on failure. Sources: the Linux man pages, section 2.
#ifndef TRSTCTL_SYSTEM_H
#define TRSTCTL_SYSTEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// epoll_create1(EPOLL_CLOEXEC)
int trstctl_epoll_create(void);
// epoll_ctl; `events` is a mask of TRSTCTL_EPOLL_*; `token` comes back from trstctl_epoll_wait.
int trstctl_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t token);
int trstctl_epoll_modify(int epoll, int descriptor, uint32_t events, uint64_t token);
int trstctl_epoll_remove(int epoll, int descriptor);

struct trstctl_epoll_event {
    uint64_t token;
    uint32_t events;
};
// epoll_pwait; fills at most `capacity` (bounded to 64) events; `timeout` in milliseconds, -1 waits for ever.
int trstctl_epoll_wait(int epoll, struct trstctl_epoll_event *events, int capacity, int timeout);

#define TRSTCTL_EPOLL_IN 0x001u
#define TRSTCTL_EPOLL_OUT 0x004u
#define TRSTCTL_EPOLL_ERR 0x008u
#define TRSTCTL_EPOLL_HUP 0x010u
#define TRSTCTL_EPOLL_RDHUP 0x2000u

// eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
int trstctl_eventfd(void);

// openat2(2) with RESOLVE_* flags; the kernel resolves, so no string is ever compared.
int trstctl_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
#define TRSTCTL_RESOLVE_NO_XDEV 0x01u
#define TRSTCTL_RESOLVE_NO_MAGICLINKS 0x02u
#define TRSTCTL_RESOLVE_NO_SYMLINKS 0x04u
#define TRSTCTL_RESOLVE_BENEATH 0x08u
#define TRSTCTL_O_PATH 010000000
// Without O_DIRECTORY, which it always comes with and which has another value on each architecture.
#define TRSTCTL_O_TMPFILE 020000000

// linkat(2) of an open file without a name; by way of /proc/self/fd where only privileged processes may do it directly
// (before Linux 6.10).
int trstctl_link(int file, int directory, const char *name);
// sync_file_range(2) with SYNC_FILE_RANGE_WRITE, from an offset to the end: the disk begins, nobody waits.
void trstctl_begin_writeback(int file, int64_t offset);

// pidfd_open(2), pidfd_send_signal(2)
int trstctl_pidfd_open(pid_t pid);
int trstctl_pidfd_send_signal(int pidfd, int signal);

// waitid(P_PIDFD, …, WEXITED [| WNOHANG]): 1 when reaped, 0 when still running, -1 on error.
// `*exited` is 1 for exit(status), 0 for a signal; `*status` is the exit status or the signal number.
int trstctl_reap_pidfd(int pidfd, int block, int *exited, int *status);

// memfd_create(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC), falling back to no MFD_EXEC before Linux 6.3.
int trstctl_memfd_create(const char *name);
// Adds every seal: no write, no grow, no shrink, no new mapping for writing, no change of the execute bits, no more
// seals. F_SEAL_EXEC is left out where the kernel does not know it (before 6.3). Pages that somebody holds are waited for,
// about a second; then it is EBUSY.
int trstctl_memfd_seal(int memfd);

// getsockopt(SO_PEERCRED).
int trstctl_peer_credentials(int socket, pid_t *pid, uid_t *uid, gid_t *gid);
// getsockopt(SO_PEERPIDFD): a new descriptor, or -1 (ENOPROTOOPT before Linux 6.5).
int trstctl_peer_pidfd(int socket);

// getrandom(2), whole: 0, or -1.
int trstctl_random(void *bytes, size_t count);
// memmem(3): where `part` begins, or NULL.
const void *trstctl_place(const void *bytes, size_t count, const void *part, size_t part_count);
// Anonymous pages for secrets: left out of core dumps (MADV_DONTDUMP), zero in a forked child (MADV_WIPEONFORK), and kept
// out of swap (mlock(2)) when `lock` is not 0 and the limit allows it, which `*locked` tells. NULL when there is no memory.
void *trstctl_secret_map(size_t size, int lock, int *locked);
// munmap(2)
void trstctl_secret_unmap(void *pages, size_t size);
// RLIMIT_MEMLOCK of getrlimit(2)
#define TRSTCTL_RLIMIT_MEMLOCK 8
// explicit_bzero(3)
void trstctl_wipe(void *bytes, size_t count);
// malloc(3), realloc(3) and free(3) that overwrite what they let go, in the form of CRYPTO_set_mem_functions(3).
void *trstctl_wiping_malloc(size_t size, const char *file, int line);
void *trstctl_wiping_realloc(void *old, size_t size, const char *file, int line);
void trstctl_wiping_free(void *bytes, const char *file, int line);
// pipe2(O_CLOEXEC [| O_NONBLOCK on the reading end])
int trstctl_pipe(int descriptors[2], int nonblocking_reader);
// accept4(SOCK_CLOEXEC)
int trstctl_accept(int socket);
// prctl(PR_SET_DUMPABLE, 0)
int trstctl_undumpable(void);
// renameat2(2) with RENAME_NOREPLACE.
int trstctl_rename_noreplace(int old_directory, const char *old_name, int new_directory, const char *new_name);
// renameat2(2) with RENAME_EXCHANGE: each gets the other's name, in one step.
int trstctl_rename_exchange(int old_directory, const char *old_name, int new_directory, const char *new_name);
// flistxattr(2), fgetxattr(2), fsetxattr(2)
ssize_t trstctl_xattr_names(int file, char *names, size_t size);
ssize_t trstctl_xattr_value(int file, const char *name, void *value, size_t size);
int trstctl_xattr_set(int file, const char *name, const void *value, size_t size);
// CLOCK_MONOTONIC in nanoseconds.
int64_t trstctl_monotonic_nanoseconds(void);
// strerror_r(3) in its XSI form: fills `text`, always NUL-terminated.
void trstctl_error_text(int error, char *text, size_t size);
// Lets big buffers come from the heap instead of a fresh mapping each time (mallopt(3)).
void trstctl_tune_malloc(void);

#endif
