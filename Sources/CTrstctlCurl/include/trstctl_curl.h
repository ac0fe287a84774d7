// libcurl, loaded when the first request is made: linking it would load some thirty libraries at every start of the
// host, most of which never makes a request.
//
// Each function does what libcurl's function of that name does; those with `set` and `get` are its variadic ones. None
// may be called before trstctl_curl_load has returned NULL.
#ifndef TRSTCTL_CURL_H
#define TRSTCTL_CURL_H

// Older names are wanted: newer ones are missing in the libcurl of some supported systems.
#define CURL_DISABLE_DEPRECATION 1
#include <curl/curl.h>
#include <stddef.h>

// Loads libcurl and initialises it with memory that is wiped when it is freed; once, whoever calls. Returns NULL, or
// what is wrong, in static memory.
const char *trstctl_curl_load(void);

CURL *trstctl_curl_easy_init(void);
void trstctl_curl_easy_cleanup(CURL *curl);
const char *trstctl_curl_easy_strerror(CURLcode code);
CURLcode trstctl_curl_easy_send(CURL *curl, const void *bytes, size_t count, size_t *sent);
CURLcode trstctl_curl_easy_recv(CURL *curl, void *bytes, size_t count, size_t *received);

// A long, also for options that want a curl_off_t on systems where both have 64 bits.
CURLcode trstctl_curl_set_long(CURL *curl, CURLoption option, long value);
CURLcode trstctl_curl_set_size(CURL *curl, CURLoption option, curl_off_t value);
// Strings are copied by libcurl; other pointers must outlive the transfer (curl_easy_setopt(3)).
CURLcode trstctl_curl_set_pointer(CURL *curl, CURLoption option, const void *value);
CURLcode trstctl_curl_set_list(CURL *curl, CURLoption option, struct curl_slist *value);
// The bytes are copied into libcurl's memory.
CURLcode trstctl_curl_set_blob(CURL *curl, CURLoption option, const void *bytes, size_t count);
CURLcode trstctl_curl_set_data_callback(
    CURL *curl, CURLoption option, size_t (*function)(char *, size_t, size_t, void *));
CURLcode trstctl_curl_set_open_callback(CURL *curl, curl_opensocket_callback function);
CURLcode trstctl_curl_set_socket_callback(CURL *curl, curl_sockopt_callback function);
CURLcode trstctl_curl_get_long(CURL *curl, CURLINFO info, long *value);
CURLcode trstctl_curl_get_socket(CURL *curl, curl_socket_t *value);

struct curl_slist *trstctl_curl_slist_append(struct curl_slist *list, const char *text);
void trstctl_curl_slist_free_all(struct curl_slist *list);

CURLM *trstctl_curl_multi_init(void);
void trstctl_curl_multi_cleanup(CURLM *multi);
CURLMcode trstctl_curl_multi_add_handle(CURLM *multi, CURL *curl);
CURLMcode trstctl_curl_multi_remove_handle(CURLM *multi, CURL *curl);
CURLMcode trstctl_curl_multi_perform(CURLM *multi, int *running);
CURLMcode trstctl_curl_multi_poll(CURLM *multi, struct curl_waitfd *extra, unsigned int count, int milliseconds);
// CURLMSG_DONE's result for the one transfer of a multi handle; -1 while it runs.
int trstctl_curl_result(CURLM *multi);

#endif
