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

#include "handshake.h"

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
    if (is("never-configures")) wait_forever();
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

#include "violations.h"

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
#include "apply.h"

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
