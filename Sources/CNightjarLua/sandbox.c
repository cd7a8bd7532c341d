// The globals of a script: an allow-list, built anew for each state.
#include "nj_internal.h"

static const char shadow_of;  // the key under which a shadow metatable keeps its original

void nj_push_text(lua_State *L, int index) {
    index = lua_absindex(L, index);
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
    case LUA_TSTRING:
        lua_pushvalue(L, index);
        lua_tolstring(L, -1, NULL);
        return;
    case LUA_TBOOLEAN: lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false"); return;
    case LUA_TNIL: lua_pushliteral(L, "nil"); return;
    case LUA_TLIGHTUSERDATA: lua_pushliteral(L, "null"); return;
    default: break;
    }
    if (luaL_callmeta(L, index, "__tostring")) {
        if (!lua_isstring(L, -1)) luaL_error(L, "'__tostring' must return a string");
        lua_tolstring(L, -1, NULL);  // a number becomes text
        return;
    }
    // No address: it would tell where the process keeps its memory.
    if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING) return;
    lua_pushstring(L, luaL_typename(L, index));
}

static int to_string(lua_State *L) {
    luaL_checkany(L, 1);
    nj_push_text(L, 1);
    return 1;
}

static int print(lua_State *L) {
    int count = lua_gettop(L);
    luaL_checkstack(L, count * 2 + 8, "too many arguments");
    for (int i = 1; i <= count; i++) {
        if (i > 1) lua_pushliteral(L, "\t");
        nj_push_text(L, i);
        nj_spend(L, lua_rawlen(L, -1));
    }
    if (count == 0) lua_pushliteral(L, "");
    else lua_concat(L, count * 2 - 1);
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    nj_emit_log(L, NJ_EMIT_PRINT, 1, text, length, (nj_text){NULL, 0});
    return 0;
}

static const char *const metafields[] = {
    "__index", "__newindex", "__call", "__tostring", "__name", "__metatable", "__len", "__eq", "__lt", "__le", "__concat",
    "__unm", "__add", "__sub", "__mul", "__div", "__mod", "__pow", "__idiv", "__band", "__bor", "__bxor", "__bnot", "__shl",
    "__shr", "__pairs",
};
static const char *const refused[] = {"__gc", "__close", "__mode"};

// The table gets a copy of the metafields: what is refused cannot be slipped in afterwards.
static int set_metatable(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) return luaL_error(L, "cannot change a protected metatable");
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_setmetatable(L, 1);
        return 1;
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        lua_pushstring(L, refused[i]);
        if (lua_rawget(L, 2) != LUA_TNIL) return luaL_error(L, "a metatable may not have %s here", refused[i]);
        lua_pop(L, 1);
    }
    lua_createtable(L, 0, 4);
    for (size_t i = 0; i < sizeof metafields / sizeof *metafields; i++) {
        lua_pushstring(L, metafields[i]);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, 2) == LUA_TNIL) lua_pop(L, 2);
        else lua_rawset(L, 3);
    }
    lua_pushvalue(L, 2);
    lua_rawsetp(L, 3, &shadow_of);
    lua_setmetatable(L, 1);
    lua_settop(L, 1);
    return 1;
}

static int get_metatable(lua_State *L) {
    luaL_checkany(L, 1);
    if (!lua_getmetatable(L, 1)) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushliteral(L, "__metatable");
    if (lua_rawget(L, -2) != LUA_TNIL) return 1;
    lua_pop(L, 1);
    lua_rawgetp(L, -1, &shadow_of);
    return 1;
}

static int count_memory(lua_State *L) {
    const char *what = luaL_optstring(L, 1, "collect");
    if (strcmp(what, "count") != 0) return luaL_error(L, "collectgarbage takes only \"count\" here");
    lua_pushnumber(L, (lua_Number)nj_host(L)->used / 1024);
    return 1;
}

int nj_load_text(lua_State *L, const char *bytes, size_t length, const char *chunk_name) {
    if (length > NJ_SOURCE_LIMIT) {
        // Behind the sign of its kind, which a script's own name for a text may lack.
        const char *shown = *chunk_name == '@' || *chunk_name == '=' ? chunk_name + 1 : chunk_name;
        lua_pushfstring(L, "%s: source of %d bytes; at most %d", shown, (int)length, NJ_SOURCE_LIMIT);
        return LUA_ERRSYNTAX;
    }
    return luaL_loadbufferx(L, bytes, length, chunk_name, "t");
}

// Gathers what a reader function returns, before the parser runs: no script code runs inside it.
static int gather(lua_State *L) {
    lua_pushliteral(L, "");
    int gathered = lua_gettop(L);
    for (;;) {
        nj_spend(L, 200);
        lua_pushvalue(L, 1);
        lua_call(L, 0, 1);
        if (lua_isnil(L, -1)) break;
        if (!lua_isstring(L, -1)) {
            luaL_where(L, 2);  // the caller of `load`, which calls this
            lua_pushliteral(L, "reader function must return a string");
            lua_concat(L, 2);
            return lua_error(L);
        }
        size_t length;
        lua_tolstring(L, -1, &length);
        if (length == 0) break;
        if (length + lua_rawlen(L, gathered) > NJ_SOURCE_LIMIT) return luaL_error(L, "source over 32 KiB");
        lua_concat(L, 2);
    }
    lua_settop(L, gathered);
    return 1;
}

// Answers for a text that does not load: the error is on top.
static int refuse_text(lua_State *L) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

static int load(lua_State *L) {
    bool has_environment = !lua_isnone(L, 4);
    const char *mode = luaL_optstring(L, 3, "t");
    const char *chunk_name = luaL_optstring(L, 2, "=load");
    if (!lua_isstring(L, 1)) {
        luaL_checktype(L, 1, LUA_TFUNCTION);
        lua_pushcfunction(L, gather);
        lua_pushvalue(L, 1);
        int status = lua_pcall(L, 1, 1, 0);
        nj_check(L);
        if (status == LUA_ERRMEM && nj_host(L)->denied != 0) return nj_kill(L, NJ_OUTCOME_MEMORY);
        if (status != LUA_OK) return refuse_text(L);
        lua_replace(L, 1);
    }
    size_t length;
    const char *text = lua_tolstring(L, 1, &length);
    nj_spend(L, length * 32 + 1000);
    if (strchr(mode, 't') == NULL && *text != LUA_SIGNATURE[0]) {
        lua_pushfstring(L, "attempt to load a text chunk (mode is '%s')", mode);
        return refuse_text(L);
    }
    if (nj_load_text(L, text, length, chunk_name) != LUA_OK) return refuse_text(L);
    if (has_environment) {
        lua_pushvalue(L, 4);
        if (lua_setupvalue(L, -2, 1) == NULL) lua_pop(L, 1);
    }
    return 1;
}

static int traceback(lua_State *L) {
    int first = lua_isthread(L, 1) ? 1 : 0;
    lua_State *other = first ? lua_tothread(L, 1) : L;
    if (!lua_isnoneornil(L, first + 1) && !lua_isstring(L, first + 1)) {
        lua_pushvalue(L, first + 1);
        return 1;
    }
    char text[NJ_TRACEBACK_LIMIT];
    nj_spend(L, 1000);
    nj_write_traceback(other, text, sizeof text, (int)luaL_optinteger(L, first + 2, first ? 0 : 1));
    const char *message = lua_tostring(L, first + 1);
    lua_pushfstring(L, "%s%sstack traceback:\n%s", message ? message : "", message ? "\n" : "", text);
    return 1;
}

static int require(lua_State *L) {
    nj_lua *host = nj_host(L);
    size_t length;
    const char *name = luaL_checklstring(L, 1, &length);
    // The modules are at index 2, whatever else was given.
    lua_settop(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->modules);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, -2) != LUA_TNIL) {
        if (lua_islightuserdata(L, -1)) return luaL_error(L, "module '%s' requires itself", name);
        return 1;
    }
    lua_pop(L, 1);
    if (!host->loading) return luaL_error(L, "require works while the file loads, not inside a call");
    nj_reply reply = {0};
    int status = host->callbacks.module(host->callbacks.context, (nj_text){name, (uint32_t)length}, &reply);
    if (status != NJ_REPLY_TEXT) {
        lua_pushlstring(L, reply.bytes.bytes ? reply.bytes.bytes : "no such module", reply.bytes.bytes ? reply.bytes.length : 14);
        return luaL_error(L, "cannot require '%s': %s", name, lua_tostring(L, -1));
    }
    lua_pushvalue(L, 1);
    lua_pushlightuserdata(L, (void *)&shadow_of);
    lua_rawset(L, 2);
    lua_pushfstring(L, "@%s.lua", name);
    if (nj_load_text(L, reply.bytes.bytes, reply.bytes.length, lua_tostring(L, -1)) != LUA_OK) return lua_error(L);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, 2);
    return 1;
}

// Copies the named functions of the table on top into the table below it, and drops the source.
static void copy_names(lua_State *L, const char *const *names) {
    for (; *names != NULL; names++) {
        lua_getfield(L, -1, *names);
        lua_setfield(L, -3, *names);
    }
    lua_pop(L, 1);
}

static void open_stock(lua_State *L, lua_CFunction open) {
    lua_pushcfunction(L, open);
    lua_call(L, 0, 1);
}

void nj_open_sandbox(lua_State *L) {
    static const char *const basics[] = {
        "assert", "error", "ipairs", "next", "pairs", "rawequal", "rawget", "rawlen", "rawset", "select", "tonumber", "type", NULL,
    };
    static const char *const times[] = {"time", "date", "clock", "difftime", NULL};
    static const luaL_Reg own[] = {
        {"tostring", to_string}, {"print", print}, {"setmetatable", set_metatable}, {"getmetatable", get_metatable},
        {"collectgarbage", count_memory}, {"load", load}, {"require", require}, {NULL, NULL},
    };
    static const luaL_Reg debugging[] = {{"traceback", traceback}, {NULL, NULL}};
    lua_newtable(L);
    open_stock(L, luaopen_base);
    copy_names(L, basics);
    luaL_setfuncs(L, own, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "_G");
    lua_pushliteral(L, "Lua 5.4");
    lua_setfield(L, -2, "_VERSION");
    nj_open_coroutines(L);
    nj_open_strings(L);
    nj_open_tables(L);
    open_stock(L, luaopen_math);
    lua_setfield(L, -2, "math");
    open_stock(L, luaopen_utf8);
    lua_setfield(L, -2, "utf8");
    lua_newtable(L);
    open_stock(L, luaopen_os);
    copy_names(L, times);
    lua_setfield(L, -2, "os");
    luaL_newlib(L, debugging);
    lua_setfield(L, -2, "debug");
    nj_open_api(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}
