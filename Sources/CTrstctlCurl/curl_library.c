// dlopen(3) of libcurl, and one line for each of its functions.
#include "trstctl_curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// The macros of curl's headers that check types would come in the way of the names.
#undef curl_easy_setopt
#undef curl_easy_getinfo

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

CURL *trstctl_curl_easy_init(void) { return library.curl_easy_init_(); }
void trstctl_curl_easy_cleanup(CURL *curl) { library.curl_easy_cleanup_(curl); }
const char *trstctl_curl_easy_strerror(CURLcode code) { return library.curl_easy_strerror_(code); }
CURLcode trstctl_curl_easy_send(CURL *curl, const void *bytes, size_t count, size_t *sent) {
    return library.curl_easy_send_(curl, bytes, count, sent);
}
CURLcode trstctl_curl_easy_recv(CURL *curl, void *bytes, size_t count, size_t *received) {
    return library.curl_easy_recv_(curl, bytes, count, received);
}

CURLcode trstctl_curl_set_long(CURL *curl, CURLoption option, long value) {
    return library.curl_easy_setopt_(curl, option, value);
}
CURLcode trstctl_curl_set_size(CURL *curl, CURLoption option, curl_off_t value) {
    return library.curl_easy_setopt_(curl, option, value);
}
CURLcode trstctl_curl_set_pointer(CURL *curl, CURLoption option, const void *value) {
    return library.curl_easy_setopt_(curl, option, value);
}
CURLcode trstctl_curl_set_list(CURL *curl, CURLoption option, struct curl_slist *value) {
    return library.curl_easy_setopt_(curl, option, value);
}
CURLcode trstctl_curl_set_blob(CURL *curl, CURLoption option, const void *bytes, size_t count) {
    struct curl_blob blob = {(void *)bytes, count, CURL_BLOB_COPY};
    return library.curl_easy_setopt_(curl, option, &blob);
}
CURLcode trstctl_curl_set_data_callback(
    CURL *curl, CURLoption option, size_t (*function)(char *, size_t, size_t, void *)) {
    return library.curl_easy_setopt_(curl, option, function);
}
CURLcode trstctl_curl_set_open_callback(CURL *curl, curl_opensocket_callback function) {
    return library.curl_easy_setopt_(curl, CURLOPT_OPENSOCKETFUNCTION, function);
}
CURLcode trstctl_curl_set_socket_callback(CURL *curl, curl_sockopt_callback function) {
    return library.curl_easy_setopt_(curl, CURLOPT_SOCKOPTFUNCTION, function);
}
CURLcode trstctl_curl_get_long(CURL *curl, CURLINFO info, long *value) {
    return library.curl_easy_getinfo_(curl, info, value);
}
CURLcode trstctl_curl_get_socket(CURL *curl, curl_socket_t *value) {
    return library.curl_easy_getinfo_(curl, CURLINFO_ACTIVESOCKET, value);
}

struct curl_slist *trstctl_curl_slist_append(struct curl_slist *list, const char *text) {
    return library.curl_slist_append_(list, text);
}
void trstctl_curl_slist_free_all(struct curl_slist *list) { library.curl_slist_free_all_(list); }

CURLM *trstctl_curl_multi_init(void) { return library.curl_multi_init_(); }
void trstctl_curl_multi_cleanup(CURLM *multi) { library.curl_multi_cleanup_(multi); }
CURLMcode trstctl_curl_multi_add_handle(CURLM *multi, CURL *curl) {
    return library.curl_multi_add_handle_(multi, curl);
}
CURLMcode trstctl_curl_multi_remove_handle(CURLM *multi, CURL *curl) {
    return library.curl_multi_remove_handle_(multi, curl);
}
CURLMcode trstctl_curl_multi_perform(CURLM *multi, int *running) { return library.curl_multi_perform_(multi, running); }
CURLMcode trstctl_curl_multi_poll(CURLM *multi, struct curl_waitfd *extra, unsigned int count, int milliseconds) {
    return library.curl_multi_poll_(multi, extra, count, milliseconds, NULL);
}
int trstctl_curl_result(CURLM *multi) {
    int left = 0;
    CURLMsg *message = library.curl_multi_info_read_(multi, &left);
    return message && message->msg == CURLMSG_DONE ? (int)message->data.result : -1;
}
