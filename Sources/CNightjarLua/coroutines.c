// pcall, xpcall and the coroutine library: like Lua's, except that the end of a call passes through them.
#include "nj_internal.h"

static int finish_protected(lua_State *L, int status, lua_KContext skipped) {
    nj_check(L);
    if (status == LUA_ERRMEM && nj_host(L)->denied != 0) return nj_kill(L, NJ_OUTCOME_MEMORY);
    if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L) - (int)skipped;
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

static int protected_call(lua_State *L) {
    luaL_checkany(L, 1);
    nj_spend(L, 10);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, finish_protected);
    return finish_protected(L, status, 0);
}

// Runs inside the raising of an error, where no hook reaches: after the end of the call it must not run the script's handler.
static int guarded_handler(lua_State *L) {
    if (nj_killed(nj_host(L))) return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

static int handled_call(lua_State *L) {
    int arguments = lua_gettop(L) - 2;
    luaL_checktype(L, 2, LUA_TFUNCTION);
    nj_spend(L, 10);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, guarded_handler, 1);
    lua_replace(L, 2);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2);
    int status = lua_pcallk(L, arguments, LUA_MULTRET, 2, 2, finish_protected);
    return finish_protected(L, status, 2);
}

static lua_State *check_coroutine(lua_State *L) {
    lua_State *other = lua_tothread(L, 1);
    luaL_argexpected(L, other != NULL, 1, "coroutine");
    return other;
}

static int create(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    nj_spend(L, 200);
    lua_State *other = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, other, 1);
    return 1;
}

static const char *status_of(lua_State *L, lua_State *other) {
    if (L == other) return "running";
    switch (lua_status(other)) {
    case LUA_YIELD: return "suspended";
    case LUA_OK: {
        lua_Debug record;
        if (lua_getstack(other, 0, &record)) return "normal";
        return lua_gettop(other) == 0 ? "dead" : "suspended";
    }
    default: return "dead";
    }
}

// Resumes with the arguments on top of L; the number of results moved to L, or -1 with the error object there.
static int resume(lua_State *L, lua_State *other, int arguments) {
    nj_lua *host = nj_host(L);
    nj_spend(L, 10);
    if (*status_of(L, other) != 's') {
        lua_pushfstring(L, "cannot resume %s coroutine", *status_of(L, other) == 'd' ? "dead" : "non-suspended");
        return -1;
    }
    if (host->chain_length >= NJ_CHAIN_LIMIT || !lua_checkstack(other, arguments)) {
        lua_pushliteral(L, "too many nested coroutines or arguments");
        return -1;
    }
    lua_xmove(L, other, arguments);
    // The entry before the length: a signal may come between the two.
    host->chain[host->chain_length] = other;
    atomic_signal_fence(memory_order_seq_cst);
    host->chain_length++;
    int results = 0;
    int status = lua_resume(other, L, arguments, &results);
    host->chain_length--;
    nj_check(L);
    if (status == LUA_ERRMEM && host->denied != 0) return nj_kill(L, NJ_OUTCOME_MEMORY);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(other, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, results + 1)) {
        lua_pop(other, results);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(other, L, results);
    return results;
}

static int coroutine_resume(lua_State *L) {
    lua_State *other = check_coroutine(L);
    int results = resume(L, other, lua_gettop(L) - 1);
    lua_pushboolean(L, results >= 0);
    int returned = results >= 0 ? results + 1 : 2;
    lua_insert(L, -returned);
    return returned;
}

static int call_wrapped(lua_State *L) {
    lua_State *other = lua_tothread(L, lua_upvalueindex(1));
    int results = resume(L, other, lua_gettop(L));
    if (results >= 0) return results;
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int wrap(lua_State *L) {
    create(L);
    lua_pushcclosure(L, call_wrapped, 1);
    return 1;
}

static int yield(lua_State *L) { return lua_yield(L, lua_gettop(L)); }

static int status(lua_State *L) {
    lua_pushstring(L, status_of(L, check_coroutine(L)));
    return 1;
}

static int running(lua_State *L) {
    lua_pushboolean(L, lua_pushthread(L));
    return 2;
}

static int is_yieldable(lua_State *L) {
    lua_State *other = lua_isnone(L, 1) ? L : check_coroutine(L);
    lua_pushboolean(L, lua_isyieldable(other));
    return 1;
}

static int close(lua_State *L) {
    lua_State *other = check_coroutine(L);
    const char *state = status_of(L, other);
    if (*state != 's' && *state != 'd') return luaL_error(L, "cannot close a %s coroutine", state);
    // Nothing is pending to be closed: __close is refused, so this runs no code.
    if (lua_resetthread(other) == LUA_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushboolean(L, 0);
    lua_xmove(other, L, 1);
    return 2;
}

void nj_open_coroutines(lua_State *L) {
    static const luaL_Reg library[] = {
        {"create", create}, {"resume", coroutine_resume}, {"wrap", wrap}, {"yield", yield}, {"status", status},
        {"running", running}, {"isyieldable", is_yieldable}, {"close", close}, {NULL, NULL},
    };
    lua_pushcfunction(L, protected_call);
    lua_setfield(L, -2, "pcall");
    lua_pushcfunction(L, handled_call);
    lua_setfield(L, -2, "xpcall");
    luaL_newlib(L, library);
    lua_setfield(L, -2, "coroutine");
}
