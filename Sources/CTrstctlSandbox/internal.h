// Shared by the files of this target only.
#ifndef TRSTCTL_SANDBOX_INTERNAL_H
#define TRSTCTL_SANDBOX_INTERNAL_H

#include "trstctl_sandbox.h"

// Called in the child only: async-signal-safe. 0, or -1 with errno.
int trstctl_enter_user_namespace(const char *uid_map, const char *gid_map);
int trstctl_join_cgroups(const int *cgroups, size_t count);
int trstctl_mount_private_proc(void);
int trstctl_become_user(uint32_t user);
int trstctl_landlock_restrict(int ruleset, int reads_proc);
int trstctl_filter_calls(const struct trstctl_spawn_request *request);

#endif
