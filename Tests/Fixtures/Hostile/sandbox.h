// The rows about the sandbox: what a running connector tries by itself. Included by hostile.c.
//
// Each attempt is a line on stderr, `tried NAME ok` or `tried NAME ERRNO`. What must not work and does, or must and does
// not, is in `worked`, which the connector then answers its deployment with.
#include "../Confinement/attempts.h"

static char worked[4096] = "worked:";
static int is_needed;

static void tried(const char *name, long result) {
    char line[128];
    int error = result == -1 ? errno : 0;
    snprintf(line, sizeof line, error ? "tried %s %d\n" : "tried %s ok\n", name, error);
    if (write(2, line, strlen(line)) < 0) _exit(95);
    if ((error != 0) == is_needed) strncat(strcat(worked, is_needed ? " not " : " "), name, 64);
}

/// What the deployment's configuration says about the canaries, `NAME=value NAME=value`, goes into the environment, where
/// the attempts look for it.
static void learn_canaries(struct view text) {
    static char all[4096];
    if (text.count >= sizeof all) _exit(94);
    memcpy(all, text.data, text.count);
    for (char *rest = all, *one; (one = strtok_r(rest, " ", &rest));) putenv(one);
    setenv("DIRECTORY", directory, 1);
}

static void try_everything(void) {
    try_files();
    try_networks();
    try_local_sockets();
    try_processes();
    try_limits();
    try_descriptor_signals();
    try_shared_memory();
    try_namespaces();
}

static const struct {
    const char *name;
    void (*attempt)(void), (*need)(void);
} sandbox_rows[] = {
    {"nosy", try_everything, NULL},
    {"makes-files", try_own_directory, NULL},
    {"changes-files", try_changing_files, NULL},
    {"sends-by-pair", try_pairs, NULL},
    {"opens-sockets", try_sockets, NULL},
    {"opens-fast", try_fast_open, NULL},
    {"executes", try_programs, NULL},
    {"unties-itself", try_own_switches, NULL},
    {"writes-code", try_code, NULL},
    {"reads-proc", try_proc, NULL},
    {"meets-abstract", try_abstract_sockets, NULL},
    {"gains-privileges", try_privileges, need_privileges_gone},
    {"calls-unknown", try_unknown_call, NULL},
    {"rolls-dice", NULL, need_random},
};

/// The row's number and one, or 0.
static unsigned sandbox_row(void) {
    for (unsigned i = 0; i < sizeof sandbox_rows / sizeof *sandbox_rows; i++)
        if (is(sandbox_rows[i].name)) return i + 1;
    return 0;
}

/// Makes the row's attempts.
///
/// \return whether everything is as it must be.
static int stays_inside(void) {
    unsigned row = sandbox_row() - 1;
    if (sandbox_rows[row].attempt) sandbox_rows[row].attempt();
    is_needed = 1;
    if (sandbox_rows[row].need) sandbox_rows[row].need();
    return !strcmp(worked, "worked:");
}
