// The table `nightjar`.
#include "nj_internal.h"

#include <stdio.h>

typedef struct instrument_object {
    uint32_t magic;
    int32_t type, handle;
} instrument_object;

static const char none_key[] = "$none_of";

// Tells the other side what the script declares; raises what it objects to, at the script's line.
static int64_t declare(lua_State *L, nj_declaration *declaration) {
    nj_lua *host = nj_host(L);
    nj_reply reply = {0};
    luaL_where(L, 1);
    size_t length;
    const char *place = lua_tolstring(L, -1, &length);
    // luaL_where ends with ": ". The name of a text that the script loads itself is the script's, and the place is logged.
    char shown[LUA_IDSIZE + 24];
    nj_printable(shown, sizeof shown, place, length > 2 ? length - 2 : 0, false);
    declaration->place = (nj_text){shown, (uint32_t)strlen(shown)};
    declaration->in_call = !host->loading;
    if (declaration->function > 0 && lua_rawgeti(L, LUA_REGISTRYINDEX, declaration->function) == LUA_TFUNCTION) {
        lua_Debug record;
        lua_getinfo(L, ">S", &record);
        declaration->line = record.linedefined > 0 ? record.linedefined : 0;
    } else if (declaration->function > 0) {
        lua_pop(L, 1);
    }
    int status = host->callbacks.declare(host->callbacks.context, declaration, &reply);
    if (status == NJ_REPLY_ERROR) {
        nj_push_bytes(L, reply.bytes);
        luaL_error(L, "%s", lua_tostring(L, -1));
    }
    lua_pop(L, 1);
    return reply.number;
}

static void need_load(lua_State *L, const char *what) {
    if (!nj_host(L)->loading) luaL_error(L, "nightjar.%s works while the file loads, not inside a call", what);
}

static nj_text check_name(lua_State *L, int index) {
    size_t length;
    if (lua_type(L, index) != LUA_TSTRING) luaL_error(L, "a name is needed, not %s", luaL_typename(L, index));
    const char *name = lua_tolstring(L, index, &length);
    if (length > 256) luaL_error(L, "a name of %d bytes; at most 256", (int)length);
    return (nj_text){name, (uint32_t)length};
}

static nj_text optional_table(lua_State *L, int index, const char *what) {
    if (lua_isnoneornil(L, index)) return (nj_text){NULL, 0};
    if (!lua_istable(L, index)) luaL_error(L, "%s must be a table, not a %s", what, luaL_typename(L, index));
    return nj_to_json(L, index);
}

static nj_text optional_match(lua_State *L, int index, const char *what) {
    nj_text text = optional_table(L, index, what);
    if (text.length > NJ_MATCH_LIMIT)
        luaL_error(L, "%s: %d bytes as JSON; at most %d", what, (int)text.length, NJ_MATCH_LIMIT);
    return text;
}

static int32_t keep_function(lua_State *L, int index) {
    lua_pushvalue(L, index);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

// on(event, match?, fn, opts?): the match may be left out altogether.
static int on(lua_State *L) {
    need_load(L, "on");
    nj_declaration declaration = {.kind = NJ_DECLARE_RULE, .name = check_name(L, 1)};
    if (lua_isfunction(L, 2)) {
        lua_pushnil(L);
        lua_insert(L, 2);
    }
    if (!lua_isfunction(L, 3)) return luaL_error(L, "nightjar.on needs a function, not %s", luaL_typename(L, 3));
    declaration.match = optional_match(L, 2, "the match");
    declaration.options = optional_table(L, 4, "the options");
    declaration.function = keep_function(L, 3);
    declare(L, &declaration);
    return 0;
}

static int scorer(lua_State *L) {
    need_load(L, "scorer");
    nj_declaration declaration = {.kind = NJ_DECLARE_SCORER, .name = check_name(L, 1)};
    if (!lua_isfunction(L, 3)) return luaL_error(L, "nightjar.scorer needs a function, not %s", luaL_typename(L, 3));
    declaration.options = optional_match(L, 2, "the options");
    declaration.function = keep_function(L, 3);
    declare(L, &declaration);
    return 0;
}

static int on_unload(lua_State *L) {
    need_load(L, "on_unload");
    luaL_checktype(L, 1, LUA_TFUNCTION);
    nj_declaration declaration = {.kind = NJ_DECLARE_UNLOAD, .function = keep_function(L, 1)};
    declare(L, &declaration);
    return 0;
}

static int plugin(lua_State *L) {
    need_load(L, "plugin");
    luaL_checktype(L, 1, LUA_TTABLE);
    nj_declaration declaration = {.kind = NJ_DECLARE_PLUGIN, .function = -1, .options = nj_to_json(L, 1)};
    declare(L, &declaration);
    return 0;
}

// process(signal, match?, fn)
static int process(lua_State *L) {
    need_load(L, "process");
    nj_declaration declaration = {.kind = NJ_DECLARE_PROCESS, .name = check_name(L, 1)};
    if (lua_isfunction(L, 2)) {
        lua_pushnil(L);
        lua_insert(L, 2);
    }
    if (!lua_isfunction(L, 3)) return luaL_error(L, "nightjar.process needs a function, not %s", luaL_typename(L, 3));
    declaration.match = optional_table(L, 2, "the match");
    declaration.function = keep_function(L, 3);
    declare(L, &declaration);
    return 0;
}

static int sampler(lua_State *L) {
    need_load(L, "sampler");
    luaL_checktype(L, 1, LUA_TFUNCTION);
    nj_declaration declaration = {.kind = NJ_DECLARE_SAMPLER, .function = keep_function(L, 1)};
    declare(L, &declaration);
    return 0;
}

static int every(lua_State *L) {
    need_load(L, "every");
    nj_declaration declaration = {.kind = NJ_DECLARE_EVERY, .number = luaL_checknumber(L, 1)};
    luaL_checktype(L, 2, LUA_TFUNCTION);
    declaration.function = keep_function(L, 2);
    declare(L, &declaration);
    return 0;
}

static int data(lua_State *L) {
    need_load(L, "data");
    nj_declaration declaration = {.kind = NJ_DECLARE_DATA, .function = -1, .name = check_name(L, 1)};
    nj_push_data(L, declare(L, &declaration));
    return 1;
}

static int get_trace(lua_State *L) {
    if (nj_host(L)->loading) return luaL_error(L, "nightjar.get_trace works inside a call, not while the file loads");
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    uint64_t high, low;
    if (!nj_parse_id(text, length, &high, &low, 32)) return luaL_error(L, "'%s' is no id of up to 32 hex digits", text);
    nj_push_fetched_trace(L, high, low);
    return 1;
}

static int labels(lua_State *L) {
    need_load(L, "labels");
    nj_declaration declaration = {.kind = NJ_DECLARE_LABELS, .function = -1, .name = check_name(L, 1)};
    luaL_checktype(L, 2, LUA_TTABLE);
    declaration.options = nj_to_json(L, 2);
    declare(L, &declaration);
    return 0;
}

static int instrument(lua_State *L, int kind, int type) {
    nj_spend(L, 100);
    nj_declaration declaration = {.kind = kind, .function = -1, .name = check_name(L, 1)};
    declaration.options = optional_table(L, 2, "the options");
    if (!nj_host(L)->loading && declaration.options.bytes != NULL)
        return luaL_error(L, "options of a metric are given while the file loads; inside a call only its name");
    int64_t handle = declare(L, &declaration);
    instrument_object *object = lua_newuserdatauv(L, sizeof *object, 0);
    *object = (instrument_object){NJ_INSTRUMENT_MAGIC, type, (int32_t)handle};
    lua_rawgeti(L, LUA_REGISTRYINDEX, nj_host(L)->instrument_meta[type]);
    lua_setmetatable(L, -2);
    return 1;
}

static int counter(lua_State *L) { return instrument(L, NJ_DECLARE_COUNTER, 0); }
static int gauge(lua_State *L) { return instrument(L, NJ_DECLARE_GAUGE, 1); }
static int histogram(lua_State *L) { return instrument(L, NJ_DECLARE_HISTOGRAM, 2); }

static int add(lua_State *L) { return nj_metric_add(L, 0); }
static int set(lua_State *L) { return nj_metric_add(L, 1); }
static int record(lua_State *L) { return nj_metric_add(L, 2); }

static const char *const calls[] = {"add", "set", "record"};

static int unknown_call(lua_State *L) {
    static const char *const names[] = {"counter", "gauge", "histogram"};
    lua_Integer type = lua_tointeger(L, lua_upvalueindex(1));
    return luaL_error(L, "a %s has only '%s'", names[type], calls[type]);
}

// One metatable per type. The call lies in a table, which the interpreter looks up without a call of ours.
static void open_instruments(lua_State *L) {
    static const lua_CFunction functions[] = {add, set, record};
    for (int type = 0; type < 3; type++) {
        lua_createtable(L, 0, 3);
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, functions[type]);
        lua_setfield(L, -2, calls[type]);
        lua_createtable(L, 0, 1);
        lua_pushinteger(L, type);
        lua_pushcclosure(L, unknown_call, 1);
        lua_setfield(L, -2, "__index");
        lua_setmetatable(L, -2);
        lua_setfield(L, -2, "__index");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
        lua_pushliteral(L, "metric");
        lua_setfield(L, -2, "__name");
        nj_host(L)->instrument_meta[type] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
}

static int score(lua_State *L) { return nj_add_score(L, 1, NULL, NULL); }
static int feedback(lua_State *L) { return nj_add_feedback(L, 1, NULL, NULL); }

static int write_log(lua_State *L, int level) {
    size_t length;
    luaL_checkany(L, 1);
    nj_text data = optional_table(L, 2, "data");
    nj_push_text(L, 1);
    const char *text = lua_tolstring(L, -1, &length);
    nj_emit_log(L, NJ_EMIT_LOG, level, text, length, data);
    return 0;
}

static int log_debug(lua_State *L) { return write_log(L, 0); }
static int log_info(lua_State *L) { return write_log(L, 1); }
static int log_warn(lua_State *L) { return write_log(L, 2); }
static int log_error(lua_State *L) { return write_log(L, 3); }

static int now(lua_State *L) {
    nj_lua *host = nj_host(L);
    lua_pushnumber(L, host->callbacks.now(host->callbacks.context));
    return 1;
}

static void digest_of(lua_State *L, char hex[64]) {
    static const char digits[] = "0123456789abcdef";
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    uint8_t digest[32];
    nj_spend(L, length * 4 + 100);
    nj_sha256(text, length, digest);
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
}

static int hash(lua_State *L) {
    char hex[64];
    digest_of(L, hex);
    lua_pushlstring(L, hex, 64);
    return 1;
}

// The same text gives the same id, in the form of a UUID of version 8 (RFC 9562: content of one's own).
static int uuid_like(lua_State *L) {
    char hex[64], text[37];
    digest_of(L, hex);
    hex[12] = '8';
    hex[16] = "89ab"[(hex[16] >= 'a' ? hex[16] - 'a' + 10 : hex[16] - '0') & 3];
    snprintf(text, sizeof text, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
    lua_pushlstring(L, text, 36);
    return 1;
}

// Marks a list for the match: none of these values.
static int none_of(lua_State *L) {
    int count = lua_gettop(L);
    if (count == 1 && lua_istable(L, 1)) {
        lua_createtable(L, 0, 1);
        lua_pushvalue(L, 1);
    } else {
        luaL_checkstack(L, 6, NULL);
        lua_createtable(L, count, 0);
        lua_insert(L, 1);
        for (int i = count; i >= 1; i--) lua_rawseti(L, 1, i);
        lua_createtable(L, 0, 1);
        lua_pushvalue(L, 1);
    }
    lua_setfield(L, -2, none_key);
    return 1;
}

static int unknown_name(lua_State *L) {
    if (lua_type(L, 2) != LUA_TSTRING) return luaL_error(L, "names in nightjar are text, not a %s", luaL_typename(L, 2));
    const char *name = lua_tostring(L, 2);
    if (strcmp(name, "version") == 0 || strcmp(name, "migrate") == 0) return 0;
    if (strcmp(name, "state") == 0) {
        if (!nj_host(L)->keeps_state) return luaL_error(L, "nightjar.state needs nightjar.plugin { scope = \"global\" }");
        nj_push_state_table(L);
        return 1;
    }
    const char *names[96];
    int count = 0;
    for (const nj_call_info *info; count < 96 && (info = nj_api_call(count)) != NULL; count++) names[count] = info->name;
    const char *nearest = nj_nearest(name, names, count);
    char shown[64];
    nj_printable(shown, sizeof shown, name, lua_rawlen(L, 2), false);
    return luaL_error(L, "nightjar has no '%s'%s%s%s", shown, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static int unknown_setting(lua_State *L) {
    if (lua_type(L, 2) != LUA_TSTRING) return luaL_error(L, "settings are named by text, not by a %s", luaL_typename(L, 2));
    char shown[64];
    nj_printable(shown, sizeof shown, lua_tostring(L, 2), lua_rawlen(L, 2), false);
    return luaL_error(L, "no setting '%s'; declare it in nightjar.plugin{settings = {…}}", shown);
}

// The table is read only, but for what a plugin defines for the host to call, and for its state as a whole.
static int write_name(lua_State *L) {
    nj_lua *host = nj_host(L);
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(name, "migrate") == 0) {
        need_load(L, "migrate");
        luaL_checktype(L, 3, LUA_TFUNCTION);
        lua_settop(L, 3);
        lua_rawset(L, 1);
        return 0;
    }
    if (strcmp(name, "state") != 0) return luaL_error(L, "nightjar is read only");
    if (!host->keeps_state) return luaL_error(L, "nightjar.state needs nightjar.plugin { scope = \"global\" }");
    if (!lua_istable(L, 3)) return luaL_error(L, "nightjar.state is a table");
    lua_pushvalue(L, 3);
    lua_rawseti(L, LUA_REGISTRYINDEX, host->state_table);
    return 0;
}

static int refuse_write(lua_State *L) { return luaL_error(L, "settings are read only"); }

static void protect(lua_State *L, lua_CFunction index, lua_CFunction write) {
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, index);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, write);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

// Fills nightjar.settings and nightjar.version; the arguments are light: the JSON and the version.
static int set_settings(lua_State *L) {
    const nj_text *texts = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_getfield(L, -1, "nightjar");
    if (!lua_istable(L, -1)) return 0;
    lua_pushliteral(L, "settings");
    if (texts[0].bytes != NULL) nj_push_json(L, texts[0].bytes, texts[0].length);
    else lua_newtable(L);
    protect(L, unknown_setting, refuse_write);
    lua_rawset(L, -3);
    if (texts[1].bytes == NULL) return 0;
    lua_pushliteral(L, "version");
    nj_push_bytes(L, texts[1]);
    lua_rawset(L, -3);
    return 0;
}

void nj_lua_set_settings(nj_lua *host, nj_text json, nj_text version) {
    nj_text texts[2] = {json, version};
    lua_pushcfunction(host->L, set_settings);
    lua_pushlightuserdata(host->L, texts);
    int64_t fuel = host->fuel;
    host->fuel = host->limits.fuel;
    if (lua_pcall(host->L, 1, 0, 0) != LUA_OK) lua_pop(host->L, 1);
    host->fuel = fuel;
}

void nj_open_api(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"on", on}, {"scorer", scorer}, {"on_unload", on_unload}, {"plugin", plugin}, {"labels", labels}, {"counter", counter},
        {"gauge", gauge}, {"histogram", histogram}, {"score", score}, {"feedback", feedback}, {"now", now}, {"hash", hash},
        {"uuid_like", uuid_like}, {"none_of", none_of}, {"process", process}, {"sampler", sampler}, {"every", every},
        {"data", data}, {"get_trace", get_trace}, {NULL, NULL},
    };
    static const luaL_Reg logging[] = {
        {"debug", log_debug}, {"info", log_info}, {"warn", log_warn}, {"error", log_error}, {NULL, NULL},
    };
    nj_lua *host = nj_host(L);
    open_instruments(L);
    luaL_newlib(L, functions);
    luaL_newlib(L, logging);
    lua_setfield(L, -2, "log");
    nj_open_json(L);
    lua_pushlightuserdata(L, (void *)&nj_null);
    lua_setfield(L, -2, "null");
    lua_pushstring(L, host->name);
    lua_setfield(L, -2, "name");
    lua_newtable(L);
    protect(L, unknown_setting, refuse_write);
    lua_setfield(L, -2, "settings");
    nj_open_collections(L);
    protect(L, unknown_name, write_name);
    lua_setfield(L, -2, "nightjar");
}
