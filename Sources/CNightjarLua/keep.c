// nightjar.state: a table of plain data that is packed when a version goes and unpacked into the next one. A form of its own,
// because JSON would lose integers, keys that are numbers, and bytes.
#include "nj_internal.h"

#include <stdlib.h>

enum { STATE_LIMIT = 1 << 20, DEPTH_LIMIT = 64, VERSION = 1 };

void nj_push_state_table(lua_State *L) { lua_rawgeti(L, LUA_REGISTRYINDEX, nj_host(L)->state_table); }

void nj_lua_keep_state(nj_lua *host) { host->keeps_state = true; }

// ---- packing

static void pack(lua_State *L, nj_buffer *out, int index, int depth);

static int unfit(lua_State *L, const char *what) {
    return luaL_error(L, "nightjar.state holds %s; it takes nil, booleans, numbers, text and tables of them", what);
}

static int too_large(lua_State *L) { return luaL_error(L, "nightjar.state is over 1 MiB; keep less"); }

static void pack_table(lua_State *L, nj_buffer *out, int index, int depth) {
    if (depth == DEPTH_LIMIT) unfit(L, "tables nested deeper than 64, or one that holds itself");
    luaL_checkstack(L, 4, NULL);
    nj_buffer_add(out, "{", 1);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        int key = lua_gettop(L) - 1;
        pack(L, out, key, depth + 1);
        pack(L, out, key + 1, depth + 1);
        lua_settop(L, key);
    }
    nj_buffer_add(out, "}", 1);
}

static void pack(lua_State *L, nj_buffer *out, int index, int depth) {
    nj_spend(L, 10);
    char bytes[9];
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN: nj_buffer_add(out, lua_toboolean(L, index) ? "t" : "f", 1); break;
    case LUA_TNUMBER:
        bytes[0] = lua_isinteger(L, index) ? 'i' : 'd';
        if (bytes[0] == 'i') {
            int64_t integer = lua_tointeger(L, index);
            memcpy(bytes + 1, &integer, 8);
        } else {
            double number = lua_tonumber(L, index);
            memcpy(bytes + 1, &number, 8);
        }
        nj_buffer_add(out, bytes, 9);
        break;
    case LUA_TSTRING: {
        size_t length;
        const char *text = lua_tolstring(L, index, &length);
        uint32_t size = (uint32_t)length;
        bytes[0] = 's';
        memcpy(bytes + 1, &size, 4);
        if (out->size + length > STATE_LIMIT - 16) too_large(L);
        nj_buffer_add(out, bytes, 5);
        nj_buffer_add(out, text, length);
        break;
    }
    case LUA_TLIGHTUSERDATA: nj_buffer_add(out, "n", 1); break;
    case LUA_TTABLE: pack_table(L, out, index, depth); break;
    case LUA_TFUNCTION: unfit(L, "a function"); break;
    case LUA_TTHREAD: unfit(L, "a coroutine"); break;
    default: unfit(L, "an object of the host");
    }
    if (out->size > STATE_LIMIT - 16) too_large(L);
}

static int pack_body(lua_State *L) {
    nj_lua *host = nj_host(L);
    nj_text *result = lua_touserdata(L, 1);
    nj_push_state_table(L);
    int table = lua_gettop(L);
    nj_buffer out;
    nj_buffer_start(&out, L, 256);
    nj_buffer_add(&out, &(char){VERSION}, 1);
    pack(L, &out, table, 0);
    free(host->packed);
    host->packed = malloc(out.size);
    if (host->packed == NULL) return luaL_error(L, "no memory to keep nightjar.state");
    memcpy(host->packed, out.bytes, out.size);
    *result = (nj_text){host->packed, (uint32_t)out.size};
    return 0;
}

int32_t nj_lua_pack_state(nj_lua *host, nj_text *packed) {
    *packed = (nj_text){NULL, 0};
    if (!host->keeps_state) return NJ_OUTCOME_OK;
    return nj_run_body(host, pack_body, packed);
}

// ---- unpacking

typedef struct unpacker {
    const char *at, *end;
} unpacker;

static void need(lua_State *L, unpacker *in, size_t bytes) {
    if ((size_t)(in->end - in->at) < bytes) luaL_error(L, "the kept state is cut off");
}

static void unpack(lua_State *L, unpacker *in, int depth) {
    luaL_checkstack(L, 4, NULL);
    nj_spend(L, 10);
    need(L, in, 1);
    char tag = *in->at++;
    switch (tag) {
    case 't': lua_pushboolean(L, 1); return;
    case 'f': lua_pushboolean(L, 0); return;
    case 'n': lua_pushlightuserdata(L, (void *)&nj_null); return;
    case 'i':
    case 'd': {
        need(L, in, 8);
        int64_t integer;
        double number;
        memcpy(&integer, in->at, 8);
        memcpy(&number, in->at, 8);
        in->at += 8;
        if (tag == 'i') lua_pushinteger(L, integer);
        else lua_pushnumber(L, number);
        return;
    }
    case 's': {
        uint32_t size;
        need(L, in, 4);
        memcpy(&size, in->at, 4);
        in->at += 4;
        need(L, in, size);
        lua_pushlstring(L, in->at, size);
        in->at += size;
        return;
    }
    case '{':
        if (depth == DEPTH_LIMIT + 1) luaL_error(L, "the kept state is nested too deep");
        lua_newtable(L);
        for (;;) {
            need(L, in, 1);
            if (*in->at == '}') break;
            unpack(L, in, depth + 1);
            if (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) != lua_tonumber(L, -1)) luaL_error(L, "the kept state is damaged");
            unpack(L, in, depth + 1);
            lua_rawset(L, -3);
        }
        in->at++;
        return;
    default: luaL_error(L, "the kept state is damaged");
    }
}

typedef struct unpack_job {
    nj_text packed, version;
} unpack_job;

// Fills the version's own table, so that whoever holds it sees what came; with `clears`, what it had goes.
static void fill(lua_State *L, int source, bool clears) {
    nj_push_state_table(L);
    int target = lua_gettop(L);
    if (clears) {
        lua_pushnil(L);
        while (lua_next(L, target)) {
            lua_pop(L, 1);
            lua_pushvalue(L, -1);
            lua_pushnil(L);
            lua_rawset(L, target);
        }
    }
    lua_pushnil(L);
    while (lua_next(L, source)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, target);
    }
    lua_settop(L, target - 1);
}

static int unpack_body(lua_State *L) {
    const unpack_job *job = lua_touserdata(L, 1);
    unpacker in = {job->packed.bytes, job->packed.bytes + job->packed.length};
    need(L, &in, 1);
    if (*in.at++ != VERSION) return luaL_error(L, "the kept state is of a form that this host does not know");
    unpack(L, &in, 0);
    if (!lua_istable(L, -1)) return luaL_error(L, "the kept state is no table");
    int old = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_getfield(L, -1, "nightjar");
    lua_pushliteral(L, "migrate");
    bool migrates = job->version.bytes != NULL && lua_istable(L, -2) && lua_rawget(L, -2) == LUA_TFUNCTION;
    if (!migrates) {
        fill(L, old, false);
        return 0;
    }
    lua_pushvalue(L, old);
    nj_push_bytes(L, job->version);
    lua_call(L, 2, 1);
    if (!lua_istable(L, -1)) return luaL_error(L, "nightjar.migrate must return the new state, a table");
    fill(L, lua_gettop(L), true);
    return 0;
}

int32_t nj_lua_unpack_state(nj_lua *host, nj_text packed, nj_text version) {
    unpack_job job = {packed, version};
    if (!host->keeps_state || packed.bytes == NULL) return NJ_OUTCOME_OK;
    return nj_run_body(host, unpack_body, &job);
}
