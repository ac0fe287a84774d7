// The one function that starts a process, and the Landlock ruleset that a connector runs under.
//
// Used for connectors (an executable descriptor, every layer) and for the commands the broker runs (an absolute path,
// a clean environment). Linux 5.9 or later: clone3 with CLONE_CLEAR_SIGHAND (5.5) and close_range (5.9) have no
// fallback, because Landlock, which connectors need, is younger (5.13) anyway.
#ifndef TRSTCTL_SANDBOX_H
#define TRSTCTL_SANDBOX_H

#include <linux/filter.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// The steps of a start, in the order in which they happen, each with its name for people. Numbers may change. Namespaces
// and the private /proc need privileges, so they precede the identity; a change of uid clears the parent-death signal;
// Landlock would forbid the mount.
#define TRSTCTL_STAGES(X)                                                                                       \
    X(NONE, "none")                                                                                             \
    X(REQUEST, "request") /* it contradicts itself */                                                           \
    X(PIPE, "pipe")                                                                                             \
    X(CLONE, "clone3")                                                                                          \
    X(REPORT, "report") /* half a report, or none in time */                                                    \
    X(USER_NAMESPACE, "user namespace")                                                                         \
    X(CGROUP, "cgroup")                                                                                         \
    X(SESSION, "setsid")                                                                                        \
    X(DESCRIPTORS, "descriptors")                                                                               \
    X(LIMITS, "rlimits")                                                                                        \
    X(NETWORK, "network namespace")                                                                             \
    X(IPC, "ipc namespace")                                                                                     \
    X(UTS, "uts namespace")                                                                                     \
    X(CGROUP_NAMESPACE, "cgroup namespace")                                                                     \
    X(PROC, "private /proc")                                                                                    \
    X(USER, "own user")                                                                                         \
    X(DIRECTORY, "chdir")                                                                                       \
    X(PARENT_DEATH, "parent-death signal")                                                                      \
    X(NO_NEW_PRIVS, "no_new_privs")                                                                             \
    X(MDWE, "mdwe")                                                                                             \
    X(LANDLOCK, "landlock")                                                                                     \
    X(SECCOMP, "seccomp")                                                                                       \
    X(EXEC, "exec")
enum trstctl_spawn_stage {
#define TRSTCTL_STAGE(name, text) TRSTCTL_STAGE_##name,
    TRSTCTL_STAGES(TRSTCTL_STAGE)
#undef TRSTCTL_STAGE
    TRSTCTL_STAGE_COUNT
};

// The name of a stage, for example "landlock"; "unknown" for a number that is none.
const char *trstctl_spawn_stage_name(int stage);

// One resource limit, set as soft and hard limit; lowered to the present hard limit when that is smaller.
struct trstctl_spawn_limit {
    int resource;  // RLIMIT_*
    int soft_only;  // the hard limit stays
    uint64_t value;
};

enum trstctl_spawn_flag {
    TRSTCTL_SPAWN_NEW_SESSION = 1u << 0,     // setsid(2): own session and process group
    TRSTCTL_SPAWN_NO_NEW_PRIVS = 1u << 1,    // prctl(PR_SET_NO_NEW_PRIVS)
    TRSTCTL_SPAWN_DIE_WITH_HOST = 1u << 2,   // prctl(PR_SET_PDEATHSIG, SIGKILL), and a check that it is not too late
    TRSTCTL_SPAWN_PRIVATE_UMASK = 1u << 3,   // umask 077; otherwise 022
    TRSTCTL_SPAWN_AT_ROOT = 1u << 4,         // chdir /
    TRSTCTL_SPAWN_DENY_WRITE_EXEC = 1u << 5, // prctl(PR_SET_MDWE), Linux 6.3
    // Each of these is empty when new, and ends with the process.
    TRSTCTL_SPAWN_NETWORK = 1u << 6,
    TRSTCTL_SPAWN_IPC = 1u << 7,
    TRSTCTL_SPAWN_UTS = 1u << 8,
    TRSTCTL_SPAWN_CGROUP_NAMESPACE = 1u << 9,
    // Own mounts, and a /proc that shows the process itself and nothing else; Landlock then lets it be read. In a user
    // namespace it takes a pid namespace, in which the process is number 1.
    TRSTCTL_SPAWN_PRIVATE_PROC = 1u << 10,
    TRSTCTL_SPAWN_USER_NAMESPACE = 1u << 11, // the caller's uid and gid, and no other; no capability is kept
    TRSTCTL_SPAWN_REHEARSAL = 1u << 12       // every step but the last: nothing runs, success is exit status 0
};

// The descriptor that a script has when its interpreter starts, which opens it as /proc/self/fd/3.
enum { TRSTCTL_SCRIPT_SLOT = 3 };

// Everything the child is. Descriptors are borrowed: they stay open in the caller and keep their flags.
struct trstctl_spawn_request {
    // What runs: a descriptor (execveat with AT_EMPTY_PATH), or -1 and an absolute path.
    int executable;
    const char *path;
    int script;         // stays open as TRSTCTL_SCRIPT_SLOT, or -1
    char *const *argv;  // NULL-terminated
    char *const *envp;  // NULL-terminated and complete: nothing is inherited

    int standard_input;  // -1 opens /dev/null
    int standard_output;
    int standard_error;

    const struct trstctl_spawn_limit *limits;
    size_t limit_count;
    uint32_t flags;  // TRSTCTL_SPAWN_*

    int landlock_ruleset;  // from trstctl_landlock_ruleset, or -1; needs NO_NEW_PRIVS
    // The filter of system calls, or NULL; needs NO_NEW_PRIVS. The child writes its process number into one instruction
    // of its own copy, and passes the key as sixth argument of execveat, which takes five: the filter lets through
    // the launcher's call and no other.
    struct sock_filter *filter;
    size_t filter_count;
    size_t filter_pid;
    uint64_t execute_key;

    // A group of version 2 (its directory, or -1) is where the child begins. One of version 1 it must join, through an
    // open `tasks` file.
    int cgroup;
    const int *cgroups;
    size_t cgroup_count;
    uint32_t user;       // uid and gid of the process, without supplementary groups or capabilities; 0 keeps the caller's
    int patience;        // milliseconds until a start that neither succeeded nor failed is given up
    uint32_t failing;    // for tests: 1 << stage, of steps that fail with ENOSYS as if the kernel lacked them
};

struct trstctl_spawn_result {
    pid_t pid;
    int pidfd;  // close-on-exec; the caller closes it
    int stage;  // where it failed, TRSTCTL_STAGE_NONE on success
    int error;  // the errno of that stage
};

// Starts the process and waits until it runs the program or has failed. Returns 0, or -1 with stage and error set and
// nothing left behind: no process, no descriptor. Call it on a thread that never ends: the parent-death signal fires
// when the *thread* that cloned ends (PR_SET_PDEATHSIG(2const)).
int trstctl_spawn(const struct trstctl_spawn_request *request, struct trstctl_spawn_result *result);

// True when the kernel knows PR_SET_MDWE.
int trstctl_can_deny_write_exec(void);

// What may be done beneath (or with) an opened O_PATH descriptor.
struct trstctl_landlock_rule {
    int descriptor;
    uint64_t access;  // LANDLOCK_ACCESS_FS_*
};

// The Landlock ABI of the running kernel, or -1 with errno (ENOSYS: not built in, EOPNOTSUPP: switched off).
int trstctl_landlock_abi(void);

// The bit mask of its corrected errors, or -1 where the kernel does not tell (before 6.15).
int trstctl_landlock_errata(void);

// A ruleset (close-on-exec) that denies everything the running kernel can deny, except what the rules grant; -1 with
// errno. `*abi` tells which version was used.
int trstctl_landlock_ruleset(const struct trstctl_landlock_rule *rules, size_t count, int *abi);

#endif
