// A run of attribute rows as Lua sees it: looked up by the key's symbol, never copied.
#include "nj_internal.h"

#include <math.h>

typedef struct run_object {
    uint32_t magic, first, count;
    uint64_t generation;
    const nj_slab *slab;
} run_object;

void nj_push_bytes(lua_State *L, nj_text text) {
    if (text.bytes == NULL) {
        lua_pushnil(L);
        return;
    }
    uint64_t limit = nj_host(L)->limits.string;
    lua_pushlstring(L, text.bytes, text.length < limit ? text.length : limit);
}

void nj_push_reply(lua_State *L, int status, const nj_reply *reply) {
    switch (status) {
    case NJ_REPLY_TEXT: nj_push_bytes(L, reply->bytes); return;
    case NJ_REPLY_JSON: nj_push_json(L, reply->bytes.bytes, reply->bytes.length); return;
    case NJ_REPLY_NUMBER:
        if (fabs(reply->value) < 9007199254740992.0 && floor(reply->value) == reply->value) lua_pushinteger(L, (lua_Integer)reply->value);
        else lua_pushnumber(L, reply->value);
        return;
    case NJ_REPLY_ERROR:
        nj_push_bytes(L, reply->bytes);
        luaL_error(L, "%s", lua_tostring(L, -1) ? lua_tostring(L, -1) : "cannot be read");
        return;
    default: lua_pushnil(L);
    }
}

// The symbol of an interned key, -1 where no sender has used it.
static int32_t symbol_of(nj_lua *host, const char *key, size_t length) {
    nj_symbol_slot *slot = &host->symbols[((uintptr_t)key >> 4) % NJ_SYMBOL_SLOTS];
    if (slot->key == key) {
        // The string may have been collected and its place reused: the bytes decide.
        nj_text text = nj_symbol_text(slot->symbol);
        if (text.length == length && memcmp(text.bytes, key, length) == 0) return slot->symbol;
    }
    int32_t symbol = nj_symbol_find(key, length);
    if (symbol >= 0) *slot = (nj_symbol_slot){key, symbol};
    return symbol;
}

static void push_value(lua_State *L, const nj_attribute *row) {
    nj_lua *host = nj_host(L);
    switch (row->tag) {
    case NJ_STRING: nj_push_word(L, (nj_text){row->value.bytes ? row->value.bytes : "", row->length}); return;
    case NJ_BYTES: nj_push_bytes(L, (nj_text){row->value.bytes ? row->value.bytes : "", row->length}); return;
    case NJ_BOOL: lua_pushboolean(L, row->value.integer != 0); return;
    case NJ_INT: lua_pushinteger(L, row->value.integer); return;
    case NJ_DOUBLE: lua_pushnumber(L, row->value.number); return;
    case NJ_ARRAY:
    case NJ_MAP: {
        nj_reply reply = {0};
        int status = host->callbacks.read_attribute(host->callbacks.context, row, &reply);
        nj_push_reply(L, status, &reply);
        return;
    }
    default: lua_pushnil(L);
    }
}

static run_object *check_run(lua_State *L) {
    run_object *run = lua_touserdata(L, 1);
    // Scripts can give the step function of `pairs` anything; null is an address too.
    if (run == NULL || lua_rawlen(L, 1) < sizeof *run || run->magic != NJ_RUN_MAGIC) luaL_error(L, "attributes expected");
    if (run->generation != nj_host(L)->generation)
        luaL_error(L, "these attributes belong to an event that is over; keep span:copy() instead");
    return run;
}

static int index_run(lua_State *L) {
    run_object *run = check_run(L);
    if (lua_type(L, 2) != LUA_TSTRING) return 0;
    size_t length;
    const char *key = lua_tolstring(L, 2, &length);
    const nj_attribute *row = run->slab->attributes + run->first, *end = row + run->count;
    int32_t symbol = symbol_of(nj_host(L), key, length);
    for (; row < end; row++) {
        if (row->key != symbol) continue;
        // Keys beyond the table have no symbol of their own.
        if (symbol < 0 && (row->key_length != length || memcmp(row->key_bytes, key, length) != 0)) continue;
        push_value(L, row);
        return 1;
    }
    return 0;
}

// The state of `pairs` is the place of the row; rows are few.
static int next_row(lua_State *L) {
    run_object *run = check_run(L);
    uint32_t place = (uint32_t)lua_tointeger(L, lua_upvalueindex(1));
    if (place >= run->count) return 0;
    lua_pushinteger(L, (lua_Integer)place + 1);
    lua_replace(L, lua_upvalueindex(1));
    const nj_attribute *row = run->slab->attributes + run->first + place;
    lua_pushlstring(L, row->key_bytes, row->key_length);
    push_value(L, row);
    return 2;
}

static int pairs_of_run(lua_State *L) {
    check_run(L);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_row, 1);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

void nj_push_attributes(lua_State *L, const nj_slab *slab, uint32_t first, uint32_t count) {
    nj_lua *host = nj_host(L);
    run_object *run = lua_newuserdatauv(L, sizeof *run, 0);
    *run = (run_object){NJ_RUN_MAGIC, first, count, host->generation, slab};
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->attributes_meta);
    lua_setmetatable(L, -2);
}

int nj_read_only(lua_State *L) { return luaL_error(L, "events are read only"); }

void nj_open_attributes(lua_State *L) {
    static const luaL_Reg metamethods[] = {
        {"__index", index_run}, {"__newindex", nj_read_only}, {"__pairs", pairs_of_run}, {NULL, NULL},
    };
    luaL_newlib(L, metamethods);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushliteral(L, "attributes");
    lua_setfield(L, -2, "__name");
    nj_host(L)->attributes_meta = luaL_ref(L, LUA_REGISTRYINDEX);
}
