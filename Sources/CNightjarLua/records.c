// Events that are no spans as Lua sees them, and the tables that processors write to.
#include "nj_internal.h"

// The user values of a record: the tables that were built of it.
enum { BUILT = 1 };

static nj_record_object *check_record(lua_State *L, int index) {
    nj_record_object *record = nj_test_object(L, index, NJ_RECORD_MAGIC, sizeof *record);
    if (record == NULL) luaL_error(L, "an event is expected, not %s", luaL_typename(L, index));
    if (record->generation != nj_host(L)->generation)
        luaL_error(L, "this %s belongs to an event that is over; keep a :copy() instead", nj_object_name(record->kind));
    return record;
}

void nj_push_record(lua_State *L, int kind, int32_t handle) {
    nj_lua *host = nj_host(L);
    nj_record_object *record = lua_newuserdatauv(L, sizeof *record, 1);
    *record = (nj_record_object){NJ_RECORD_MAGIC, kind, handle, host->generation};
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->record_meta);
    lua_setmetatable(L, -2);
}

// The object is at index 1. Tables are built once, so that they are the same each time.
static void push_field(lua_State *L, const nj_record_object *record, int field) {
    nj_lua *host = nj_host(L);
    int top = lua_gettop(L);
    if (lua_getiuservalue(L, 1, BUILT) == LUA_TTABLE && lua_rawgeti(L, -1, field) != LUA_TNIL) {
        lua_remove(L, -2);
        return;
    }
    lua_settop(L, top);
    nj_reply reply = {0};
    int status = host->callbacks.read_record(host->callbacks.context, record->handle, field, &reply);
    nj_push_reply(L, status, &reply);
    if (!lua_istable(L, -1)) return;
    if (lua_getiuservalue(L, 1, BUILT) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, BUILT);
    }
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, field);
    lua_pop(L, 1);
}

static int trace_of(lua_State *L) {
    nj_record_object *record = check_record(L, 1);
    nj_lua *host = nj_host(L);
    nj_reply reply = {0};
    uint64_t high, low;
    int status = host->callbacks.read_record(host->callbacks.context, record->handle, NJ_R_TRACE_ID, &reply);
    if (status != NJ_REPLY_TEXT || !nj_parse_id(reply.bytes.bytes, reply.bytes.length, &high, &low, 32)) return 0;
    nj_push_fetched_trace(L, high, low);
    return 1;
}

// A plain table of every field.
static int copy(lua_State *L) {
    nj_record_object *record = check_record(L, 1);
    lua_settop(L, 1);
    lua_newtable(L);
    for (int field = 0; field < NJ_R_METHODS; field++) {
        const nj_field_info *info = nj_object_field(record->kind, field);
        if (info == NULL) continue;
        push_field(L, record, field);
        lua_setfield(L, 2, info->name);
        lua_settop(L, 2);
    }
    return 1;
}

static int index_record(lua_State *L) {
    nj_record_object *record = check_record(L, 1);
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "fields of a %s are named by text, not by a %s", nj_object_name(record->kind), luaL_typename(L, 2));
    nj_key_slot *slot = nj_key(nj_host(L), lua_topointer(L, 2));
    int field = slot->key != NULL ? slot->record_field : -1;
    if (field < 0 || nj_object_field(record->kind, field) == NULL) return nj_unknown_field(L, record->kind, 2);
    if (field == NJ_R_TRACE) lua_pushcfunction(L, trace_of);
    else if (field == NJ_R_COPY) lua_pushcfunction(L, copy);
    else push_field(L, record, field);
    return 1;
}

// ---- drafts

// A draft has its values as raw members; what it does not have is read from the event below it, its upvalue.
static const char *const writable[] = {"name", "attributes", "metadata", "tags", "message", "data", "labels", NULL};

static bool is_writable(lua_State *L, int key, int event) {
    if (lua_type(L, key) != LUA_TSTRING) return false;
    const char *name = lua_tostring(L, key);
    nj_record_object *record = nj_test_object(L, event, NJ_RECORD_MAGIC, sizeof *record);
    int kind = record != NULL ? record->kind : NJ_OBJECT_SPAN;
    for (const char *const *at = writable; *at != NULL; at++)
        if (strcmp(*at, name) == 0) return nj_object_find(kind, (nj_text){name, (uint32_t)strlen(name)}) >= 0;
    return false;
}

static int index_draft(lua_State *L) {
    lua_pushvalue(L, 2);
    lua_gettable(L, lua_upvalueindex(1));
    if (!is_writable(L, 2, lua_upvalueindex(1)) || lua_type(L, -1) == LUA_TSTRING || lua_isnil(L, -1)) return 1;
    // A copy that may be changed; it stays with the draft, which is how the change is found.
    if (lua_isuserdata(L, -1)) {
        nj_copy_pairs(L);
    } else {
        nj_text json = nj_to_json(L, -1);
        nj_push_json(L, json.bytes, json.length);
    }
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
}

static int write_draft(lua_State *L) {
    if (!is_writable(L, 2, lua_upvalueindex(1)))
        return luaL_error(L, "process may set name, attributes, metadata and tags (of a log message and data, of a metric labels)");
    lua_settop(L, 3);
    lua_rawset(L, 1);
    return 0;
}

void nj_push_draft(lua_State *L, int object) {
    object = lua_absindex(L, object);
    lua_newtable(L);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, object);
    lua_pushcclosure(L, index_draft, 1);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, object);
    lua_pushcclosure(L, write_draft, 1);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

void nj_emit_changes(lua_State *L, int draft) {
    draft = lua_absindex(L, draft);
    for (const char *const *at = writable; *at != NULL; at++) {
        lua_pushstring(L, *at);
        int type = lua_rawget(L, draft);
        bool is_text = strcmp(*at, "name") == 0 || strcmp(*at, "message") == 0;
        if (type != LUA_TNIL) {
            if (is_text && type != LUA_TSTRING) luaL_error(L, "field '%s' is a %s; text is needed", *at, luaL_typename(L, -1));
            if (!is_text && type != LUA_TTABLE) luaL_error(L, "field '%s' is a %s; a table is needed", *at, luaL_typename(L, -1));
            nj_emit_change(L, *at, nj_to_json(L, -1));
        }
        lua_pop(L, 1);
    }
}

void nj_open_records(lua_State *L) {
    static const luaL_Reg metamethods[] = {{"__index", index_record}, {"__newindex", nj_read_only}, {NULL, NULL}};
    luaL_newlib(L, metamethods);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushliteral(L, "event");
    lua_setfield(L, -2, "__name");
    nj_host(L)->record_meta = luaL_ref(L, LUA_REGISTRYINDEX);
}
