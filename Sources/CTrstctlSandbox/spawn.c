#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#define PR_GET_MDWE 66
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

// Descriptors of the child, by number. Those after the script's are close-on-exec.
enum { PROGRAM_SLOT = TRSTCTL_SCRIPT_SLOT + 1, REPORT_SLOT, RULESET_SLOT, SLOTS, PARKING = 16 };

// The kernel's signal set: 64 bits. The raw call, because glibc's leaves out the two signals it uses itself.
static void set_signal_mask(const uint64_t *mask, uint64_t *before) {
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, before, sizeof *mask);
}

static int has_pid_namespace(uint32_t flags) {
    return flags & TRSTCTL_SPAWN_USER_NAMESPACE && flags & TRSTCTL_SPAWN_PRIVATE_PROC;
}

struct report {
    int stage;
    int error;
};

static _Noreturn void fail(int descriptor, int stage) {
    struct report report = {.stage = stage, .error = errno};
    ssize_t written = write(descriptor, &report, sizeof report);
    _exit(written == sizeof report ? 127 : 126);
}

// CLONE_CLEAR_SIGHAND resets handlers; what the host ignores (SIGPIPE) would stay ignored. A zeroed kernel sigaction is
// SIG_DFL on every architecture. SIGKILL and SIGSTOP answer EINVAL.
static void reset_signals(void) {
    const unsigned long fresh[4] = {0};
    for (int signal = 1; signal <= 64; signal++) syscall(SYS_rt_sigaction, signal, fresh, NULL, sizeof(uint64_t));
    const uint64_t none = 0;
    set_signal_mask(&none, NULL);
}

// Moves everything out of the way first, so that no slot overwrites a descriptor that is still needed.
static int arrange_descriptors(const struct trstctl_spawn_request *request, int *report) {
    int slots[SLOTS] = {
        request->standard_input, request->standard_output, request->standard_error, request->script,
        request->executable, *report, request->landlock_ruleset};
    if (slots[0] == -1 && (slots[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) == -1) return -1;
    for (int i = 0; i < SLOTS; i++)
        if (slots[i] != -1 && (slots[i] = fcntl(slots[i], F_DUPFD_CLOEXEC, PARKING)) == -1) return -1;
    *report = slots[REPORT_SLOT];
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i] == -1)
            close(i);
        else if (dup3(slots[i], i, i <= TRSTCTL_SCRIPT_SLOT ? 0 : O_CLOEXEC) == -1)
            return -1;
    }
    *report = REPORT_SLOT;
    return (int)syscall(SYS_close_range, SLOTS, ~0U, 0);
}

static int set_limit(const struct trstctl_spawn_limit *limit) {
    struct {
        uint64_t soft, hard;
    } present, wanted;
    if (syscall(SYS_prlimit64, 0, limit->resource, NULL, &present) == -1) return -1;
    wanted.soft = limit->value < present.hard ? limit->value : present.hard;
    wanted.hard = limit->soft_only ? present.hard : wanted.soft;
    return (int)syscall(SYS_prlimit64, 0, limit->resource, &wanted, NULL);
}

// One step of the child: its failure, or a failure that a test asks for, is reported and ends the child.
#define STEP(stage, call)                                                                       \
    do {                                                                                        \
        if (request->failing & 1u << TRSTCTL_STAGE_##stage) errno = ENOSYS;                     \
        if (request->failing & 1u << TRSTCTL_STAGE_##stage || (call) == -1)                     \
            fail(report, TRSTCTL_STAGE_##stage);                                                \
    } while (0)

// What the host prepares for the child.
struct preparation {
    int report;
    pid_t host;
    char uid_map[40], gid_map[40];
};

// The host may have died before the parent-death signal was asked for; in a pid namespace its number is not to be seen,
// but nobody is left to read the report.
static int arm_parent_death(int report, pid_t host, int sees_host) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1) return -1;
    struct pollfd reader = {.fd = report, .events = POLLOUT};
    if ((!sees_host || getppid() == host) && poll(&reader, 1, 0) != -1 && !(reader.revents & POLLERR)) return 0;
    errno = ESRCH;
    return -1;
}

// Runs in the child: only async-signal-safe calls, because other threads of the host held locks when it was cloned.
static _Noreturn void become(const struct trstctl_spawn_request *request, const struct preparation *prepared) {
    uint32_t flags = request->flags;
    int report = prepared->report, reads_proc = flags & TRSTCTL_SPAWN_PRIVATE_PROC;
    if (flags & TRSTCTL_SPAWN_USER_NAMESPACE)
        STEP(USER_NAMESPACE, trstctl_enter_user_namespace(prepared->uid_map, prepared->gid_map));
    if (request->cgroup_count || request->cgroup != -1)
        STEP(CGROUP, trstctl_join_cgroups(request->cgroups, request->cgroup_count));
    if (flags & TRSTCTL_SPAWN_NEW_SESSION) STEP(SESSION, setsid());
    STEP(DESCRIPTORS, arrange_descriptors(request, &report));
    reset_signals();
    for (size_t i = 0; i < request->limit_count; i++) STEP(LIMITS, set_limit(&request->limits[i]));

    if (flags & TRSTCTL_SPAWN_NETWORK) STEP(NETWORK, unshare(CLONE_NEWNET));
    if (flags & TRSTCTL_SPAWN_IPC) STEP(IPC, unshare(CLONE_NEWIPC));
    if (flags & TRSTCTL_SPAWN_UTS) STEP(UTS, unshare(CLONE_NEWUTS));
    if (flags & TRSTCTL_SPAWN_CGROUP_NAMESPACE) STEP(CGROUP_NAMESPACE, unshare(CLONE_NEWCGROUP));
    if (flags & TRSTCTL_SPAWN_PRIVATE_PROC) STEP(PROC, trstctl_mount_private_proc());
    if (request->user || flags & TRSTCTL_SPAWN_USER_NAMESPACE) STEP(USER, trstctl_become_user(request->user));

    umask(flags & TRSTCTL_SPAWN_PRIVATE_UMASK ? 077 : 022);
    if (flags & TRSTCTL_SPAWN_AT_ROOT) STEP(DIRECTORY, chdir("/"));
    if (flags & TRSTCTL_SPAWN_DIE_WITH_HOST)
        STEP(PARENT_DEATH, arm_parent_death(report, prepared->host, !has_pid_namespace(flags)));
    if (flags & TRSTCTL_SPAWN_NO_NEW_PRIVS) STEP(NO_NEW_PRIVS, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    if (flags & TRSTCTL_SPAWN_DENY_WRITE_EXEC)
        STEP(MDWE, prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0));
    if (request->landlock_ruleset != -1) STEP(LANDLOCK, trstctl_landlock_restrict(RULESET_SLOT, reads_proc));
    if (request->filter) STEP(SECCOMP, trstctl_filter_calls(request));

    if (flags & TRSTCTL_SPAWN_REHEARSAL) _exit(0);
    if (request->executable != -1)
        syscall(
            SYS_execveat, PROGRAM_SLOT, "", request->argv, request->envp, AT_EMPTY_PATH, request->execute_key);
    else
        execve(request->path, request->argv, request->envp);
    fail(report, TRSTCTL_STAGE_EXEC);
}

static int refuse(struct trstctl_spawn_result *result, int stage, int error) {
    *result = (struct trstctl_spawn_result){.pid = -1, .pidfd = -1, .stage = stage, .error = error};
    return -1;
}

static int64_t now_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Waits until something can be read: 1, or 0 when the time (CLOCK_MONOTONIC) is over.
static int wait_readable(int descriptor, int64_t until) {
    for (;;) {
        int64_t left = until - now_milliseconds();
        struct pollfd entry = {.fd = descriptor, .events = POLLIN};
        int count = poll(&entry, 1, left < 0 ? 0 : (int)left);
        if (count > 0) return 1;
        if (left <= 0) return 0;
    }
}

// A process that the kernel does not let go (a file system that does not answer) is left to init: one start must not
// stop all others.
static void kill_and_reap(int pidfd) {
    siginfo_t info;
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    if (wait_readable(pidfd, now_milliseconds() + 1000))
        while (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED) == -1 && errno == EINTR) continue;
    close(pidfd);
}

int trstctl_spawn(const struct trstctl_spawn_request *request, struct trstctl_spawn_result *result) {
    int confined = request->landlock_ruleset != -1 || request->filter;
    int runnable = request->executable != -1 || (request->path && request->path[0] == '/') ||
                   request->flags & TRSTCTL_SPAWN_REHEARSAL;
    if (!runnable || !request->argv || !request->envp ||
        (confined && !(request->flags & TRSTCTL_SPAWN_NO_NEW_PRIVS)) ||
        (request->user && request->flags & TRSTCTL_SPAWN_USER_NAMESPACE) ||
        (request->filter && request->filter_pid >= request->filter_count))
        return refuse(result, TRSTCTL_STAGE_REQUEST, EINVAL);

    int channel[2];
    if (pipe2(channel, O_CLOEXEC) == -1) return refuse(result, TRSTCTL_STAGE_PIPE, errno);

    // No signal may run one of the host's handlers in the child before its dispositions are reset.
    const uint64_t all = ~(uint64_t)0;
    uint64_t before = 0;
    int pidfd = -1;
    struct preparation prepared = {.report = channel[1], .host = getpid()};
    snprintf(prepared.uid_map, sizeof prepared.uid_map, "%u %u 1\n", geteuid(), geteuid());
    snprintf(prepared.gid_map, sizeof prepared.gid_map, "%u %u 1\n", getegid(), getegid());
    struct clone_args arguments = {
        .flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD};
    if (request->flags & TRSTCTL_SPAWN_USER_NAMESPACE) arguments.flags |= CLONE_NEWUSER;
    if (has_pid_namespace(request->flags)) arguments.flags |= CLONE_NEWPID;
    if (request->cgroup != -1) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)request->cgroup;
    }
    set_signal_mask(&all, &before);
    // The memory is copied on write and not shared (no CLONE_VM): PR_SET_MDWE belongs to the memory, and would
    // otherwise be set on the host.
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) become(request, &prepared);
    int error = errno;
    set_signal_mask(&before, NULL);
    close(channel[1]);
    if (pid == -1) {
        close(channel[0]);
        // What a group answers (clone(2)), and a namespace does not.
        if (request->cgroup != -1 && (error == EACCES || error == EBUSY || error == ENODEV || error == EOPNOTSUPP))
            return refuse(result, TRSTCTL_STAGE_CGROUP, error);
        int own = request->flags & TRSTCTL_SPAWN_USER_NAMESPACE;
        return refuse(result, own ? TRSTCTL_STAGE_USER_NAMESPACE : TRSTCTL_STAGE_CLONE, error);
    }

    // The writing end closes when the program starts (close-on-exec): no bytes means success.
    struct report report;
    ssize_t got;
    if (!wait_readable(channel[0], now_milliseconds() + request->patience)) {
        close(channel[0]);
        kill_and_reap(pidfd);
        return refuse(result, TRSTCTL_STAGE_REPORT, ETIMEDOUT);
    }
    do got = read(channel[0], &report, sizeof report);
    while (got == -1 && errno == EINTR);
    close(channel[0]);
    if (got == 0) {
        *result = (struct trstctl_spawn_result){.pid = (pid_t)pid, .pidfd = pidfd, .stage = TRSTCTL_STAGE_NONE};
        return 0;
    }
    kill_and_reap(pidfd);
    if (got != sizeof report) return refuse(result, TRSTCTL_STAGE_REPORT, EPROTO);
    return refuse(result, report.stage, report.error);
}

int trstctl_can_deny_write_exec(void) { return prctl(PR_GET_MDWE, 0, 0, 0, 0) != -1; }

const char *trstctl_spawn_stage_name(int stage) {
#define TRSTCTL_STAGE(name, text) text,
    static const char *const names[] = {TRSTCTL_STAGES(TRSTCTL_STAGE)};
    return stage >= 0 && stage < TRSTCTL_STAGE_COUNT ? names[stage] : "unknown";
}
