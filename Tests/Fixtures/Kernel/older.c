// Runs a program as if the kernel were an older one: `older LAYER PROGRAM ARGUMENTS…`. The system call that brings the
// layer answers ENOSYS, to the program and to all that it starts.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ANY 0xffffffff

static const struct {
    const char *layer;
    unsigned call;
    /// The first argument, or any.
    unsigned argument;
} layers[] = {
    {"landlock", SYS_landlock_create_ruleset, ANY}, {"namespaces", SYS_unshare, ANY}, {"user", SYS_setresuid, ANY},
    {"parent-death", SYS_prctl, PR_SET_PDEATHSIG}, {"no_new_privs", SYS_prctl, PR_SET_NO_NEW_PRIVS},
    {"mdwe", SYS_prctl, 65}, {"seccomp", SYS_seccomp, ANY},
};

int main(int count, char **arguments) {
    if (count < 3) return 2;
    unsigned row = 0, rows = sizeof layers / sizeof *layers;
    while (row < rows && strcmp(layers[row].layer, arguments[1])) row++;
    if (row == rows) return 2;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, layers[row].call, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, layers[row].argument, 0, layers[row].argument == ANY ? 0 : 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) return 3;
    execv(arguments[2], arguments + 2);
    return 4;
}
