// What only the state of a test file has: `test`, and the way to what the test drives.
#include "nj_internal.h"

// host(operation, ...): the arguments go as a JSON list; the answer comes back as JSON or as an error at the caller's line.
static int ask_host(lua_State *L) {
    nj_lua *host = nj_host(L);
    size_t length;
    const char *operation = luaL_checklstring(L, 1, &length);
    int count = lua_gettop(L);
    lua_createtable(L, count - 1, 0);
    for (int i = 2; i <= count; i++) {
        if (lua_isnil(L, i)) lua_pushlightuserdata(L, (void *)&nj_null);
        else lua_pushvalue(L, i);
        lua_rawseti(L, -2, i - 1);
    }
    nj_text arguments = count > 1 ? nj_to_json(L, -1) : (nj_text){"[]", 2};
    nj_reply reply = {0};
    int status =
        host->callbacks.test(host->callbacks.context, (nj_text){operation, (uint32_t)length}, arguments, &reply);
    if (status != NJ_REPLY_ERROR) {
        nj_push_reply(L, status, &reply);
        return 1;
    }
    // Level 2 is the line of the test: level 1 is the prelude's.
    luaL_where(L, 2);
    nj_push_bytes(L, reply.bytes);
    lua_concat(L, 2);
    return lua_error(L);
}

// test(name, options?, fn)
static int declare_test(lua_State *L) {
    nj_lua *host = nj_host(L);
    if (!host->loading) return luaL_error(L, "test works while the file loads, not inside a test");
    size_t length;
    const char *name = luaL_checklstring(L, 1, &length);
    int function = lua_isfunction(L, 2) ? 2 : 3;
    luaL_checktype(L, function, LUA_TFUNCTION);
    nj_declaration declaration = {.kind = NJ_DECLARE_TEST, .name = {name, (uint32_t)length}};
    if (function == 3 && lua_istable(L, 2)) declaration.options = nj_to_json(L, 2);
    lua_pushvalue(L, function);
    declaration.function = luaL_ref(L, LUA_REGISTRYINDEX);
    luaL_where(L, 1);
    const char *place = lua_tolstring(L, -1, &length);
    declaration.place = (nj_text){place, length > 2 ? (uint32_t)length - 2 : 0};
    nj_reply reply = {0};
    if (host->callbacks.declare(host->callbacks.context, &declaration, &reply) == NJ_REPLY_ERROR) {
        nj_push_bytes(L, reply.bytes);
        return luaL_error(L, "%s", lua_tostring(L, -1));
    }
    return 0;
}

static int add_tests(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pushcfunction(L, declare_test);
    lua_setfield(L, -2, "test");
    return 0;
}

void nj_lua_add_tests(nj_lua *host) { nj_run_body(host, add_tests, NULL); }

typedef struct test_job {
    int32_t function;
    nj_text prelude;
} test_job;

static int call_test(lua_State *L) {
    nj_lua *host = nj_host(L);
    const test_job *job = lua_touserdata(L, 1);
    if (host->prelude == 0) {
        if (luaL_loadbufferx(L, job->prelude.bytes, job->prelude.length, "=[test]", "t") != LUA_OK) return lua_error(L);
        host->prelude = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, job->function);
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->prelude);
    lua_pushcfunction(L, ask_host);
    lua_call(L, 1, 1);
    lua_call(L, 1, 0);
    return 0;
}

int32_t nj_lua_call_test(nj_lua *host, int32_t function, nj_text prelude) {
    test_job job = {function, prelude};
    nj_lua_begin(host);
    return nj_run_body(host, call_test, &job);
}
