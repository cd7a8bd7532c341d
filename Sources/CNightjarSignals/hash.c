// A fast hash of bytes: 128-bit products of words that a secret of the process hides, 32 bytes a step.
#include "nj_signals.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static uint64_t secret[4];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose_secret(void) {
    if (getentropy(secret, sizeof secret) != 0) {
        // Where the system has no random bytes, what differs from process to process.
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        secret[0] = (uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 32);
        secret[1] = (uint64_t)getpid();
    }
    // Odd, and no two alike, whatever came.
    for (int at = 0; at < 4; at++) secret[at] = (secret[at] + (uint64_t)at * 0x9E3779B97F4A7C15u) | 1;
}

static inline uint64_t word(const char *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint64_t folded(uint64_t left, uint64_t right) {
    unsigned __int128 product = (unsigned __int128)left * right;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t nj_hash_bytes(const char *bytes, size_t length) {
    pthread_once(&once, choose_secret);
    uint64_t first = secret[0] ^ length, second = secret[1];
    size_t left = length;
    for (; left >= 32; bytes += 32, left -= 32) {
        first = folded(first ^ word(bytes), secret[2] ^ word(bytes + 8));
        second = folded(second ^ word(bytes + 16), secret[3] ^ word(bytes + 24));
    }
    char tail[32] = {0};
    if (left > 0) memcpy(tail, bytes, left);
    first = folded(first ^ word(tail), secret[2] ^ word(tail + 8));
    second = folded(second ^ word(tail + 16), secret[3] ^ word(tail + 24));
    return folded(first ^ secret[3], second ^ secret[2] ^ length);
}
