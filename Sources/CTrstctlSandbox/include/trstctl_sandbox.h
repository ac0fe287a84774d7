// The one function that starts a process, and the two kernel filters a connector runs under.
//
// Used for connectors (an executable descriptor, every layer) and for the commands the broker runs (an absolute path,
// a clean environment). Linux 5.9 or later: clone3 with CLONE_CLEAR_SIGHAND (5.5) and close_range (5.9) have no
// fallback, because Landlock, which connectors need, is younger (5.13) anyway.
#ifndef TRSTCTL_SANDBOX_H
#define TRSTCTL_SANDBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// The steps of a start, in the order in which they happen. Numbers may change; names are for people.
enum trstctl_spawn_stage {
    TRSTCTL_STAGE_NONE = 0,
    TRSTCTL_STAGE_REQUEST,  // the request contradicts itself
    TRSTCTL_STAGE_THREAD,   // the spawning thread could not be made
    TRSTCTL_STAGE_PIPE,
    TRSTCTL_STAGE_CLONE,
    TRSTCTL_STAGE_REPORT,  // the child ended with half a report
    TRSTCTL_STAGE_SESSION,
    TRSTCTL_STAGE_DESCRIPTORS,
    TRSTCTL_STAGE_LIMITS,
    // Room for the full confinement: namespaces, private /proc, identity. They belong here, in this order, because
    // the parent-death signal is cleared by a change of uid and Landlock would forbid the mount.
    TRSTCTL_STAGE_DIRECTORY,
    TRSTCTL_STAGE_PARENT_DEATH,
    TRSTCTL_STAGE_NO_NEW_PRIVS,
    TRSTCTL_STAGE_MDWE,
    TRSTCTL_STAGE_LANDLOCK,
    TRSTCTL_STAGE_SECCOMP,
    TRSTCTL_STAGE_EXEC,
    TRSTCTL_STAGE_COUNT
};

// The name of a stage, for example "landlock"; "unknown" for a number that is none.
const char *trstctl_spawn_stage_name(int stage);

// One resource limit, set as soft and hard limit; lowered to the present hard limit when that is smaller.
struct trstctl_spawn_limit {
    int resource;  // RLIMIT_*
    uint64_t value;
};

enum trstctl_spawn_flag {
    TRSTCTL_SPAWN_NEW_SESSION = 1u << 0,     // setsid(2): own session and process group
    TRSTCTL_SPAWN_NO_NEW_PRIVS = 1u << 1,    // prctl(PR_SET_NO_NEW_PRIVS)
    TRSTCTL_SPAWN_DIE_WITH_HOST = 1u << 2,   // prctl(PR_SET_PDEATHSIG, SIGKILL), and a check that it is not too late
    TRSTCTL_SPAWN_PRIVATE_UMASK = 1u << 3,   // umask 077
    TRSTCTL_SPAWN_AT_ROOT = 1u << 4,         // chdir /
    TRSTCTL_SPAWN_DENY_WRITE_EXEC = 1u << 5  // prctl(PR_SET_MDWE), Linux 6.3
};

enum trstctl_seccomp_profile {
    TRSTCTL_SECCOMP_NONE = 0,
    TRSTCTL_SECCOMP_CONNECTOR  // the allowlist of seccomp.c; static and dynamic executables need the same calls
};

// Everything the child is. Descriptors are borrowed: they stay open in the caller and keep their flags.
struct trstctl_spawn_request {
    // What runs: a descriptor (execveat with AT_EMPTY_PATH), or -1 and an absolute path.
    int executable;
    const char *path;
    char *const *argv;  // NULL-terminated
    char *const *envp;  // NULL-terminated and complete: nothing is inherited

    int standard_input;  // -1 opens /dev/null
    int standard_output;
    int standard_error;

    const struct trstctl_spawn_limit *limits;
    size_t limit_count;
    uint32_t flags;  // TRSTCTL_SPAWN_*

    int landlock_ruleset;  // from trstctl_landlock_ruleset, or -1; needs NO_NEW_PRIVS
    int seccomp_profile;   // TRSTCTL_SECCOMP_*; needs NO_NEW_PRIVS

    // Room for the full confinement: uid and gid, namespaces, a cgroup descriptor (CLONE_INTO_CGROUP), a private /proc.
};

struct trstctl_spawn_result {
    pid_t pid;
    int pidfd;  // close-on-exec; the caller closes it
    int stage;  // where it failed, TRSTCTL_STAGE_NONE on success
    int error;  // the errno of that stage
};

// Starts the process and waits until it runs the program or has failed. Returns 0, or -1 with stage and error set and
// nothing left behind: no process, no descriptor. Thread-safe. All starts happen on one thread that never ends, because
// the parent-death signal fires when the *thread* that cloned ends (PR_SET_PDEATHSIG(2const)).
int trstctl_spawn(const struct trstctl_spawn_request *request, struct trstctl_spawn_result *result);

// True when the kernel knows PR_SET_MDWE.
int trstctl_can_deny_write_exec(void);

// Landlock access rights, landlock(7). Debian 12's header ends at REFER.
#define TRSTCTL_LANDLOCK_EXECUTE 0x1u
#define TRSTCTL_LANDLOCK_WRITE_FILE 0x2u
#define TRSTCTL_LANDLOCK_READ_FILE 0x4u
#define TRSTCTL_LANDLOCK_READ_DIR 0x8u
#define TRSTCTL_LANDLOCK_MAKE_SOCK 0x200u

// What may be done beneath (or with) an opened O_PATH descriptor.
struct trstctl_landlock_rule {
    int descriptor;
    uint64_t access;
};

// The Landlock ABI of the running kernel, or -1 with errno (ENOSYS: not built in, EOPNOTSUPP: switched off).
int trstctl_landlock_abi(void);

// A ruleset (close-on-exec) that denies everything the running kernel can deny, except what the rules grant; -1 with
// errno. `*abi` tells which version was used.
int trstctl_landlock_ruleset(const struct trstctl_landlock_rule *rules, size_t count, int *abi);

#endif
