// What breaks the protocol once it is spoken. Part of hostile.c.

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
