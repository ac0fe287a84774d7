// A clock of the day that somebody keeps setting, for LD_PRELOAD: each look at it is right, a day ahead, or two.
#define _GNU_SOURCE
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *at) {
    static atomic_uint looks;
    int result = syscall(SYS_clock_gettime, clock, at);
    if (!result && clock == CLOCK_REALTIME) at->tv_sec += atomic_fetch_add(&looks, 1) % 3 * 86400;
    return result;
}

int gettimeofday(struct timeval *at, void *zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *at = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
