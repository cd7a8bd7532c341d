// The table library over raw access, with bounded work. Tables that answer for themselves by metamethods are refused: a length
// that they make up would keep C code busy for ever.
#include "nj_internal.h"

#include <limits.h>

enum { UNPACK_LIMIT = 8000 };

static lua_Integer check_plain(lua_State *L, int index) {
    luaL_checktype(L, index, LUA_TTABLE);
    if (lua_getmetatable(L, index)) {
        static const char *const asked[] = {"__index", "__newindex", "__len"};
        for (int i = 0; i < 3; i++) {
            lua_pushstring(L, asked[i]);
            // A class whose objects keep their own items is common: methods alone do no harm.
            if (lua_rawget(L, -2) != LUA_TNIL && (i > 0 || !lua_istable(L, -1)))
                luaL_error(L, "the table library takes plain tables, not one with %s", asked[i]);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    return (lua_Integer)lua_rawlen(L, index);
}

static int insert_item(lua_State *L) {
    lua_Integer end = check_plain(L, 1) + 1;
    lua_Integer at = end;
    int count = lua_gettop(L);
    if (count == 3) {
        at = luaL_checkinteger(L, 2);
        luaL_argcheck(L, at >= 1 && at <= end, 2, "position out of bounds");
        nj_spend(L, (uint64_t)(end - at) + 1);
        for (lua_Integer i = end; i > at; i--) {
            lua_rawgeti(L, 1, i - 1);
            lua_rawseti(L, 1, i);
        }
    } else if (count != 2) {
        return luaL_error(L, "wrong number of arguments to 'insert'");
    }
    lua_rawseti(L, 1, at);
    return 0;
}

static int remove_item(lua_State *L) {
    lua_Integer size = check_plain(L, 1);
    lua_Integer at = luaL_optinteger(L, 2, size);
    // An empty list may be asked for its item 0.
    if (at != size) luaL_argcheck(L, (lua_Unsigned)at - 1u <= (lua_Unsigned)size, 2, "position out of bounds");
    lua_rawgeti(L, 1, at);
    nj_spend(L, size > at ? (uint64_t)(size - at) + 1 : 1);
    for (; at < size; at++) {
        lua_rawgeti(L, 1, at + 1);
        lua_rawseti(L, 1, at);
    }
    lua_pushnil(L);
    lua_rawseti(L, 1, at);
    return 1;
}

static int move(lua_State *L) {
    lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3), to = luaL_checkinteger(L, 4);
    int target = lua_isnoneornil(L, 5) ? 1 : 5;
    check_plain(L, 1);
    check_plain(L, target);
    if (last >= first) {
        luaL_argcheck(L, first > 0 || last < LUA_MAXINTEGER + first, 3, "too many elements to move");
        lua_Integer count = last - first + 1;
        luaL_argcheck(L, to <= LUA_MAXINTEGER - count + 1, 4, "destination wrap around");
        nj_spend(L, (uint64_t)count);
        bool upwards = to > last || to <= first || !lua_rawequal(L, 1, target);
        for (lua_Integer i = 0; i < count; i++) {
            lua_Integer step = upwards ? i : count - 1 - i;
            lua_rawgeti(L, 1, first + step);
            lua_rawseti(L, target, to + step);
        }
    }
    lua_pushvalue(L, target);
    return 1;
}

static int concat(lua_State *L) {
    lua_Integer size = check_plain(L, 1);
    size_t gap;
    const char *between = luaL_optlstring(L, 2, "", &gap);
    lua_Integer first = luaL_optinteger(L, 3, 1), last = luaL_optinteger(L, 4, size);
    if (first > last) {
        lua_pushliteral(L, "");
        return 1;
    }
    // Of all integers there are 2^64, which is 0 here: the missing item is met long before that many.
    lua_Unsigned count = (lua_Unsigned)last - (lua_Unsigned)first + 1;
    uint64_t limit = nj_host(L)->limits.string;
    // Measured first: the result is built in one piece.
    uint64_t total = 0;
    for (lua_Unsigned i = 0; i != count || i == 0; i++) {
        nj_spend(L, 2);
        int type = lua_rawgeti(L, 1, (lua_Integer)((lua_Unsigned)first + i));
        if (type != LUA_TSTRING && type != LUA_TNUMBER)
            return luaL_error(L, "invalid value (%s) at index %I in table for 'concat'", luaL_typename(L, -1),
                              (LUAI_UACINT)((lua_Unsigned)first + i));
        size_t length;
        lua_tolstring(L, -1, &length);
        total += length + (i > 0 ? gap : 0);
        if (total > limit) return luaL_error(L, "resulting string longer than %d KiB", (int)(limit >> 10));
        lua_pop(L, 1);
    }
    nj_spend(L, total);
    char *out = lua_newuserdatauv(L, total + 1, 0), *at = out;
    for (lua_Unsigned i = 0; i < count; i++) {
        if (i > 0) {
            memcpy(at, between, gap);
            at += gap;
        }
        size_t length;
        lua_rawgeti(L, 1, (lua_Integer)((lua_Unsigned)first + i));
        const char *text = lua_tolstring(L, -1, &length);
        memcpy(at, text, length);
        at += length;
        lua_pop(L, 1);
    }
    lua_pushlstring(L, out, total);
    return 1;
}

static int pack(lua_State *L) {
    int count = lua_gettop(L);
    nj_spend(L, (uint64_t)count + 1);
    luaL_checkstack(L, 4, NULL);
    lua_createtable(L, count, 1);
    lua_insert(L, 1);
    for (int i = count; i >= 1; i--) lua_rawseti(L, 1, i);
    lua_pushinteger(L, count);
    lua_setfield(L, 1, "n");
    return 1;
}

static int unpack(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer first = luaL_optinteger(L, 2, 1);
    lua_Integer last = lua_isnoneornil(L, 3) ? (lua_Integer)lua_rawlen(L, 1) : luaL_checkinteger(L, 3);
    if (first > last) return 0;
    lua_Unsigned count = (lua_Unsigned)last - (lua_Unsigned)first;
    if (count >= UNPACK_LIMIT) return luaL_error(L, "too many results to unpack; at most %d", UNPACK_LIMIT);
    nj_spend(L, count + 1);
    luaL_checkstack(L, (int)count + 2, "too many results to unpack");
    for (lua_Unsigned i = 0; i <= count; i++) lua_geti(L, 1, (lua_Integer)((lua_Unsigned)first + i));
    return (int)count + 1;
}

// Whether the value at `right` must come before the one at `left`.
static bool out_of_order(lua_State *L, int left, int right) {
    nj_spend(L, 4);
    if (lua_isnil(L, 2)) return lua_compare(L, right, left, LUA_OPLT);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, right < 0 ? right - 1 : right);
    lua_pushvalue(L, left < 0 ? left - 2 : left);
    lua_call(L, 2, 1);
    bool result = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return result;
}

// Merges two neighbouring runs of table `from` into table `to`.
static void merge(lua_State *L, int from, int to, lua_Integer start, lua_Integer middle, lua_Integer end) {
    lua_Integer left = start, right = middle;
    for (lua_Integer at = start; at < end; at++) {
        bool take_right = left >= middle;
        if (!take_right && right < end) {
            lua_rawgeti(L, from, left);
            lua_rawgeti(L, from, right);
            take_right = out_of_order(L, -2, -1);
            lua_pop(L, 2);
        }
        lua_rawgeti(L, from, take_right ? right++ : left++);
        lua_rawseti(L, to, at);
    }
}

// Merge sort: stable, and a comparator that contradicts itself only yields some order.
static int sort(lua_State *L) {
    lua_Integer size = check_plain(L, 1);
    luaL_argcheck(L, size < INT_MAX, 1, "array too big");
    if (size < 2) return 0;
    if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    nj_spend(L, (uint64_t)size * 2);
    lua_createtable(L, (int)size, 0);
    lua_createtable(L, (int)size, 0);
    for (lua_Integer i = 1; i <= size; i++) {
        lua_rawgeti(L, 1, i);
        lua_rawseti(L, 3, i);
    }
    int from = 3, to = 4;
    for (lua_Integer run = 1; run < size; run *= 2) {
        for (lua_Integer start = 1; start <= size; start += 2 * run) {
            lua_Integer middle = start + run <= size + 1 ? start + run : size + 1;
            lua_Integer end = start + 2 * run <= size + 1 ? start + 2 * run : size + 1;
            merge(L, from, to, start, middle, end);
        }
        int other = from;
        from = to;
        to = other;
    }
    for (lua_Integer i = 1; i <= size; i++) {
        lua_rawgeti(L, from, i);
        lua_rawseti(L, 1, i);
    }
    return 0;
}

void nj_open_tables(lua_State *L) {
    static const luaL_Reg library[] = {
        {"insert", insert_item}, {"remove", remove_item}, {"move", move}, {"concat", concat}, {"pack", pack}, {"unpack", unpack},
        {"sort", sort}, {NULL, NULL},
    };
    luaL_newlib(L, library);
    lua_setfield(L, -2, "table");
}
