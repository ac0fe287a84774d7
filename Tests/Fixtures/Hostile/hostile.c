// A connector that misbehaves: one program, many cases. It learns its case from the name under which it was started,
// `trstctl-connector-<case>`. It speaks the protocol by hand, so that it can also break it by hand.
//
// Compiled at test time with -DSCRATCH="…", a directory with `victim.sock`, a listener that nobody may reach.
// It is small and slow on purpose, and trusts the host that tests it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

#define KEYWORD "TRSTCTL-PLUGIN-V1 "

static const char *test_case;
static const char *directory;
static char socket_path[512];
static int connection = -1;

static int is(const char *name) { return strcmp(test_case, name) == 0; }

#include "sandbox.h"

// MARK: Frames

static void send_all(const void *data, size_t count) {
    const char *next = data;
    while (count) {
        ssize_t written = write(connection, next, is("byte-by-byte") ? 1 : count);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) _exit(97);
        next += written;
        count -= written;
    }
}

static void append_frame(struct bytes *to, struct bytes frame) {
    unsigned char length[4] = {frame.count >> 24, frame.count >> 16, frame.count >> 8, frame.count};
    put(to, length, 4);
    put(to, frame.data, frame.count);
    free(frame.data);
}

static void send_frame(struct bytes frame) {
    struct bytes all = {0};
    append_frame(&all, frame);
    send_all(all.data, all.count);
    free(all.data);
}

/// A frame from the host: a call (kind 2), a reply (3) or a cancellation (4).
struct frame {
    unsigned id, kind;
    /// Of a call.
    unsigned char token[64];
    size_t token_count;
    unsigned method;
    struct view arguments;
    /// Of a reply.
    unsigned code;
};

static unsigned char *received;

static int read_all(unsigned char *to, size_t count) {
    while (count) {
        ssize_t got = read(connection, to, count);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return 0;
        to += got;
        count -= got;
    }
    return 1;
}

static int receive(struct frame *frame) {
    unsigned char length[4];
    if (!read_all(length, 4)) return 0;
    size_t count = (size_t)length[0] << 24 | length[1] << 16 | length[2] << 8 | length[3];
    received = realloc(received, count + 1);
    if (!received || !read_all(received, count)) return 0;
    memset(frame, 0, sizeof *frame);
    struct view rest = {received, count};
    struct field field, part;
    while (take_field(&rest, &field)) {
        if (field.number == 1) {
            frame->id = field.value;
            continue;
        }
        frame->kind = field.number;
        struct view content = field.data;
        if (field.number == 3) frame->code = find(find(content, 1).data, 1).value;
        while (field.number == 2 && take_field(&content, &part)) {
            if (part.number == 2) {
                frame->token_count = part.data.count < 64 ? part.data.count : 64;
                memcpy(frame->token, part.data.data, frame->token_count);
            } else if (part.number >= 16) {
                frame->method = part.number;
                frame->arguments = part.data;
            }
        }
    }
    return 1;
}

enum { HELLO = 16, CONFIGURE = 17, READ = 18, APPLY = 20, PING = 25, SHUTDOWN = 26, WRITE_FILE = 101, LOG = 109 };

static struct bytes call_frame(
    unsigned id, const unsigned char *token, size_t token_count, unsigned scope_call, unsigned method,
    struct bytes arguments) {
    struct bytes call = {0}, frame = {0};
    if (token_count) put_data(&call, 2, token, token_count);
    if (scope_call) put_number(&call, 3, scope_call);
    put_message(&call, method, arguments);
    put_number(&frame, 1, id);
    put_message(&frame, 2, call);
    return frame;
}

static struct bytes reply_frame(unsigned id, unsigned code, const char *message, unsigned method, struct bytes result) {
    struct bytes status = {0}, reply = {0}, frame = {0};
    if (code) put_number(&status, 1, code);
    if (message) put_text(&status, 2, message);
    put_message(&reply, 1, status);
    if (!code) put_message(&reply, method, result);
    put_number(&frame, 1, id);
    put_message(&frame, 3, reply);
    return frame;
}

static struct bytes nothing(void) { return (struct bytes){0}; }

static struct bytes log_arguments(const char *text) {
    struct bytes arguments = {0};
    put_text(&arguments, 2, text);
    return arguments;
}

// MARK: Brokered calls

static unsigned next_id = 1;
static int shutdown_id;

/// Makes a call and returns the status code of its reply; a Shutdown that comes meanwhile is remembered.
static unsigned ask(const unsigned char *token, size_t token_count, unsigned scope_call, unsigned method,
                    struct bytes arguments) {
    unsigned id = next_id++;
    send_frame(call_frame(id, token, token_count, scope_call, method, arguments));
    struct frame frame;
    while (receive(&frame)) {
        if (frame.kind == 3 && frame.id == id) return frame.code;
        if (frame.kind == 2 && frame.method == SHUTDOWN) shutdown_id = frame.id;
    }
    return 1000;
}

static char target_path[4200];

static unsigned write_file(const struct frame *scope, const char *path) {
    struct bytes arguments = {0}, segment = {0};
    put_text(&arguments, 1, path);
    put_text(&segment, 1, "written by a hostile connector\n");
    put_message(&arguments, 2, segment);
    return ask(scope->token, scope->token_count, scope->id, WRITE_FILE, arguments);
}

// MARK: Handshake

static int listen_at(const char *path, int type) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int listener = socket(AF_UNIX, type, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address)
        || (type != SOCK_DGRAM && listen(listener, 4))) {
        perror("listen");
        _exit(96);
    }
    return listener;
}

static void say(int descriptor, const char *text) {
    if (write(descriptor, text, strlen(text)) < 0) _exit(95);
}

static void announce(const char *before, const char *path, const char *after) {
    char line[1024];
    snprintf(line, sizeof line, "%s%s%s", before, path, after);
    say(1, line);
}

static void wait_forever(void) {
    for (;;) poll(NULL, 0, -1);
}

static void announce_path(const char *path) {
    announce(KEYWORD, path, "\n");
    wait_forever();
}

static void before_the_line(void) {
    char path[600];
    if (is("silent")) wait_forever();
    if (is("junk")) {
        say(1, "Hello, I am a connector!\n");
        wait_forever();
    }
    if (is("endless-line")) {
        for (int i = 0; i < 5000; i++) say(1, "x");
        wait_forever();
    }
    if (is("endless-output")) {
        static char block[1 << 16];
        memset(block, 'x', sizeof block);
        for (;;)
            if (write(1, block, sizeof block) < 0) _exit(95);
    }
    if (is("trickles")) {
        for (;;) {
            say(1, "T");
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        }
    }
    if (is("leaves")) _exit(0);
    if (is("no-line-feed")) {
        announce(KEYWORD, socket_path, "");
        _exit(0);
    }
    if (is("partial")) {
        say(1, "TRSTCTL-PLU");
        _exit(0);
    }
    if (is("closed-stdout")) {
        close(1);
        wait_forever();
    }
    if (is("exits")) {
        say(2, "no licence file\n");
        _exit(3);
    }
    if (is("signalled")) __builtin_trap();
    if (is("forks")) {
        pid_t child = fork();
        if (child == 0) wait_forever();
        char text[64];
        snprintf(text, sizeof text, "fork: %d\n", child < 0 ? errno : 0);
        say(2, text);
        _exit(3);
    }
    if (is("child-holds-stderr") || is("escaped-child")) {
        pid_t child = fork();
        if (child == 0) {
            if (is("escaped-child")) setsid();
            signal(SIGTERM, SIG_IGN);
            wait_forever();
        }
        char text[64];
        snprintf(text, sizeof text, "child %d\n", (int)child);
        say(2, text);
        _exit(3);
    }
    if (is("foreign")) announce_path(SCRATCH "/victim.sock");
    if (is("dot-dot")) {
        snprintf(path, sizeof path, "%s/../victim.sock", directory);
        announce_path(path);
    }
    if (is("sub-directory")) {
        snprintf(path, sizeof path, "%s/sub/../s", directory);
        announce_path(path);
    }
    if (is("two-slashes")) {
        snprintf(path, sizeof path, "%s//s", directory);
        announce_path(path);
    }
    if (is("relative")) announce_path("s");
    if (is("abstract")) announce_path("@trstctl");
    if (is("empty-path")) announce_path("");
    if (is("missing")) announce_path(socket_path);
    if (is("link")) {
        if (symlink(SCRATCH "/victim.sock", socket_path)) _exit(94);
        announce_path(socket_path);
    }
    if (is("regular-file")) {
        if (open(socket_path, O_WRONLY | O_CREAT, 0600) < 0) _exit(94);
        announce_path(socket_path);
    }
    if (is("fifo")) {
        if (mkfifo(socket_path, 0600)) _exit(94);
        announce_path(socket_path);
    }
    if (is("seqpacket")) {
        listen_at(socket_path, SOCK_SEQPACKET);
        announce_path(socket_path);
    }
    if (is("datagram")) {
        listen_at(socket_path, SOCK_DGRAM);
        announce_path(socket_path);
    }
    if (is("heir")) {
        // A child that shares the descriptors listens and is gone: the socket is here, and the listener is nobody.
        pid_t child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
        if (child == 0) {
            listen_at(socket_path, SOCK_STREAM);
            syscall(SYS_exit, 0);
        }
        waitpid(child, NULL, 0);
        announce_path(socket_path);
    }
    if (is("squatted")) {
        int ready[2];
        if (pipe(ready)) _exit(94);
        if (fork() == 0) {
            int listener = listen_at(socket_path, SOCK_STREAM);
            if (write(ready[1], "", 1) != 1) _exit(94);
            int peer = accept(listener, NULL, NULL);
            char byte;
            if (read(peer, &byte, 1) == 1) say(2, "the host spoke to a stranger\n");
            wait_forever();
        }
        char byte;
        if (read(ready[0], &byte, 1) != 1) _exit(94);
        announce_path(socket_path);
    }
}

static void the_line(void) {
    if (is("version-two")) announce("TRSTCTL-PLUGIN-V2 ", socket_path, "\n");
    else if (is("version-padded")) announce("TRSTCTL-PLUGIN-V01 ", socket_path, "\n");
    else if (is("lower-case")) announce("trstctl-plugin-v1 ", socket_path, "\n");
    else if (is("banner")) announce("Connector 1.0 (c) 1987\n" KEYWORD, socket_path, "\n");
    else if (is("byte-order-mark")) announce("\xef\xbb\xbf" KEYWORD, socket_path, "\n");
    else if (is("carriage-return")) announce(KEYWORD, socket_path, "\r\n");
    else if (is("two-blanks")) announce(KEYWORD " ", socket_path, "\n");
    else if (is("more-words")) announce(KEYWORD, socket_path, " and more\n");
    else if (is("escape-in-path")) announce(KEYWORD, socket_path, "\x1b[2J\n");
    else if (is("line-feed-in-path")) announce(KEYWORD, socket_path, "\nand more\n");
    else if (is("not-utf8-path")) announce(KEYWORD, socket_path, "\xff\n");
    else if (is("combining-path")) announce(KEYWORD, socket_path, "\xcc\xb8\n");
    else if (is("tab")) announce("TRSTCTL-PLUGIN-V1\t", socket_path, "\n");
    else if (is("split-line")) {
        announce("TRSTCTL-", "", "");
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        announce("PLUGIN-V1 ", socket_path, "");
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        say(1, "\n");
    } else announce(KEYWORD, socket_path, "\n");
    if (is("exits-after-line")) {
        say(2, "second thoughts\n");
        _exit(4);
    }
}

static void describe_upload(struct bytes *description);
static void grant_upload(struct bytes *response);

// MARK: Serving

static void answer_hello(const struct frame *call) {
    if (is("exits-after-accept")) {
        say(2, "third thoughts\n");
        _exit(5);
    }
    if (is("talks")) say(2, "here I am\n");
    if (is("hello-silent")) wait_forever();
    if (is("hello-garbage")) send_all("\0\0\0\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 20);
    if (is("hello-huge")) send_all("\xff\xff\xff\xff", 4);
    if (is("hello-refused")) {
        send_frame(reply_frame(call->id, 9, "not \x1b[31mtoday", 0, nothing()));
        return;
    }
    if (is("early")) send_frame(call_frame(1, NULL, 0, 0, LOG, log_arguments("too early")));

    struct bytes hello = {0}, about = {0}, description = {0}, field = {0}, need = {0};
    put_number(&hello, 1, is("future") ? 0 : is("lying-version") ? 9 : 1);
    put_number(&hello, 2, is("future") ? 7 : 1);
    if (is("future")) put_number(&hello, 2, 9);
    put_text(&about, 1, "hostile");
    put_text(&about, 2, "1.0");
    put_message(&hello, 3, about);
    put_text(&description, 1, is("wrong-name") ? "oth\x1b" "er" : test_case);
    put_text(&field, 1, "path");
    put_number(&field, 2, 4);
    put_message(&description, 3, field);
    if (sandbox_row()) {
        struct bytes canaries = {0};
        put_text(&canaries, 1, "canaries");
        put_message(&description, 3, canaries);
    }
    put_number(&need, 1, 2);
    put_text(&need, 2, "do harm");
    put_message(&description, 4, need);
    struct bytes commands = {0};
    put_number(&commands, 1, 4);
    put_text(&commands, 2, "waste time");
    put_message(&description, 4, commands);
    describe_upload(&description);
    if (is("wants-key")) put_number(&description, 6, 1);
    put_message(&hello, 6, description);
    send_frame(reply_frame(call->id, 0, NULL, HELLO, hello));
}

static struct frame last_scope;

/// What was configured last time for each target.
static struct {
    char target[64], path[sizeof target_path];
} configured[8];

/// Makes `target_path` that of a target; one that is new takes a free place.
static char *choose_target(struct view name) {
    unsigned place = 0;
    while (place < 7 && configured[place].target[0]
           && (strlen(configured[place].target) != name.count
               || memcmp(configured[place].target, name.data, name.count)))
        place++;
    memcpy(configured[place].target, name.data, name.count < 63 ? name.count : 63);
    strcpy(target_path, configured[place].path);
    return configured[place].path;
}

static void answer_configure(const struct frame *call) {
    struct view arguments = call->arguments;
    struct field field;
    char *remembered = choose_target(find(arguments, 1).data);
    while (take_field(&arguments, &field)) {
        if (field.number != 2) continue;
        struct field name = find(field.data, 1), text = find(find(field.data, 2).data, 1);
        if (name.data.count == 4 && memcmp(name.data.data, "path", 4) == 0 && text.data.count < sizeof target_path)
            memcpy(target_path, text.data.data, text.data.count);
        if (name.data.count == 8 && memcmp(name.data.data, "canaries", 8) == 0) learn_canaries(text.data);
    }
    strcpy(remembered, target_path);
    struct bytes response = {0}, grant = {0};
    put_number(&grant, 1, 2);
    put_text(&grant, 2, target_path);
    if (target_path[0]) put_message(&response, 1, grant);
    grant_upload(&response);
    if (is("hogs") || is("cancels")) {
        struct bytes sleep = {0};
        put_number(&sleep, 1, 4);
        put_text(&sleep, 2, "/bin/sleep");
        put_text(&sleep, 2, "600");
        put_message(&response, 1, sleep);
    }
    send_frame(reply_frame(call->id, 0, NULL, CONFIGURE, response));
}

/// Sends many calls at once; returns how many were answered with RESOURCE_EXHAUSTED.
static unsigned call_many(unsigned count) {
    struct bytes all = {0};
    for (unsigned i = 0; i < count; i++)
        append_frame(&all, call_frame(next_id++, NULL, 0, 0, LOG, log_arguments("many")));
    send_all(all.data, all.count);
    free(all.data);
    unsigned refused = 0;
    struct frame frame;
    for (unsigned i = 0; i < count; i++) {
        if (!receive(&frame)) _exit(93);
        if (frame.code == 8) refused++;
    }
    return refused;
}

/// What breaks the protocol in a Ping or a Read.
///
/// \param other a method whose result is not the call's.
/// \return whether the call is answered.
static int misbehave(const struct frame *call, unsigned other) {
    unsigned id = call->id;
    if (is("huge-frame")) send_all("\xff\xff\xff\xff", 4);
    if (is("frame-2g")) send_all("\x7f\xff\xff\xff", 4);
    if (is("frame-high")) send_all("\x80\0\0\0", 4);
    if (is("over-limit")) send_all("\0\x40\0\1", 4);
    if (is("swapped-length")) send_all("\x10\0\0\0", 4);
    if (is("empty-frame")) send_all("\0\0\0\0", 4);
    if (is("garbage")) send_all("\0\0\0\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 20);
    if (is("long-varint")) send_all("\0\0\0\x0c\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 16);
    if (is("negative-length")) send_all("\0\0\0\x0b\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 15);
    if (is("group")) send_all("\0\0\0\x02\x0b\x0c", 6);
    if (is("wire-type-7")) send_all("\0\0\0\x01\x0f", 5);
    if (is("field-zero")) send_all("\0\0\0\x02\x00\x01", 6);
    if (is("no-kind")) send_all("\0\0\0\x02\x08\x07", 6);
    if (is("announces")) {
        send_all("\0\x40\0\0", 4);
        wait_forever();
    }
    if (is("bomb")) {
        // Frame { id, reply { plan { changes: [{}, {}, ...] } } }
        struct bytes changes = {0}, reply = {0}, frame = {0};
        for (int i = 0; i < 1000000; i++) put(&changes, "\x0a", 2);
        put_message(&reply, 1, nothing());
        put_message(&reply, 19, changes);
        put_number(&frame, 1, id);
        put_message(&frame, 3, reply);
        send_frame(frame);
    }
    if (is("deep")) {
        // Log with an unknown field in an unknown field, and so on.
        struct bytes inner = {0}, arguments = log_arguments("deep");
        for (int i = 0; i < 10000; i++) {
            struct bytes outer = {0};
            put_message(&outer, 900, inner);
            inner = outer;
        }
        put_message(&arguments, 900, inner);
        ask(NULL, 0, 0, LOG, arguments);
    }
    if (is("half-a-frame")) {
        send_all("\0\0\0\x40half", 8);
        close(connection);
        wait_forever();
    }
    if (is("hangs-up")) {
        shutdown(connection, SHUT_WR);
        wait_forever();
    }
    if (is("stops-listening")) {
        shutdown(connection, SHUT_RD);
        send_frame(call_frame(next_id++, NULL, 0, 0, LOG, log_arguments("whoever answers me will not be heard")));
        wait_forever();
    }
    if (is("exits-in-call")) {
        say(2, "giving \x1b[31mup\a\n");
        _exit(6);
    }
    if (is("mute")) wait_forever();
    if (is("unasked")) send_frame(reply_frame(99, 0, NULL, PING, nothing()));
    if (is("answers-twice")) send_frame(reply_frame(id, 0, NULL, other == PING ? READ : PING, nothing()));
    if (is("wrong-result")) {
        send_frame(reply_frame(id, 0, NULL, other, nothing()));
        return 1;
    }
    if (is("id-zero")) send_frame(call_frame(0, NULL, 0, 0, LOG, log_arguments("zero")));
    if (is("duplicate-id")) {
        send_frame(call_frame(5, NULL, 0, 0, LOG, log_arguments("one")));
        send_frame(call_frame(5, NULL, 0, 0, LOG, log_arguments("two")));
    }
    if (is("falling-id")) {
        send_frame(call_frame(5, NULL, 0, 0, LOG, log_arguments("one")));
        send_frame(call_frame(4, NULL, 0, 0, LOG, log_arguments("two")));
    }
    if (is("wrong-direction")) send_frame(call_frame(1, NULL, 0, 0, PING, nothing()));
    if (is("second-hello")) send_frame(call_frame(1, NULL, 0, 0, HELLO, nothing()));
    if (is("bad-text")) send_frame(call_frame(1, NULL, 0, 0, LOG, log_arguments("\xc3(")));
    if (is("stops-reading")) {
        // Large enough that no single read of the host takes in more calls than it would refuse one by one.
        static char text[16384];
        memset(text, '?', sizeof text - 1);
        for (;;) send_frame(call_frame(next_id++, NULL, 0, 0, LOG, log_arguments(text)));
    }
    return 0;
}

/// Says how many bytes of a private key came with a call's deployment.
static void tell_key(const struct frame *call, const char *where) {
    char text[64];
    snprintf(text, sizeof text, "key in %s: %zu\n", where, find(find(call->arguments, 1).data, 9).data.count);
    say(2, text);
}

static void answer_read(const struct frame *call) {
    struct frame scope = *call;
    choose_target(find(find(call->arguments, 1).data, 1).data);
    if (is("wants-key") || is("looks-for-key")) tell_key(call, "read");
    if (misbehave(call, PING)) return;
    if (is("too-many-calls")) call_many(2000);
    if (is("many-calls")) {
        char text[64];
        snprintf(text, sizeof text, "refused calls: %u\n", call_many(1000));
        say(2, text);
    }
    if (is("never-reads")) wait_forever();
    if (is("exits-in-read")) {
        say(2, "read is hard\n");
        _exit(6);
    }
    if (is("writes-in-read")) {
        char text[64];
        snprintf(text, sizeof text, "write in read: %u\n", write_file(&scope, target_path));
        say(2, text);
    }
    struct bytes response = {0};
    if (is("claims-in-sync")) {
        char other[65] = {0};
        memset(other, 'a', 64);
        put_text(&response, 2, other);
        put_number(&response, 3, 1);
    }
    if (is("bad-fingerprint")) put_text(&response, 2, "deadbeef\x1b[2J");
    send_frame(reply_frame(scope.id, 0, NULL, READ, response));
}

/// One endless line on stdout, short ones on stderr; 200 MB.
static void flood(void) {
    static char blocks[2][1 << 16];
    memset(blocks, 'f', sizeof blocks);
    for (size_t at = 79; at < sizeof blocks[1]; at += 80) blocks[1][at] = '\n';
    for (int i = 0; i < 1600; i++)
        for (int descriptor = 1; descriptor <= 2; descriptor++) {
            size_t left = sizeof blocks[0];
            while (left) {
                ssize_t count = write(descriptor, blocks[descriptor - 1], left);
                if (count <= 0) _exit(95);
                left -= count;
            }
        }
}

static void report(const char *what, long value) {
    char text[128];
    snprintf(text, sizeof text, "%s: %ld\n", what, value);
    say(2, text);
}

/// A WriteFile with a path, or two, and so many bytes.
static unsigned write_much(const struct frame *scope, const char *first, const char *second, size_t count) {
    struct bytes arguments = {0}, segment = {0};
    char *content = calloc(count + 1, 1);
    put_text(&arguments, 1, first);
    if (second) put_text(&arguments, 1, second);
    put_data(&segment, 1, content, count);
    put_message(&arguments, 2, segment);
    free(content);
    return ask(scope->token, scope->token_count, scope->id, WRITE_FILE, arguments);
}

#include "bounds.h"

static void *sleeping(void *nothing) {
    wait_forever();
    return nothing;
}

static void exhaust(void) {
    if (is("spins")) {
        say(2, "spinning\n");
        for (volatile unsigned i = 0;; i++) continue;
    }
    if (is("hogs-memory")) {
        for (;;) {
            char *block = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (block == MAP_FAILED) _exit(8);
            memset(block, 1, 16 << 20);
        }
    }
    if (is("thread-bomb")) {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, 32768);
        pthread_t other;
        int error = 0, count = 0;
        for (; count < 100000 && !error; count++) error = pthread_create(&other, &attributes, sleeping, NULL);
        report("thread bomb stopped by", error);
    }
    if (is("traces")) syscall(SYS_ptrace, 0, 0, 0, 0);
    if (is("rings")) syscall(SYS_io_uring_setup, 1, NULL);
    if (is("unshares")) syscall(SYS_unshare, 0x10000000);
#if defined(__x86_64__)
    if (is("int80")) __asm__ volatile("int $0x80" : : "a"(20) : "memory");
    if (is("x32")) syscall(0x40000000 | SYS_getpid);
#endif
}

static void answer_apply(const struct frame *call) {
    struct frame scope = *call;
    choose_target(find(find(call->arguments, 1).data, 1).data);
    char summary[128] = "done";
    int is_recording = find(call->arguments, 2).value != 0;
    if (is("wants-key") || is("looks-for-key")) tell_key(call, is_recording ? "rehearsal" : "apply");
    unsigned char stranger[16] = {0};
    if (is("claims-in-sync")) {
        send_frame(reply_frame(scope.id, 0, NULL, APPLY, nothing()));
        return;
    }
    if (is("asks-beyond")) {
        char other[4300];
        snprintf(other, sizeof other, "%s.other", target_path);
        report(is_recording ? "beyond in rehearsal" : "beyond", write_file(&scope, other));
    }
    if (is("claims-blindly")) {
        // Nothing of it is ever allowed, in the rehearsal neither, and yet all went well.
        char other[4300];
        snprintf(other, sizeof other, "%s.other", target_path);
        write_file(&scope, other);
        struct bytes response = {0};
        put_number(&response, 1, 1);
        send_frame(reply_frame(scope.id, 0, NULL, APPLY, response));
        return;
    }
    if (!is_recording) {
        last_scope = scope;
        exhaust();
        meet_bounds(&scope);
        if (sandbox_row() && !stays_inside()) {
            send_frame(reply_frame(scope.id, 9, worked, 0, nothing()));
            return;
        }
        if (is("never-applies") || is("deaf")) {
            write_file(&scope, target_path);
            wait_forever();
        }
        if (is("breaks-off")) {
            write_file(&scope, target_path);
            send_all("\0\0\0\0", 4);
        }
        if (is("path-twice")) {
            char other[4300];
            snprintf(other, sizeof other, "%s.other", target_path);
            report("granted, then not", write_much(&scope, target_path, other, 8));
            report("not granted, then granted", write_much(&scope, other, target_path, 8));
        }
        if (is("sizes")) {
            report("no byte", write_much(&scope, target_path, NULL, 0));
            report("3 MiB", write_much(&scope, target_path, NULL, 3 << 20));
            report("one more", write_much(&scope, target_path, NULL, (3 << 20) + 1));
        }
        if (is("two-methods")) {
            // The last of a choice counts: this is a Log, and the write is not.
            struct bytes arguments = {0}, call_bytes = {0}, frame = {0};
            put_text(&arguments, 1, target_path);
            put_data(&call_bytes, 2, scope.token, scope.token_count);
            put_number(&call_bytes, 3, scope.id);
            put_message(&call_bytes, WRITE_FILE, arguments);
            put_message(&call_bytes, LOG, log_arguments("the last one counts"));
            put_number(&frame, 1, next_id++);
            put_message(&frame, 2, call_bytes);
            send_frame(frame);
            struct frame answer;
            if (receive(&answer)) report("two methods", answer.code);
            send_frame(reply_frame(scope.id, 9, "gave up", 0, nothing()));
            return;
        }
        if (is("many-denied") || is("million-calls")) {
            char other[4300];
            snprintf(other, sizeof other, "%s.other", target_path);
            unsigned denied = 0;
            for (unsigned i = 0; i < (is("many-denied") ? 5000 : 1000000); i++) denied += write_file(&scope, other) == 7;
            report("denied", denied);
        }
        if (is("logs-much")) {
            static char line[4096];
            memset(line, 'l', sizeof line - 1);
            for (int i = 0; i < 2000; i++) ask(scope.token, scope.token_count, scope.id, LOG, log_arguments(line));
        }
        if (is("hoards")) {
            // As many of the largest calls as the window has, and no reply is read.
            size_t count = 3 << 20;
            char *content = calloc(count, 1);
            say(2, "hoarding\n");
            for (int i = 0; i < 64; i++) {
                struct bytes arguments = {0}, segment = {0};
                put_text(&arguments, 1, target_path);
                put_data(&segment, 1, content, count);
                put_message(&arguments, 2, segment);
                send_frame(call_frame(next_id++, scope.token, scope.token_count, scope.id, WRITE_FILE, arguments));
            }
            say(2, "hoarded\n");
            wait_forever();
        }
        if (is("wrong-token")) {
            struct frame forged = scope;
            memcpy(forged.token, stranger, 16);
            snprintf(summary, sizeof summary, "wrong token: %u", write_file(&forged, target_path));
            send_frame(reply_frame(scope.id, 0, NULL, APPLY, nothing()));
            say(2, strcat(summary, "\n"));
            return;
        }
        if (is("wrong-call")) {
            struct frame forged = scope;
            forged.id += 1;
            snprintf(summary, sizeof summary, "wrong call: %u\n", write_file(&forged, target_path));
            say(2, summary);
            send_frame(reply_frame(scope.id, 0, NULL, APPLY, nothing()));
            return;
        }
        if (is("late-call")) {
            send_frame(reply_frame(scope.id, 0, NULL, APPLY, nothing()));
            snprintf(summary, sizeof summary, "late call: %u\n", write_file(&scope, target_path));
            say(2, summary);
            return;
        }
        if (is("claims-success")) {
            char other[4300];
            snprintf(other, sizeof other, "%s.other", target_path);
            snprintf(summary, sizeof summary, "denied: %u\n", write_file(&scope, other));
            say(2, summary);
            struct bytes response = {0};
            put_number(&response, 1, 1);
            put_text(&response, 2, "all is well");
            send_frame(reply_frame(scope.id, 0, NULL, APPLY, response));
            return;
        }
        if (is("unknown-method")) {
            unsigned code = ask(scope.token, scope.token_count, scope.id, 190, nothing());
            snprintf(summary, sizeof summary, "unknown method: %u\n", code);
            say(2, summary);
        }
        if (is("races-its-reply")) {
            // The host must not perform the write after it has put everything back.
            struct bytes arguments = {0}, segment = {0};
            put_text(&arguments, 1, target_path);
            put_text(&segment, 1, "too late\n");
            put_message(&arguments, 2, segment);
            send_frame(call_frame(next_id++, scope.token, scope.token_count, scope.id, WRITE_FILE, arguments));
            send_frame(reply_frame(scope.id, 9, "gave up", 0, nothing()));
            return;
        }
        if (is("cancels")) {
            struct bytes arguments = {0}, frame = {0};
            put_text(&arguments, 1, "/bin/sleep");
            put_text(&arguments, 1, "600");
            unsigned id = next_id++;
            send_frame(call_frame(id, scope.token, scope.token_count, scope.id, 105, arguments));
            poll(NULL, 0, 100);
            put_number(&frame, 1, id);
            put_message(&frame, 4, nothing());
            send_frame(frame);
            struct frame answer;
            if (receive(&answer)) report("cancelled", answer.id == id ? (long)answer.code : -1);
        }
        if (is("hogs")) {
            struct bytes all = {0};
            for (int i = 0; i < 60; i++) {
                struct bytes arguments = {0};
                put_text(&arguments, 1, "/bin/sleep");
                put_text(&arguments, 1, "600");
                append_frame(&all, call_frame(next_id++, scope.token, scope.token_count, scope.id, 105, arguments));
            }
            send_all(all.data, all.count);
            free(all.data);
            say(2, "hogging\n");
            struct frame answer;
            while (receive(&answer) && answer.kind != 4) continue;
            send_frame(reply_frame(scope.id, 1, "cancelled", 0, nothing()));
            return;
        }
        if (is("floods")) {
            flood();
            write_file(&scope, target_path);
            wait_forever();
        }
        if (is("exits-in-apply")) {
            write_file(&scope, target_path);
            _exit(7);
        }
        if (is("fails-loudly")) {
            char *message = malloc(1 << 20);
            memset(message, 'e', (1 << 20) - 1);
            memcpy(message, "\x1b[2J\nforged line", 16);
            message[(1 << 20) - 1] = 0;
            send_frame(reply_frame(scope.id, 9, message, 0, nothing()));
            return;
        }
    }
    // In the rehearsal, too, it says that it changed something.
    if (!is("changes-nothing")) write_file(&scope, target_path);
    struct bytes response = {0};
    put_number(&response, 1, 1);
    put_text(&response, 2, summary);
    send_frame(reply_frame(scope.id, 0, NULL, APPLY, response));
}

static void answer_ping(const struct frame *call) {
    unsigned id = call->id;
    char payload[64] = "pong";
    if (misbehave(call, READ)) return;
    if (is("waits-for-cancel")) {
        struct frame next;
        while (receive(&next) && !(next.kind == 4 && next.id == id)) continue;
        say(2, "cancelled\n");
        send_frame(reply_frame(id, 1, "cancelled", 0, nothing()));
        return;
    }
    if (is("unknown-method")) {
        unsigned code = ask(NULL, 0, 0, 190, nothing());
        snprintf(payload, sizeof payload, "%u", code);
    }
    if (is("many-calls")) snprintf(payload, sizeof payload, "%u", call_many(1000));
    if (is("too-many-calls")) snprintf(payload, sizeof payload, "%u", call_many(2000));
    if (is("floods")) flood();
    if (is("control-characters"))
        say(2, "\x1b[2J\x1b]0;owned\a\rroot@host# \xff\xfe\xe2\x80\xae" "evil\n");
    struct bytes response = {0};
    put_text(&response, 1, payload);
    send_frame(reply_frame(id, 0, NULL, PING, response));
}

static void serve(void) {
    struct frame frame;
    while (receive(&frame)) {
        if (frame.kind != 2) continue;
        switch (frame.method) {
        case HELLO: answer_hello(&frame); break;
        case CONFIGURE: answer_configure(&frame); break;
        case READ: answer_read(&frame); break;
        case APPLY: answer_apply(&frame); break;
        case PING: answer_ping(&frame); break;
        case SHUTDOWN: shutdown_id = frame.id; break;
        default: send_frame(reply_frame(frame.id, 12, NULL, 0, nothing()));
        }
        if (!shutdown_id) continue;
        if (is("calls-after-shutdown")) report("after shutdown", write_file(&last_scope, target_path));
        if (is("stubborn")) wait_forever();
        send_frame(reply_frame(shutdown_id, 0, NULL, SHUTDOWN, nothing()));
        _exit(0);
    }
    if (is("stubborn")) wait_forever();
}

int main(int argc, char **argv) {
    const char *name = argc ? strrchr(argv[0], '/') : NULL;
    name = name ? name + 1 : argc ? argv[0] : "";
    const char *prefix = "trstctl-connector-";
    test_case = strncmp(name, prefix, strlen(prefix)) == 0 ? name + strlen(prefix) : name;
    directory = getenv("TRSTCTL_PLUGIN_SOCKET_DIR");
    if (!directory) return 2;
    snprintf(socket_path, sizeof socket_path, "%s/s", directory);
    if (is("stubborn") || is("deaf")) signal(SIGTERM, SIG_IGN);
    if (is("deaf")) signal(SIGHUP, SIG_IGN);
#ifdef EVIL
    say(2, "these bytes were never pinned\n");
#endif

    before_the_line();
    if (is("many-sockets"))
        for (int i = 0; i < 3000; i++) {
            char path[600];
            snprintf(path, sizeof path, "%s/s%d", directory, i);
            close(listen_at(path, SOCK_STREAM));
        }
    int listener = listen_at(socket_path, SOCK_STREAM);
    the_line();
    if (is("closes-output")) {
        close(1);
        close(2);
    }
    connection = accept(listener, NULL, NULL);
    if (connection < 0) return 92;
    serve();
    return 0;
}
