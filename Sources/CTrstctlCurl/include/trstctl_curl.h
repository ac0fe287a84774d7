// libcurl, loaded when the first request is made: linking it would load some thirty libraries at every start of the
// host, most of which never makes a request.
//
// curl's own headers are not included here: they include the system's, which Swift would then find in two modules.
// Each function does what libcurl's function of that name does; those with `set` and `get` are its variadic ones. None
// may be called before trstctl_curl_load has returned NULL.
#ifndef TRSTCTL_CURL_H
#define TRSTCTL_CURL_H

#include <stddef.h>
#include <stdint.h>

// The options and results that are used, by curl's names.
#define TRSTCTL_CURL_OPTIONS(X) \
    X(AWS_SIGV4) X(CAINFO_BLOB) X(CAPATH) X(CONNECTTIMEOUT) X(CONNECT_ONLY) \
    X(CUSTOMREQUEST) X(DISALLOW_USERNAME_IN_URL) X(FOLLOWLOCATION) X(FRESH_CONNECT) X(HTTP09_ALLOWED) \
    X(HTTP_CONTENT_DECODING) X(HTTP_VERSION) X(NETRC) X(NOBODY) X(NOPROGRESS) X(NOPROXY) X(NOSIGNAL) \
    X(PASSWORD) X(PATH_AS_IS) X(PINNEDPUBLICKEY) X(POST) X(PROTOCOLS) X(PROXY) \
    X(REDIR_PROTOCOLS) X(SSLCERT_BLOB) X(SSLKEY_BLOB) X(SSLVERSION) X(SSL_ENABLE_ALPN) \
    X(SSL_SESSIONID_CACHE) X(SSL_VERIFYHOST) X(SSL_VERIFYPEER) X(URL) X(USERNAME) X(HTTPHEADER) X(RESOLVE)
#define TRSTCTL_CURL_RESULTS(X) \
    X(AGAIN) X(BAD_CONTENT_ENCODING) X(GOT_NOTHING) X(HTTP2) X(OK) X(PARTIAL_FILE) \
    X(PEER_FAILED_VERIFICATION) X(RECV_ERROR) X(SEND_ERROR) X(SSL_CACERT_BADFILE) X(SSL_CERTPROBLEM) \
    X(SSL_CIPHER) X(SSL_CONNECT_ERROR) X(SSL_PINNEDPUBKEYNOTMATCH) X(UNSUPPORTED_PROTOCOL) \
    X(WEIRD_SERVER_REPLY)
#define X(name) extern const int trstctl_CURLOPT_##name;
TRSTCTL_CURL_OPTIONS(X)
#undef X
#define X(name) extern const int trstctl_CURLE_##name;
TRSTCTL_CURL_RESULTS(X)
#undef X
extern const long trstctl_CURLPROTO_HTTP;
extern const long trstctl_CURLPROTO_HTTPS;
extern const long trstctl_CURL_HTTP_VERSION_1_1;
extern const long trstctl_CURL_SSLVERSION_TLSv1_2;
#define TRSTCTL_CURL_ERROR_SIZE 256

typedef void trstctl_curl;
typedef void trstctl_curl_multi;
typedef void trstctl_curl_list;

// Takes a header line or a piece of the body, and returns how much of it was taken.
typedef size_t (*trstctl_curl_data)(char *bytes, size_t size, size_t count, void *context);

// Loads libcurl and initialises it with memory that is wiped when it is freed; once, whoever calls. Returns NULL, or
// what is wrong, in static memory.
const char *trstctl_curl_load(void);

trstctl_curl *trstctl_curl_easy_init(void);
void trstctl_curl_easy_cleanup(trstctl_curl *curl);
const char *trstctl_curl_easy_strerror(int code);
int trstctl_curl_easy_send(trstctl_curl *curl, const void *bytes, size_t count, size_t *sent);
int trstctl_curl_easy_recv(trstctl_curl *curl, void *bytes, size_t count, size_t *received);

int trstctl_curl_set_long(trstctl_curl *curl, int option, long value);
// Strings are copied by libcurl; other pointers must outlive the transfer (curl_easy_setopt(3)).
int trstctl_curl_set_pointer(trstctl_curl *curl, int option, const void *value);
int trstctl_curl_set_list(trstctl_curl *curl, int option, trstctl_curl_list *value);
// The bytes are copied into libcurl's memory.
int trstctl_curl_set_blob(trstctl_curl *curl, int option, const void *bytes, size_t count);
// CURLOPT_POSTFIELDS with its size; the bytes are not copied.
int trstctl_curl_set_body(trstctl_curl *curl, const void *bytes, size_t count);
// What takes the answer, with its context; the connected socket that is used (it becomes -1 when libcurl has it); and
// where a failure is explained: TRSTCTL_CURL_ERROR_SIZE bytes. All of it must outlive the transfer.
int trstctl_curl_set_callbacks(
    trstctl_curl *curl, void *context, trstctl_curl_data header, trstctl_curl_data body, int *connection, char *error);
// CURLINFO_SSL_VERIFYRESULT, CURLINFO_ACTIVESOCKET
int trstctl_curl_get_verification(trstctl_curl *curl, long *value);
int trstctl_curl_get_socket(trstctl_curl *curl, int *value);

trstctl_curl_list *trstctl_curl_slist_append(trstctl_curl_list *list, const char *text);
void trstctl_curl_slist_free_all(trstctl_curl_list *list);

trstctl_curl_multi *trstctl_curl_multi_init(void);
void trstctl_curl_multi_cleanup(trstctl_curl_multi *multi);
int trstctl_curl_multi_add_handle(trstctl_curl_multi *multi, trstctl_curl *curl);
int trstctl_curl_multi_remove_handle(trstctl_curl_multi *multi, trstctl_curl *curl);
int trstctl_curl_multi_perform(trstctl_curl_multi *multi, int *running);
// curl_multi_poll with one more descriptor to wait for; -1 for none.
int trstctl_curl_multi_poll(trstctl_curl_multi *multi, int wake, int milliseconds);
// CURLMSG_DONE's result for the one transfer of a multi handle; -1 while it runs.
int trstctl_curl_result(trstctl_curl_multi *multi);

#endif
