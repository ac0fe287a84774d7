// One thread does all the cloning, and lives as long as the host: the parent-death signal of a child is tied to the
// thread that cloned it, and threads of a pool come and go.
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;  // held by the one caller whose request is being served
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;  // guards the four below
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static const struct trstctl_spawn_request *pending;
static struct trstctl_spawn_result *answer;
static int outcome;
static int running;

static void *serve(void *unused) {
    (void)unused;
    pthread_setname_np(pthread_self(), "trstctl-spawn");
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!pending) pthread_cond_wait(&changed, &lock);
        outcome = trstctl_spawn_here(pending, answer);
        pending = NULL;
        pthread_cond_broadcast(&changed);
    }
    return NULL;
}

static int start(void) {
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    int error = pthread_attr_init(&attributes);
    if (error) return error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);  // the host's signals are for its other threads
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, serve, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

int trstctl_spawn(const struct trstctl_spawn_request *request, struct trstctl_spawn_result *result) {
    pthread_mutex_lock(&turn);
    pthread_mutex_lock(&lock);
    int error = running ? 0 : start();
    if (error) {
        *result = (struct trstctl_spawn_result){.pid = -1, .pidfd = -1, .stage = TRSTCTL_STAGE_THREAD, .error = error};
    } else {
        running = 1;
        pending = request;
        answer = result;
        pthread_cond_broadcast(&changed);
        while (pending) pthread_cond_wait(&changed, &lock);
    }
    int status = error ? -1 : outcome;
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&turn);
    return status;
}
