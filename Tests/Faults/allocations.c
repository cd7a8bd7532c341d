/* Counts how often a program asks for memory: preloaded, it stands before the C library's functions for it, which all of Swift's
 * and C's memory comes from. Built by the tests with cc. At the end a line on standard error says how often. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_ulong asked;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void *(*real_aligned_alloc)(size_t, size_t);
static int (*real_posix_memalign)(void **, size_t, size_t);
static void (*real_free)(void *);

/* What dlsym itself asks for while the real functions are looked up; it is never given back. */
static char early[1 << 16];
static size_t early_used;

static void *from_early(size_t size) {
    size_t at = (early_used + 15) & ~(size_t)15;
    if (at + size > sizeof early) abort();
    early_used = at + size;
    return early + at;
}

static int is_early(const void *block) {
    return (const char *)block >= early && (const char *)block < early + sizeof early;
}

static int ready(void) {
    static int state;
    if (state == 2) return 1;
    if (state == 1) return 0;
    state = 1;
    real_calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
    real_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    real_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    real_aligned_alloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "aligned_alloc");
    real_posix_memalign = (int (*)(void **, size_t, size_t))dlsym(RTLD_NEXT, "posix_memalign");
    real_free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
    state = 2;
    return 1;
}

/* Before there is a second thread. */
__attribute__((constructor)) static void begin(void) { ready(); }

__attribute__((destructor)) static void report(void) {
    fprintf(stderr, "allocations %lu\n", atomic_load(&asked));
}

void *malloc(size_t size) {
    if (!ready()) return from_early(size);
    atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
    return real_malloc(size);
}

void *calloc(size_t count, size_t size) {
    if (!ready()) return from_early(count * size);
    atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
    return real_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    if (is_early(block)) {
        void *copy = malloc(size);
        if (copy) memcpy(copy, block, size);
        return copy;
    }
    if (!ready()) return from_early(size);
    atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
    return real_realloc(block, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    if (!ready()) abort();
    atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
    return real_aligned_alloc(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    if (!ready()) abort();
    atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
    return real_posix_memalign(block, alignment, size);
}

void free(void *block) {
    if (is_early(block) || !ready()) return;
    real_free(block);
}
