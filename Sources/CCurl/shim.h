// libcurl as Swift sees it: the headers, and functions in place of the variadic ones that Swift cannot call.
// Nothing but one-line wrappers belongs here. Each returns what libcurl returns.
#ifndef TRSTCTL_CCURL_SHIM_H
#define TRSTCTL_CCURL_SHIM_H

#include <curl/curl.h>

// The type checks of curl's macros want constants; the functions behind them are called instead.
static inline CURLcode trstctl_curl_set_long(CURL *curl, CURLoption option, long value) {
    return (curl_easy_setopt)(curl, option, value);
}
static inline CURLcode trstctl_curl_set_size(CURL *curl, CURLoption option, curl_off_t value) {
    return (curl_easy_setopt)(curl, option, value);
}
// Strings are copied by libcurl; other pointers must outlive the transfer (curl_easy_setopt(3)).
static inline CURLcode trstctl_curl_set_pointer(CURL *curl, CURLoption option, const void *value) {
    return (curl_easy_setopt)(curl, option, value);
}
static inline CURLcode trstctl_curl_set_list(CURL *curl, CURLoption option, struct curl_slist *value) {
    return (curl_easy_setopt)(curl, option, value);
}
// The bytes are copied (CURL_BLOB_COPY) into libcurl's memory.
static inline CURLcode trstctl_curl_set_blob(CURL *curl, CURLoption option, const void *bytes, size_t count) {
    struct curl_blob blob = {(void *)bytes, count, CURL_BLOB_COPY};
    return (curl_easy_setopt)(curl, option, &blob);
}
static inline CURLcode trstctl_curl_set_data_callback(
    CURL *curl, CURLoption option, size_t (*function)(char *, size_t, size_t, void *)) {
    return (curl_easy_setopt)(curl, option, function);
}
static inline CURLcode trstctl_curl_set_open_callback(CURL *curl, curl_opensocket_callback function) {
    return (curl_easy_setopt)(curl, CURLOPT_OPENSOCKETFUNCTION, function);
}
static inline CURLcode trstctl_curl_set_socket_callback(CURL *curl, curl_sockopt_callback function) {
    return (curl_easy_setopt)(curl, CURLOPT_SOCKOPTFUNCTION, function);
}
static inline CURLcode trstctl_curl_get_long(CURL *curl, CURLINFO info, long *value) {
    return (curl_easy_getinfo)(curl, info, value);
}
static inline CURLcode trstctl_curl_get_socket(CURL *curl, curl_socket_t *value) {
    return (curl_easy_getinfo)(curl, CURLINFO_ACTIVESOCKET, value);
}
// CURLMSG_DONE's result for the one transfer of a multi handle; -1 while it runs.
static inline int trstctl_curl_result(CURLM *multi) {
    int left = 0;
    CURLMsg *message = curl_multi_info_read(multi, &left);
    return message && message->msg == CURLMSG_DONE ? (int)message->data.result : -1;
}
static inline CURLMcode trstctl_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return (curl_multi_setopt)(multi, option, value);
}

#endif
