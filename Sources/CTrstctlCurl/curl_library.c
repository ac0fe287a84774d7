// dlopen(3) of libcurl, and one line for each of its functions.
#include "trstctl_curl.h"

// Older names are wanted: newer ones are missing in the libcurl of some supported systems.
#define CURL_DISABLE_DEPRECATION 1
#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// The macros of curl's headers that check types would come in the way of the names.
#undef curl_easy_setopt
#undef curl_easy_getinfo

#define X(name) const int trstctl_CURLOPT_##name = CURLOPT_##name;
TRSTCTL_CURL_OPTIONS(X)
#undef X
#define X(name) const int trstctl_CURLE_##name = CURLE_##name;
TRSTCTL_CURL_RESULTS(X)
#undef X
const long trstctl_CURLPROTO_HTTP = CURLPROTO_HTTP;
const long trstctl_CURLPROTO_HTTPS = CURLPROTO_HTTPS;
const long trstctl_CURL_HTTP_VERSION_1_1 = CURL_HTTP_VERSION_1_1;
const long trstctl_CURL_SSLVERSION_TLSv1_2 = CURL_SSLVERSION_TLSv1_2;
_Static_assert(TRSTCTL_CURL_ERROR_SIZE == CURL_ERROR_SIZE, "curl's bound");

#define FUNCTIONS(X)                                                                                                   \
    X(curl_global_init_mem) X(curl_easy_init) X(curl_easy_cleanup) X(curl_easy_strerror) X(curl_easy_send)             \
    X(curl_easy_recv) X(curl_easy_setopt) X(curl_easy_getinfo) X(curl_slist_append) X(curl_slist_free_all)             \
    X(curl_multi_init) X(curl_multi_cleanup) X(curl_multi_add_handle) X(curl_multi_remove_handle)                      \
    X(curl_multi_perform) X(curl_multi_poll) X(curl_multi_info_read)

#define DECLARE(name) __typeof__(&name) name##_;
static struct { FUNCTIONS(DECLARE) } library;

// Memory: overwritten before it is freed, because libcurl copies credentials and never wipes them. The size stands in
// front of the block; malloc's alignment is kept.
#define HEADER 16

static void *prepare(unsigned char *block, size_t size) {
    if (!block) return NULL;
    memcpy(block, &size, sizeof size);
    return block + HEADER;
}

static size_t size_of(void *memory) {
    size_t size;
    memcpy(&size, (unsigned char *)memory - HEADER, sizeof size);
    return size;
}

static void *wiping_malloc(size_t size) {
    return size > SIZE_MAX - HEADER ? NULL : prepare(malloc(size + HEADER), size);
}

static void *wiping_calloc(size_t count, size_t size) {
    if (size && count > (SIZE_MAX - HEADER) / size) return NULL;
    return prepare(calloc(1, count * size + HEADER), count * size);
}

static void wiping_free(void *memory) {
    if (!memory) return;
    explicit_bzero(memory, size_of(memory));
    free((unsigned char *)memory - HEADER);
}

static void *wiping_realloc(void *memory, size_t size) {
    void *next = wiping_malloc(size);
    if (!next || !memory) return next;
    size_t old = size_of(memory);
    memcpy(next, memory, old < size ? old : size);
    wiping_free(memory);
    return next;
}

static char *wiping_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = wiping_malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

static const char *failure;

static void load(void) {
    // RTLD_NODELETE: libcurl's libraries register things that must not vanish.
    void *handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle) {
        failure = "libcurl.so.4 cannot be loaded";
        return;
    }
#define RESOLVE(name)                                                                                                  \
    library.name##_ = (__typeof__(&name))dlsym(handle, #name);                                                         \
    if (!library.name##_) failure = "libcurl.so.4 lacks " #name;
    FUNCTIONS(RESOLVE)
    if (failure) return;
    CURLcode code = library.curl_global_init_mem_(
        CURL_GLOBAL_ALL, wiping_malloc, wiping_free, wiping_realloc, wiping_strdup, wiping_calloc);
    if (code != CURLE_OK) failure = "libcurl cannot be initialised";
}

const char *trstctl_curl_load(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return failure;
}

trstctl_curl *trstctl_curl_easy_init(void) { return library.curl_easy_init_(); }
void trstctl_curl_easy_cleanup(trstctl_curl *curl) { library.curl_easy_cleanup_(curl); }
const char *trstctl_curl_easy_strerror(int code) { return library.curl_easy_strerror_((CURLcode)code); }
int trstctl_curl_easy_send(trstctl_curl *curl, const void *bytes, size_t count, size_t *sent) {
    return (int)library.curl_easy_send_(curl, bytes, count, sent);
}
int trstctl_curl_easy_recv(trstctl_curl *curl, void *bytes, size_t count, size_t *received) {
    return (int)library.curl_easy_recv_(curl, bytes, count, received);
}

int trstctl_curl_set_long(trstctl_curl *curl, int option, long value) {
    return (int)library.curl_easy_setopt_(curl, (CURLoption)option, value);
}
int trstctl_curl_set_pointer(trstctl_curl *curl, int option, const void *value) {
    return (int)library.curl_easy_setopt_(curl, (CURLoption)option, value);
}
int trstctl_curl_set_list(trstctl_curl *curl, int option, trstctl_curl_list *value) {
    return (int)library.curl_easy_setopt_(curl, (CURLoption)option, (struct curl_slist *)value);
}
int trstctl_curl_set_blob(trstctl_curl *curl, int option, const void *bytes, size_t count) {
    struct curl_blob blob = {(void *)bytes, count, CURL_BLOB_COPY};
    return (int)library.curl_easy_setopt_(curl, (CURLoption)option, &blob);
}
int trstctl_curl_set_body(trstctl_curl *curl, const void *bytes, size_t count) {
    CURLcode code = library.curl_easy_setopt_(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
    // No bytes are an empty text, for NULL means something else.
    return (int)(code ? code : library.curl_easy_setopt_(curl, CURLOPT_POSTFIELDS, count ? bytes : ""));
}

// The socket that is connected already, once; libcurl closes it.
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    (void)address;
    int *connection = context;
    int taken = *connection;
    *connection = -1;
    return taken;
}

// Without this libcurl would connect it again, to where its own URL leads.
static int is_connected(void *context, curl_socket_t socket, curlsocktype purpose) {
    (void)context;
    (void)socket;
    (void)purpose;
    return CURL_SOCKOPT_ALREADY_CONNECTED;
}

int trstctl_curl_set_callbacks(
    trstctl_curl *curl, void *context, trstctl_curl_data header, trstctl_curl_data body, int *connection, char *error) {
    CURLcode code = library.curl_easy_setopt_(curl, CURLOPT_HEADERDATA, context);
    if (!code) code = library.curl_easy_setopt_(curl, CURLOPT_WRITEDATA, context);
    if (!code) code = library.curl_easy_setopt_(curl, CURLOPT_HEADERFUNCTION, header);
    if (!code) code = library.curl_easy_setopt_(curl, CURLOPT_WRITEFUNCTION, body);
    if (!code) code = library.curl_easy_setopt_(curl, CURLOPT_OPENSOCKETDATA, connection);
    if (!code) code = library.curl_easy_setopt_(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    if (!code) code = library.curl_easy_setopt_(curl, CURLOPT_SOCKOPTFUNCTION, is_connected);
    return (int)(code ? code : library.curl_easy_setopt_(curl, CURLOPT_ERRORBUFFER, error));
}
int trstctl_curl_get_verification(trstctl_curl *curl, long *value) {
    return (int)library.curl_easy_getinfo_(curl, CURLINFO_SSL_VERIFYRESULT, value);
}
int trstctl_curl_get_socket(trstctl_curl *curl, int *value) {
    return (int)library.curl_easy_getinfo_(curl, CURLINFO_ACTIVESOCKET, value);
}

trstctl_curl_list *trstctl_curl_slist_append(trstctl_curl_list *list, const char *text) {
    return library.curl_slist_append_(list, text);
}
void trstctl_curl_slist_free_all(trstctl_curl_list *list) { library.curl_slist_free_all_(list); }

trstctl_curl_multi *trstctl_curl_multi_init(void) { return library.curl_multi_init_(); }
void trstctl_curl_multi_cleanup(trstctl_curl_multi *multi) { library.curl_multi_cleanup_(multi); }
int trstctl_curl_multi_add_handle(trstctl_curl_multi *multi, trstctl_curl *curl) {
    return (int)library.curl_multi_add_handle_(multi, curl);
}
int trstctl_curl_multi_remove_handle(trstctl_curl_multi *multi, trstctl_curl *curl) {
    return (int)library.curl_multi_remove_handle_(multi, curl);
}
int trstctl_curl_multi_perform(trstctl_curl_multi *multi, int *running) {
    return (int)library.curl_multi_perform_(multi, running);
}
int trstctl_curl_multi_poll(trstctl_curl_multi *multi, int wake, int milliseconds) {
    struct curl_waitfd extra = {wake, CURL_WAIT_POLLIN, 0};
    return (int)library.curl_multi_poll_(multi, wake < 0 ? NULL : &extra, wake < 0 ? 0 : 1, milliseconds, NULL);
}
int trstctl_curl_result(trstctl_curl_multi *multi) {
    int left = 0;
    CURLMsg *message = library.curl_multi_info_read_(multi, &left);
    return message && message->msg == CURLMSG_DONE ? (int)message->data.result : -1;
}
