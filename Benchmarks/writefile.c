// What C can do on this machine, to be divided by: replacing files durably, one after the other.
//
//   writefile one DIRECTORY SIZE COUNT     median of replacing one file of SIZE bytes
//   writefile many DIRECTORY SIZE COUNT    replacing COUNT files once each, as a whole
//
// Each time: a temporary file, written and synchronised, renamed over the target, and the directory synchronised. Prints
// nanoseconds. Built with: cc -O2 writefile.c -o writefile
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void fail(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void replace(int directory, const char *name, const char *content, size_t size) {
    int file = openat(directory, "temporary", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) fail("openat");
    if (write(file, content, size) != (ssize_t)size) fail("write");
    if (fsync(file) != 0) fail("fsync");
    if (renameat(directory, "temporary", directory, name) != 0) fail("renameat");
    if (fsync(directory) != 0) fail("fsync of the directory");
    close(file);
}

static int compare(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int directory = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) fail(argv[2]);
    size_t size = (size_t)atol(argv[3]);
    long count = atol(argv[4]);
    char *content = malloc(size);
    int64_t *times = malloc((size_t)count * sizeof *times);
    if (content == NULL || times == NULL || count < 1) return 2;
    memset(content, 'x', size);
    if (strcmp(argv[1], "one") == 0) {
        for (long i = 0; i < count; i++) {
            int64_t begin = now();
            replace(directory, "file", content, size);
            times[i] = now() - begin;
        }
        qsort(times, (size_t)count, sizeof *times, compare);
        printf("%lld\n", (long long)times[count / 2]);
    } else {
        int64_t begin = now();
        for (long i = 0; i < count; i++) {
            char name[32];
            snprintf(name, sizeof name, "c%ld", i);
            replace(directory, name, content, size);
        }
        printf("%lld\n", (long long)(now() - begin));
    }
    return 0;
}
