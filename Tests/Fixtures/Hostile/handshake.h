// How it begins: what comes before the line, in its place, and the socket that it names. Part of hostile.c.

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
