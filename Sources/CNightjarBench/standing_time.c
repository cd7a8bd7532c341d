// Lua seeds the hashes of its strings by the time, so that what a rule executes differs by some percent from one process to the
// next. Where instructions are counted, the second stands still; else this is what the C library's function does.
#include "include/standing_time.h"

#include <time.h>

static time_t second;

void stop_time(int64_t at) { second = (time_t)at; }

// Stands before the C library's: Lua's archive is linked into the same program.
time_t time(time_t *out) {
    struct timespec now = {.tv_sec = second};
    if (second == 0) clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) *out = now.tv_sec;
    return now.tv_sec;
}
