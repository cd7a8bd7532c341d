// Compiling a source in a state of its own, for checks that read the code and never run it.
#include "nj_internal.h"

#include "include/nj_dump.h"

typedef struct compile_job {
    nj_text source, chunk_name;
    void *context;
    void (*write)(void *context, const void *bytes, size_t length);
} compile_job;

static int write_piece(lua_State *L, const void *bytes, size_t length, void *data) {
    (void)L;
    const compile_job *job = data;
    if (length > 0) job->write(job->context, bytes, length);
    return 0;
}

static int compile_body(lua_State *L) {
    compile_job *job = lua_touserdata(L, 1);
    nj_push_chunk(L, job->source, job->chunk_name);
    if (lua_dump(L, write_piece, job, 0) != 0) return luaL_error(L, "the code cannot be written");
    return 0;
}

bool nj_compile(
    nj_text source, nj_text chunk_name, void *context, void (*write)(void *context, const void *bytes, size_t length),
    char *fault, size_t room) {
    compile_job job = {source, chunk_name, context, write};
    fault[0] = 0;
    // No libraries: there is nothing that could run.
    lua_State *L = luaL_newstate();
    if (L == NULL) {
        nj_printable(fault, room, "not enough memory", 17, false);
        return false;
    }
    lua_pushcfunction(L, compile_body);
    lua_pushlightuserdata(L, &job);
    bool done = lua_pcall(L, 1, 0, 0) == LUA_OK;
    if (!done) {
        // A message that is no text would be converted, and that may raise; Lua's own and ours are texts.
        const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "the code cannot be compiled";
        nj_printable(fault, room, message, strlen(message), false);
    }
    lua_close(L);
    return done;
}
