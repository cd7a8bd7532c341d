// nightjar.data: a file that the host holds, as a tree of nodes that are looked up there.
#include "nj_internal.h"

typedef struct data_object {
    uint32_t magic;
    int64_t node;
} data_object;

static data_object *check_data(lua_State *L, int index) {
    data_object *data = nj_test_object(L, index, NJ_DATA_MAGIC, sizeof *data);
    if (data == NULL) luaL_error(L, "data of a file is expected, not %s", luaL_typename(L, index));
    return data;
}

void nj_push_data(lua_State *L, int64_t node) {
    data_object *data = lua_newuserdatauv(L, sizeof *data, 0);
    *data = (data_object){NJ_DATA_MAGIC, node};
    lua_rawgeti(L, LUA_REGISTRYINDEX, nj_host(L)->data_meta);
    lua_setmetatable(L, -2);
}

static void push_member(lua_State *L, int status, const nj_reply *reply) {
    if (status == NJ_REPLY_NODE) nj_push_data(L, reply->number);
    else nj_push_reply(L, status, reply);
}

static int index_data(lua_State *L) {
    data_object *data = check_data(L, 1);
    nj_lua *host = nj_host(L);
    nj_reply reply = {0};
    nj_text key = {NULL, 0};
    int64_t place = 0;
    nj_spend(L, 20);
    if (lua_type(L, 2) == LUA_TSTRING) {
        size_t length;
        const char *text = lua_tolstring(L, 2, &length);
        key = (nj_text){text, (uint32_t)length};
    } else if (!lua_isinteger(L, 2) || (place = lua_tointeger(L, 2)) < 1) {
        return 0;
    }
    push_member(L, host->callbacks.data_member(host->callbacks.context, data->node, key, place, &reply), &reply);
    return 1;
}

// The control value of `pairs` is of the script's making; the place is the closure's own.
static int next_member(lua_State *L) {
    data_object *data = check_data(L, 1);
    nj_lua *host = nj_host(L);
    lua_Integer place = lua_tointeger(L, lua_upvalueindex(1));
    nj_reply reply = {0};
    nj_spend(L, 20);
    int status = host->callbacks.data_next(host->callbacks.context, data->node, place, &reply);
    if (status == NJ_REPLY_ABSENT) return 0;
    lua_pushinteger(L, place + 1);
    lua_replace(L, lua_upvalueindex(1));
    if (reply.key.bytes != NULL) nj_push_bytes(L, reply.key);
    else lua_pushinteger(L, place + 1);
    push_member(L, status, &reply);
    return 2;
}

static int pairs_of_data(lua_State *L) {
    check_data(L, 1);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_member, 1);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

static int length_of_data(lua_State *L) {
    data_object *data = check_data(L, 1);
    nj_lua *host = nj_host(L);
    lua_pushinteger(L, host->callbacks.data_length(host->callbacks.context, data->node));
    return 1;
}

static int refuse_write(lua_State *L) { return luaL_error(L, "data of a file is read only"); }

void nj_open_data(lua_State *L) {
    static const luaL_Reg metamethods[] = {
        {"__index", index_data}, {"__newindex", refuse_write}, {"__pairs", pairs_of_data}, {"__len", length_of_data}, {NULL, NULL},
    };
    luaL_newlib(L, metamethods);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushliteral(L, "data");
    lua_setfield(L, -2, "__name");
    nj_host(L)->data_meta = luaL_ref(L, LUA_REGISTRYINDEX);
}
