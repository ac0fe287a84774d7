// Shared by the files of this target only.
#ifndef TRSTCTL_SANDBOX_INTERNAL_H
#define TRSTCTL_SANDBOX_INTERNAL_H

#include "trstctl_sandbox.h"

// The descriptor number that the program has in the child; the seccomp filter names it.
enum { TRSTCTL_PROGRAM_SLOT = 3 };

// Clones, prepares and executes on the calling thread.
int trstctl_spawn_here(const struct trstctl_spawn_request *request, struct trstctl_spawn_result *result);

// Called in the child only: async-signal-safe. 0, or -1 with errno.
int trstctl_landlock_restrict(int ruleset);
int trstctl_seccomp_install(void);

#endif
