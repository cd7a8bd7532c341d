// The process-wide table of attribute keys: open addressing over atomics, so that decoding never waits for a lock.
// Slots are written once and never moved. A slot holds (hash's upper half << 32) | (symbol + 1); 0 is free.
#include "nj_signals.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = NJ_SYMBOL_LIMIT * 4 };

static _Atomic uint64_t slots[SLOTS];
static nj_text texts[NJ_SYMBOL_LIMIT];  // written before the slot that names it is published
static _Atomic int32_t count;
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

static uint64_t hash_of(const char *bytes, size_t length) {
    uint64_t hash = 0x9E3779B97F4A7C15u ^ length;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = (hash ^ word) * 0xFF51AFD7ED558CCDu;
        hash ^= hash >> 32;
        bytes += 8;
        length -= 8;
    }
    uint64_t tail = 0;
    memcpy(&tail, bytes, length);
    hash = (hash ^ tail) * 0xC4CEB9FE1A85EC53u;
    return hash ^ (hash >> 29);
}

// The symbol, or -1 with `*slot` where the probe ended at a free place.
static int32_t probe(const char *bytes, size_t length, uint64_t hash, uint32_t *slot) {
    uint32_t at = (uint32_t)hash % SLOTS;
    for (;;) {
        uint64_t entry = atomic_load_explicit(&slots[at], memory_order_acquire);
        if (entry == 0) {
            *slot = at;
            return -1;
        }
        if ((entry >> 32) == (hash >> 32)) {
            int32_t symbol = (int32_t)(uint32_t)entry - 1;
            if (texts[symbol].length == length && memcmp(texts[symbol].bytes, bytes, length) == 0) return symbol;
        }
        at = (at + 1) % SLOTS;
    }
}

int32_t nj_symbol_find(const char *bytes, size_t length) {
    uint32_t slot;
    if (length > NJ_SYMBOL_LENGTH) return -1;
    return probe(bytes, length, hash_of(bytes, length), &slot);
}

int32_t nj_symbol_intern(const char *bytes, size_t length) {
    uint32_t slot;
    if (length > NJ_SYMBOL_LENGTH) return -1;
    uint64_t hash = hash_of(bytes, length);
    int32_t symbol = probe(bytes, length, hash, &slot);
    if (symbol >= 0 || atomic_load_explicit(&count, memory_order_relaxed) >= NJ_SYMBOL_LIMIT) return symbol;
    pthread_mutex_lock(&writing);
    symbol = probe(bytes, length, hash, &slot);
    int32_t next = atomic_load_explicit(&count, memory_order_relaxed);
    if (symbol < 0 && next < NJ_SYMBOL_LIMIT) {
        char *copy = malloc(length + 1);
        if (copy != NULL) {
            memcpy(copy, bytes, length);
            copy[length] = 0;
            texts[next] = (nj_text){copy, (uint32_t)length};
            atomic_store_explicit(&slots[slot], (hash & 0xFFFFFFFF00000000u) | (uint32_t)(next + 1), memory_order_release);
            atomic_store_explicit(&count, next + 1, memory_order_release);
            symbol = next;
        }
    }
    pthread_mutex_unlock(&writing);
    return symbol;
}

nj_text nj_symbol_text(int32_t symbol) {
    if (symbol < 0 || symbol >= nj_symbol_count()) return (nj_text){NULL, 0};
    return texts[symbol];
}

int32_t nj_symbol_count(void) { return atomic_load_explicit(&count, memory_order_acquire); }
