// Deployments: what uses the machine up, misuses its scope, or lies about what was done. Part of hostile.c.

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
