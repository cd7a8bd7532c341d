// A bare host: rows behind a userdata, fields by the key's place in a table, counters in a hash table.
#include "include/bare_host.h"

#include <lua5.4/lauxlib.h>
#include <lua5.4/lua.h>
#include <lua5.4/lualib.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = 4096, LABELS = 8, HELD = 64, MEMORY = 64 << 20 };
enum { F_STATUS = 1, F_DURATION, F_PROVIDER, F_SERVICE, F_MODEL, F_AGENT, F_NAME, F_TOOL };

typedef struct label {
    const char *name, *value;
    size_t name_length, value_length;
} label;

typedef struct emission {
    double value;
    int count;
    label labels[LABELS];
} emission;

typedef struct cell {
    uint64_t hash;
    double sum;
} cell;

struct bare_host {
    lua_State *L;
    int protections, rule, event, meta;
    uint64_t used, generation;
    _Atomic uint64_t call;
    emission held[HELD];
    int held_count;
    cell cells[CELLS];
};

typedef struct span_object {
    nj_span_ref ref;
    uint64_t generation;
} span_object;

static bare_host *host_of(lua_State *L) { return *(bare_host **)lua_getextraspace(L); }

static void *allocate(void *context, void *block, size_t old_size, size_t size) {
    bare_host *host = context;
    if (block == NULL) old_size = 0;
    if (host->protections & BARE_CAPPED) {
        if (size > old_size && host->used + (size - old_size) > MEMORY) return NULL;
        host->used += size - old_size;
    }
    if (size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, size);
}

static int push_text(lua_State *L, nj_text text) {
    if (text.bytes == NULL) lua_pushnil(L);
    else lua_pushlstring(L, text.bytes, text.length);
    return 1;
}

// The table of fields is the upvalue.
static int index_span(lua_State *L) {
    span_object *object = lua_touserdata(L, 1);
    bare_host *host = host_of(L);
    if ((host->protections & BARE_CHECKED) && object->generation != host->generation) return luaL_error(L, "void");
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    const nj_span *span = object->ref.span;
    const nj_context *context = &object->ref.slab->contexts[span->context];
    switch (lua_tointeger(L, -1)) {
    case F_STATUS: lua_pushstring(L, span->status == NJ_STATUS_OK ? "ok" : "error"); return 1;
    case F_DURATION: lua_pushnumber(L, (double)(span->end_nano - span->start_nano) / 1e6); return 1;
    case F_PROVIDER: return push_text(L, span->provider);
    case F_SERVICE: return push_text(L, context->service);
    case F_MODEL: return push_text(L, span->model);
    case F_AGENT: return push_text(L, span->agent.bytes ? span->agent : span->settled_agent);
    case F_NAME: return push_text(L, span->name);
    case F_TOOL: return push_text(L, span->tool);
    default: return 0;
    }
}

static uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001B3;
    return hash;
}

static void count(bare_host *host, const emission *what) {
    // The order of labels does not matter.
    uint64_t hash = 1;
    for (int i = 0; i < what->count; i++) {
        const label *one = &what->labels[i];
        hash += hash_bytes(hash_bytes(0xCBF29CE484222325, one->name, one->name_length), one->value, one->value_length);
    }
    for (uint64_t at = hash;; at++) {
        cell *found = &host->cells[at % CELLS];
        if (found->hash != hash && found->hash != 0) continue;
        found->hash = hash;
        found->sum += what->value;
        return;
    }
}

static int add(lua_State *L) {
    bare_host *host = host_of(L);
    emission direct, *what = &direct;
    if (host->protections & BARE_HELD) {
        if (host->held_count == HELD) return luaL_error(L, "too many");
        what = &host->held[host->held_count++];
    }
    what->value = lua_tonumber(L, 2);
    what->count = 0;
    lua_pushnil(L);
    while (lua_next(L, 3) && what->count < LABELS) {
        label *one = &what->labels[what->count++];
        one->name = lua_tolstring(L, -2, &one->name_length);
        one->value = lua_tolstring(L, -1, &one->value_length);
        lua_pop(L, 1);
    }
    if (what == &direct) count(host, what);
    return 0;
}

static int counter(lua_State *L) {
    lua_newtable(L);
    lua_pushcfunction(L, add);
    lua_setfield(L, -2, "add");
    return 1;
}

static int on(lua_State *L) {
    lua_pushvalue(L, 3);
    host_of(L)->rule = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static void open_fields(lua_State *L) {
    static const char *const names[] = {"status", "duration_ms", "provider", "service", "model", "agent", "name", "tool"};
    lua_newtable(L);
    lua_newtable(L);
    for (int i = 0; i < 8; i++) {
        lua_pushinteger(L, i + 1);
        lua_setfield(L, -2, names[i]);
    }
    lua_pushcclosure(L, index_span, 1);
    lua_setfield(L, -2, "__index");
    host_of(L)->meta = luaL_ref(L, LUA_REGISTRYINDEX);
}

bare_host *bare_open(const char *script, int protections) {
    bare_host *host = calloc(1, sizeof *host);
    if (host == NULL) return NULL;
    host->protections = protections;
    lua_State *L = host->L = lua_newstate(allocate, host);
    if (L == NULL) {
        free(host);
        return NULL;
    }
    *(bare_host **)lua_getextraspace(L) = host;
    luaL_openlibs(L);
    open_fields(L);
    lua_newtable(L);
    lua_pushcfunction(L, counter);
    lua_setfield(L, -2, "counter");
    lua_pushcfunction(L, on);
    lua_setfield(L, -2, "on");
    lua_setglobal(L, "nightjar");
    if (luaL_dostring(L, script) != LUA_OK) {
        bare_close(host);
        return NULL;
    }
    return host;
}

void bare_close(bare_host *host) {
    lua_close(host->L);
    free(host);
}

bool bare_call(bare_host *host, nj_span_ref span, int type) {
    if (span.span->type != type) return true;
    lua_State *L = host->L;
    if (host->protections & BARE_TIMED) {
        uint64_t call = atomic_load_explicit(&host->call, memory_order_relaxed);
        atomic_store_explicit(&host->call, call + 1, memory_order_release);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->rule);
    span_object *object = lua_newuserdatauv(L, sizeof *object, 0);
    *object = (span_object){span, ++host->generation};
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->meta);
    lua_setmetatable(L, -2);
    bool good = lua_pcall(L, 1, 0, 0) == LUA_OK;
    if (!good) lua_settop(L, 0);
    for (int i = 0; good && i < host->held_count; i++) count(host, &host->held[i]);
    host->held_count = 0;
    if (host->protections & BARE_TIMED) {
        uint64_t call = atomic_load_explicit(&host->call, memory_order_relaxed);
        atomic_store_explicit(&host->call, call + 1, memory_order_release);
    }
    return good;
}

double bare_total(const bare_host *host) {
    double sum = 0;
    for (int i = 0; i < CELLS; i++) sum += host->cells[i].sum;
    return sum;
}
