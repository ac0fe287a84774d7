// Output and calls that meet one of the host's bounds, and then a deployment as it should be. Part of hostile.c, which
// includes it behind what it needs.

/// The port in the name `uploads-<port>`; 0 under another name.
static int upload_port(void) { return strncmp(test_case, "uploads-", 8) == 0 ? atoi(test_case + 8) : 0; }

/// Says that it needs the network, and why.
static void describe_upload(struct bytes *description) {
    struct bytes network = {0};
    if (!upload_port()) return;
    put_number(&network, 1, 3);
    put_text(&network, 2, "keep the host waiting");
    put_message(description, 4, network);
}

/// Asks for the address of whoever reads slowly.
static void grant_upload(struct bytes *response) {
    struct bytes grant = {0};
    char address[32];
    if (!upload_port()) return;
    snprintf(address, sizeof address, "127.0.0.1:%d", upload_port());
    put_number(&grant, 1, 3);
    put_text(&grant, 2, address);
    put_message(response, 1, grant);
}

/// A PUT of 3 MiB, with 200 ms for it.
static unsigned upload(const struct frame *scope) {
    struct bytes request = {0}, segment = {0};
    char url[48], *body = calloc(3 << 20, 1);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", upload_port());
    put_text(&request, 1, "PUT");
    put_text(&request, 2, url);
    put_data(&segment, 1, body, 3 << 20);
    put_message(&request, 4, segment);
    put_number(&request, 5, 200);
    free(body);
    return ask(scope->token, scope->token_count, scope->id, 107, request);
}

/// As many of the largest calls as the window has, before a reply is read; returns how many met a bound.
static unsigned write_64_times(const struct frame *scope) {
    unsigned refused = 0;
    char *content = calloc(3 << 20, 1);
    for (int i = 0; i < 64; i++) {
        struct bytes arguments = {0}, segment = {0};
        put_text(&arguments, 1, target_path);
        put_data(&segment, 1, content, 3 << 20);
        put_message(&arguments, 2, segment);
        send_frame(call_frame(next_id++, scope->token, scope->token_count, scope->id, WRITE_FILE, arguments));
    }
    free(content);
    for (int i = 0; i < 64; i++) {
        struct frame answer;
        if (!receive(&answer)) _exit(93);
        refused += answer.code == 8;
    }
    return refused;
}

static void meet_bounds(const struct frame *scope) {
    if (is("prints-much")) flood();
    if (is("calls-with-much")) report("beyond the bound", write_64_times(scope));
    if (upload_port()) report("upload", upload(scope));
}
