// Compiling a source for those who only look at the result: nothing of it runs.
#ifndef NJ_DUMP_H
#define NJ_DUMP_H

#include <nj_signals.h>

// Compiles a source text as nj_lua_load would and hands its binary form, with all debug information, to `write` in pieces.
// False where that fails: `fault` of `room` > 0 bytes says why, and what was written before is worthless. Any thread may call.
bool nj_compile(
    nj_text source, nj_text chunk_name, void *context, void (*write)(void *context, const void *bytes, size_t length),
    char *fault, size_t room);

#endif
