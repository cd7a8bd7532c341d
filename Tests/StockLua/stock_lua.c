#include "include/stock_lua.h"

#include <lua5.4/lua.h>
#include <lua5.4/lauxlib.h>
#include <lua5.4/lualib.h>
#include <string.h>

typedef struct job {
    const char *source;
    size_t length;
} job;

// The libraries are opened in here, too: outside of a protected call an error would end the process.
static int run(lua_State *L) {
    const job *given = lua_touserdata(L, 1);
    luaL_openlibs(L);
    if (luaL_loadbufferx(L, given->source, given->length, "=stock", "t") != LUA_OK) return lua_error(L);
    lua_call(L, 0, 1);
    return 1;
}

const char *stock_lua_release(void) { return LUA_RELEASE; }

char *stock_lua_run(const char *source, size_t length, bool *failed) {
    lua_State *L = luaL_newstate();
    if (L == NULL) return NULL;
    job given = {source, length};
    lua_pushcfunction(L, run);
    lua_pushlightuserdata(L, &given);
    *failed = lua_pcall(L, 1, 1, 0) != LUA_OK;
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    char *copy = strdup(text);
    lua_close(L);
    return copy;
}
