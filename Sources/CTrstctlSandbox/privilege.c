// What a process gives up: the host's groups, /proc, user and capabilities, and most system calls.
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int put(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file == -1) return -1;
    ssize_t length = (ssize_t)strlen(text);
    int outcome = write(file, text, (size_t)length) == length ? 0 : -1;
    close(file);
    return outcome;
}

// The files belong to root while the process cannot be dumped, as the host's copy cannot. The maps name one id, the
// caller's own, which is what the kernel lets a process write without privileges (user_namespaces(7)).
int trstctl_enter_user_namespace(const char *uid_map, const char *gid_map) {
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1) return -1;
    int outcome = put("/proc/self/setgroups", "deny") == -1 || put("/proc/self/uid_map", uid_map) == -1 ||
                          put("/proc/self/gid_map", gid_map) == -1
                      ? -1
                      : 0;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 ? -1 : outcome;
}

// "0" means the writer.
int trstctl_join_cgroups(const int *cgroups, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (write(cgroups[i], "0", 1) != 1) return -1;
    return 0;
}

// MS_PRIVATE first: the new mount must not travel back to the host.
int trstctl_mount_private_proc(void) {
    if (syscall(SYS_unshare, CLONE_NEWNS) == -1) return -1;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1) return -1;
    return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=ptraceable,subset=pid");
}

// Raw calls, because glibc's tell the other threads, which a clone does not have. Capabilities go last: the first
// three calls need them, and in a user namespace the process holds all of them there.
int trstctl_become_user(uint32_t user) {
    if (user && (syscall(SYS_setgroups, 0, NULL) == -1 || syscall(SYS_setresgid, user, user, user) == -1 ||
                 syscall(SYS_setresuid, user, user, user) == -1))
        return -1;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return (int)syscall(SYS_capset, &header, none);
}

int trstctl_filter_calls(const struct trstctl_spawn_request *request) {
    request->filter[request->filter_pid].k = (uint32_t)getpid();
    struct sock_fprog program = {.len = (unsigned short)request->filter_count, .filter = request->filter};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
