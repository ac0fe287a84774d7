// OpenSSL as Swift sees it: the headers, and functions in place of the macros that Swift cannot import.
// Nothing but one-line wrappers belongs here.
#ifndef TRSTCTL_COPENSSL_SHIM_H
#define TRSTCTL_COPENSSL_SHIM_H

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static inline int trstctl_ERR_GET_LIB(unsigned long code) { return ERR_GET_LIB(code); }
static inline int trstctl_ERR_GET_REASON(unsigned long code) { return ERR_GET_REASON(code); }
static const unsigned long trstctl_XN_FLAG_RFC2253 = XN_FLAG_RFC2253;
static const int trstctl_ERR_LIB_PEM = ERR_LIB_PEM;

// Stacks: typed, read-only views. The results belong to the stack.
static inline int trstctl_X509_stack_count(const STACK_OF(X509) *stack) { return sk_X509_num(stack); }
static inline X509 *trstctl_X509_stack_at(const STACK_OF(X509) *stack, int index) { return sk_X509_value(stack, index); }
static inline int trstctl_GENERAL_NAMES_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }
static inline const GENERAL_NAME *trstctl_GENERAL_NAMES_at(const GENERAL_NAMES *names, int index) {
    return sk_GENERAL_NAME_value(names, index);
}

static inline STACK_OF(PKCS12_SAFEBAG) *trstctl_bags_new(void) { return sk_PKCS12_SAFEBAG_new_null(); }
static inline int trstctl_bags_push(STACK_OF(PKCS12_SAFEBAG) *bags, PKCS12_SAFEBAG *bag) {
    return sk_PKCS12_SAFEBAG_push(bags, bag);
}
static inline void trstctl_bags_free(STACK_OF(PKCS12_SAFEBAG) *bags) {
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}
static inline STACK_OF(PKCS7) *trstctl_safes_new(void) { return sk_PKCS7_new_null(); }
static inline int trstctl_safes_push(STACK_OF(PKCS7) *safes, PKCS7 *safe) { return sk_PKCS7_push(safes, safe); }
static inline void trstctl_safes_free(STACK_OF(PKCS7) *safes) { sk_PKCS7_pop_free(safes, PKCS7_free); }

static inline EVP_PKEY *trstctl_EVP_EC_gen(const char *curve) { return EVP_EC_gen(curve); }
static inline EVP_PKEY *trstctl_EVP_RSA_gen(unsigned int bits) { return EVP_RSA_gen(bits); }

static inline long trstctl_BIO_get_mem_data(BIO *bio, char **data) { return BIO_get_mem_data(bio, data); }
static inline int trstctl_BIO_reset(BIO *bio) { return (int)BIO_reset(bio); }
static inline long trstctl_SSL_set_tlsext_host_name(SSL *ssl, const char *name) {
    return SSL_set_tlsext_host_name(ssl, name);
}
static inline long trstctl_SSL_CTX_set_min_proto_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}

#endif
