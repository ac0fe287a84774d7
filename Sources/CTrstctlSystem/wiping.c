// An allocator that overwrites what it frees: libcurl copies credentials and never wipes them.
#include "trstctl_system.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// The size stands in front of the block; malloc's alignment is kept.
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

void *trstctl_wiping_malloc(size_t size) {
    return size > SIZE_MAX - HEADER ? NULL : prepare(malloc(size + HEADER), size);
}

void *trstctl_wiping_calloc(size_t count, size_t size) {
    if (size && count > (SIZE_MAX - HEADER) / size) return NULL;
    return prepare(calloc(1, count * size + HEADER), count * size);
}

void trstctl_wiping_free(void *memory) {
    if (!memory) return;
    explicit_bzero(memory, size_of(memory));
    free((unsigned char *)memory - HEADER);
}

void *trstctl_wiping_realloc(void *memory, size_t size) {
    void *next = trstctl_wiping_malloc(size);
    if (!next || !memory) return next;
    size_t old = size_of(memory);
    memcpy(next, memory, old < size ? old : size);
    trstctl_wiping_free(memory);
    return next;
}

char *trstctl_wiping_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = trstctl_wiping_malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}
