#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(LANDLOCK_ACCESS_FS_MAKE_SYM == 1u << 12 && LANDLOCK_ACCESS_FS_REFER == 1u << 13, "landlock bits");

// Own definitions: the header may be older than the kernel. The kernel takes a shorter structure from older callers
// and answers E2BIG to a longer one with bits it does not know, so the size always goes with the ABI.
struct ruleset_attributes {
    uint64_t fs;      // ABI 1
    uint64_t net;     // ABI 4
    uint64_t scoped;  // ABI 6
};
_Static_assert(sizeof(struct ruleset_attributes) == 24, "landlock_ruleset_attr, as of ABI 6");
_Static_assert(sizeof(struct landlock_path_beneath_attr) == 12, "landlock_path_beneath_attr is packed");

enum { NET_BIND_TCP = 1, NET_CONNECT_TCP = 2, SCOPE_ABSTRACT_UNIX = 1, SCOPE_SIGNAL = 2 };

// Every file system right of an ABI: 13 in the first, then REFER (2), TRUNCATE (3), IOCTL_DEV (5), RESOLVE_UNIX (9).
static uint64_t file_rights(int abi) {
    int bits = 13 + (abi >= 2) + (abi >= 3) + (abi >= 5) + (abi >= 9);
    return ((uint64_t)1 << bits) - 1;
}

int trstctl_landlock_abi(void) {
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

int trstctl_landlock_errata(void) {  // Linux 6.15: LANDLOCK_CREATE_RULESET_ERRATA
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1u << 1);
}

int trstctl_landlock_ruleset(const struct trstctl_landlock_rule *rules, size_t count, int *abi) {
    *abi = trstctl_landlock_abi();
    if (*abi < 1) return -1;
    struct ruleset_attributes attributes = {.fs = file_rights(*abi)};
    size_t size = sizeof attributes.fs;
    if (*abi >= 4) {
        attributes.net = NET_BIND_TCP | NET_CONNECT_TCP;
        size = 2 * sizeof attributes.fs;
    }
    if (*abi >= 6) {
        attributes.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
        size = sizeof attributes;
    }
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset == -1) return -1;
    for (size_t i = 0; i < count; i++) {
        struct landlock_path_beneath_attr rule = {
            .allowed_access = rules[i].access & attributes.fs, .parent_fd = rules[i].descriptor};
        if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == -1) {
            int error = errno;
            close(ruleset);
            errno = error;
            return -1;
        }
    }
    return ruleset;
}

int trstctl_landlock_restrict(int ruleset, int reads_proc) {
    if (reads_proc) {  // this mount's own, which the host could not open when it made the ruleset
        struct landlock_path_beneath_attr rule = {
            .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
            .parent_fd = open("/proc", O_PATH | O_CLOEXEC)};
        if (rule.parent_fd == -1 ||
            syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == -1)
            return -1;
        close(rule.parent_fd);
    }
    return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}
