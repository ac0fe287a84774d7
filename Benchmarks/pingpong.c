// What C can do on this machine, to be divided by: a blocking echo of length-prefixed frames between parent and child
// over a Unix socket, and the start of a static C plugin that does trstctl's handshake without any verification.
//
//   pingpong echo SIZE COUNT          median round trip of SIZE bytes
//   pingpong start COUNT              median time from before the start to the first answer of 64 bytes
//   pingpong plugin                   the plugin that `start` starts
//
// Prints nanoseconds. Built with: cc -O2 -static pingpong.c -o pingpong
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAXIMUM = 4 << 20, FIRST = 64 };

static _Noreturn void fail(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_median(int64_t *times, size_t count) {
    qsort(times, count, sizeof *times, by_value);
    printf("%lld\n", (long long)times[count / 2]);
}

static void send_all(int fd, const char *from, size_t count) {
    while (count > 0) {
        ssize_t sent = write(fd, from, count);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) fail("write");
        from += sent;
        count -= (size_t)sent;
    }
}

// A whole frame in as few reads as the kernel allows; false at the end of the stream.
static int receive_frame(int fd, char *to, size_t *length) {
    size_t have = 0, want = 4;
    while (have < want) {
        ssize_t got = read(fd, to + have, MAXIMUM + 4 - have);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) fail("read");
        if (got == 0) return 0;
        have += (size_t)got;
        if (want == 4 && have >= 4) {
            uint32_t announced;
            memcpy(&announced, to, 4);
            want = 4 + ntohl(announced);
            if (want > MAXIMUM + 4) fail("a frame that is too long");
        }
    }
    *length = have;
    return 1;
}

static void set_buffer(int fd) {
    int size = 512 << 10;  // as trstctl does
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static void serve(int fd) {
    char *buffer = malloc(MAXIMUM + 4);
    size_t length;
    set_buffer(fd);
    while (receive_frame(fd, buffer, &length)) send_all(fd, buffer, length);
    free(buffer);
}

static void put_frame(char *frame, size_t size) {
    uint32_t prefix = htonl((uint32_t)size);
    memcpy(frame, &prefix, 4);
    memset(frame + 4, 'x', size);
}

static void echo(size_t size, size_t count) {
    int ends[2];
    if (size < 1 || size > MAXIMUM || count < 1) exit(2);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1) fail("socketpair");
    pid_t child = fork();
    if (child == -1) fail("fork");
    if (child == 0) {
        close(ends[0]);
        serve(ends[1]);
        _exit(0);
    }
    close(ends[1]);
    set_buffer(ends[0]);
    char *frame = malloc(size + 4), *answer = malloc(MAXIMUM + 4);
    int64_t *times = calloc(count, sizeof *times);
    put_frame(frame, size);
    size_t warm_up = count / 10 + 1;
    for (size_t i = 0; i < warm_up + count; i++) {
        size_t length;
        int64_t begin = now();
        send_all(ends[0], frame, size + 4);
        if (!receive_frame(ends[0], answer, &length) || length != size + 4) fail("no answer");
        if (i >= warm_up) times[i - warm_up] = now() - begin;
    }
    close(ends[0]);
    waitpid(child, NULL, 0);
    print_median(times, count);
}

static void plugin(void) {
    const char *directory = getenv("TRSTCTL_PLUGIN_SOCKET_DIR");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!directory) exit(2);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", directory);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) == -1 || listen(listener, 1) == -1) fail("bind");
    dprintf(1, "TRSTCTL-PLUGIN-V1 %s\n", address.sun_path);
    serve(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    unlink(address.sun_path);
}

static int64_t start_once(const char *self, const char *directory) {
    char variable[256], line[512], frame[FIRST + 4];
    static char answer[MAXIMUM + 4];
    snprintf(variable, sizeof variable, "TRSTCTL_PLUGIN_SOCKET_DIR=%s", directory);
    char *arguments[] = {"pingpong", "plugin", NULL}, *environment[] = {variable, NULL};
    int64_t begin = now();
    int output[2];
    if (pipe2(output, O_CLOEXEC) == -1) fail("pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output[1], 1);
    pid_t child;
    errno = posix_spawn(&child, self, &actions, NULL, arguments, environment);
    if (errno) fail("posix_spawn");
    posix_spawn_file_actions_destroy(&actions);
    close(output[1]);
    size_t have = 0;
    while (have == 0 || line[have - 1] != '\n') {
        ssize_t got = read(output[0], line + have, sizeof line - 1 - have);
        if (got <= 0) fail("no handshake line");
        have += (size_t)got;
    }
    line[have - 1] = 0;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", strchr(line, ' ') + 1);
    int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) == -1) fail("connect");
    put_frame(frame, FIRST);
    send_all(connection, frame, sizeof frame);
    size_t length;
    if (!receive_frame(connection, answer, &length)) fail("no answer");
    int64_t time = now() - begin;
    close(connection);
    close(output[0]);
    waitpid(child, NULL, 0);
    return time;
}

static void start(size_t count) {
    char self[4096], directory[] = "/tmp/pingpong.XXXXXX";
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0 || count < 1) exit(2);
    self[length] = 0;
    if (!mkdtemp(directory)) fail("mkdtemp");
    int64_t *times = calloc(count, sizeof *times);
    for (size_t i = 0; i < count; i++) times[i] = start_once(self, directory);
    rmdir(directory);
    print_median(times, count);
}

int main(int count, char **arguments) {
    if (count == 4 && !strcmp(arguments[1], "echo"))
        echo(strtoul(arguments[2], NULL, 10), strtoul(arguments[3], NULL, 10));
    else if (count == 3 && !strcmp(arguments[1], "start"))
        start(strtoul(arguments[2], NULL, 10));
    else if (count == 2 && !strcmp(arguments[1], "plugin"))
        plugin();
    else {
        fprintf(stderr, "usage: pingpong echo SIZE COUNT | start COUNT\n");
        return 2;
    }
    return 0;
}
