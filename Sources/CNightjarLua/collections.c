// nightjar.lru and nightjar.window: what a rule remembers, bounded.
#include "nj_internal.h"

#include <math.h>
#include <stdlib.h>

// ---- lru: a list of places in the order of use, over tables of keys and values

enum { LRU_LIMIT = 100000, PLACES = 1, KEYS = 2, VALUES = 3 };

typedef struct lru_object {
    uint32_t magic, limit, count;
    uint32_t newest, oldest;  // places from 1; 0: none
    uint32_t free_place;      // the first of the chain of places that were given back
    struct { uint32_t newer, older; } links[];
} lru_object;

static lru_object *check_lru(lua_State *L) {
    lru_object *lru = nj_test_object(L, 1, NJ_LRU_MAGIC, sizeof *lru);
    if (lru == NULL) luaL_error(L, "call it with a colon, as in cache:get(key)");
    return lru;
}

static void unlink_place(lru_object *lru, uint32_t place) {
    uint32_t newer = lru->links[place - 1].newer, older = lru->links[place - 1].older;
    if (newer != 0) lru->links[newer - 1].older = older;
    else lru->newest = older;
    if (older != 0) lru->links[older - 1].newer = newer;
    else lru->oldest = newer;
}

static void put_first(lru_object *lru, uint32_t place) {
    lru->links[place - 1].newer = 0;
    lru->links[place - 1].older = lru->newest;
    if (lru->newest != 0) lru->links[lru->newest - 1].newer = place;
    lru->newest = place;
    if (lru->oldest == 0) lru->oldest = place;
}

// The place of the key at index 2; 0 where there is none.
static uint32_t place_of(lua_State *L) {
    if (lua_isnoneornil(L, 2)) luaL_error(L, "a key is needed, not nil");
    if (lua_type(L, 2) == LUA_TNUMBER && lua_tonumber(L, 2) != lua_tonumber(L, 2)) luaL_error(L, "NaN cannot be a key");
    lua_getiuservalue(L, 1, PLACES);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    uint32_t place = (uint32_t)lua_tointeger(L, -1);
    lua_pop(L, 2);
    return place;
}

static void set_in(lua_State *L, int table, uint32_t place, int index) {
    lua_getiuservalue(L, 1, table);
    if (index == 0) lua_pushnil(L);
    else lua_pushvalue(L, index);
    lua_rawseti(L, -2, place);
    lua_pop(L, 1);
}

static void drop_place(lua_State *L, lru_object *lru, uint32_t place) {
    lua_getiuservalue(L, 1, PLACES);
    lua_getiuservalue(L, 1, KEYS);
    lua_rawgeti(L, -1, place);
    lua_pushnil(L);
    lua_rawset(L, -4);
    lua_pop(L, 2);
    set_in(L, KEYS, place, 0);
    set_in(L, VALUES, place, 0);
    unlink_place(lru, place);
    lru->links[place - 1].older = lru->free_place;
    lru->free_place = place;
    lru->count--;
}

static int lru_get(lua_State *L) {
    lru_object *lru = check_lru(L);
    uint32_t place = place_of(L);
    if (place == 0) return 0;
    unlink_place(lru, place);
    put_first(lru, place);
    lua_getiuservalue(L, 1, VALUES);
    lua_rawgeti(L, -1, place);
    return 1;
}

static int lru_delete(lua_State *L) {
    lru_object *lru = check_lru(L);
    uint32_t place = place_of(L);
    if (place != 0) drop_place(L, lru, place);
    return 0;
}

static int lru_set(lua_State *L) {
    lru_object *lru = check_lru(L);
    lua_settop(L, 3);
    if (lua_isnil(L, 3)) return lru_delete(L);
    nj_spend(L, 10);
    uint32_t place = place_of(L);
    if (place != 0) {
        unlink_place(lru, place);
    } else {
        if (lru->count == lru->limit) drop_place(L, lru, lru->oldest);
        place = lru->free_place != 0 ? lru->free_place : lru->count + 1;
        // The tables first: they may lack memory, and then nothing has changed.
        set_in(L, KEYS, place, 2);
        lua_getiuservalue(L, 1, PLACES);
        lua_pushvalue(L, 2);
        lua_pushinteger(L, place);
        lua_rawset(L, -3);
        if (place == lru->free_place) lru->free_place = lru->links[place - 1].older;
        lru->count++;
    }
    put_first(lru, place);
    set_in(L, VALUES, place, 3);
    return 0;
}

static int lru_count(lua_State *L) {
    lua_pushinteger(L, check_lru(L)->count);
    return 1;
}

static int new_lru(lua_State *L) {
    lua_Integer limit = luaL_checkinteger(L, 1);
    if (limit < 1 || limit > LRU_LIMIT) return luaL_error(L, "nightjar.lru takes a number from 1 to %d", LRU_LIMIT);
    nj_spend(L, (uint64_t)limit / 4 + 100);
    lru_object *lru = lua_newuserdatauv(L, sizeof *lru + (size_t)limit * sizeof lru->links[0], 3);
    memset(lru, 0, sizeof *lru + (size_t)limit * sizeof lru->links[0]);
    lru->magic = NJ_LRU_MAGIC;
    lru->limit = (uint32_t)limit;
    for (int table = PLACES; table <= VALUES; table++) {
        lua_newtable(L);
        lua_setiuservalue(L, -2, table);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, nj_host(L)->lru_meta);
    lua_setmetatable(L, -2);
    return 1;
}

// ---- window: sixty steps of sums, and the last values for quantiles

enum { STEPS = 60, SAMPLES = 1024 };

typedef struct step {
    int64_t number;  // of the step since 1970; what is older than a window is void
    uint64_t count;
    double sum, low, high;
} step;

typedef struct window_object {
    uint32_t magic;
    double seconds;
    step steps[STEPS];
} window_object;

// The last values with their times, made when the first one is added; doubles as it fills.
typedef struct samples {
    uint32_t room, next, count;
    struct { double time, value; } ring[];
} samples;

static window_object *check_window(lua_State *L) {
    window_object *window = nj_test_object(L, 1, NJ_WINDOW_MAGIC, sizeof *window);
    if (window == NULL) luaL_error(L, "call it with a colon, as in window:add(value)");
    return window;
}

static double now(lua_State *L) {
    nj_lua *host = nj_host(L);
    return host->callbacks.now(host->callbacks.context);
}

static int64_t step_at(const window_object *window, double time) { return (int64_t)floor(time / window->seconds * STEPS); }

static samples *samples_of(lua_State *L, uint32_t room) {
    lua_getiuservalue(L, 1, 1);
    samples *kept = lua_touserdata(L, -1);
    if (kept == NULL || (kept->count == kept->room && kept->room < room)) {
        uint32_t larger = kept == NULL ? 8 : kept->room * 2;
        samples *grown = lua_newuserdatauv(L, sizeof *grown + larger * sizeof grown->ring[0], 0);
        *grown = (samples){larger, 0, 0};
        for (uint32_t i = 0; kept != NULL && i < kept->count; i++)
            grown->ring[grown->count++] = kept->ring[(kept->next + i) % kept->room];
        grown->next = grown->count % larger;
        lua_setiuservalue(L, 1, 1);
        kept = grown;
    }
    lua_pop(L, 1);
    return kept;
}

static int window_add(lua_State *L) {
    window_object *window = check_window(L);
    double value = luaL_optnumber(L, 2, 1);
    if (!isfinite(value)) return luaL_error(L, "window:add needs a finite number");
    nj_spend(L, 20);
    lua_settop(L, 1);
    double time = now(L);
    samples *kept = samples_of(L, SAMPLES);
    int64_t number = step_at(window, time);
    step *at = &window->steps[((number % STEPS) + STEPS) % STEPS];
    // An event from before this step's present content is too old to matter.
    if (at->count > 0 && at->number > number) return 0;
    if (at->number != number) *at = (step){number, 0, 0, value, value};
    at->count++;
    at->sum += value;
    if (value < at->low) at->low = value;
    if (value > at->high) at->high = value;
    kept->ring[kept->next].time = time;
    kept->ring[kept->next].value = value;
    kept->next = (kept->next + 1) % kept->room;
    if (kept->count < kept->room) kept->count++;
    return 0;
}

static step summary(lua_State *L) {
    window_object *window = check_window(L);
    nj_spend(L, STEPS);
    int64_t last = step_at(window, now(L));
    step all = {0};
    for (int i = 0; i < STEPS; i++) {
        const step *at = &window->steps[i];
        if (at->count == 0 || at->number <= last - STEPS || at->number > last) continue;
        if (all.count == 0 || at->low < all.low) all.low = at->low;
        if (all.count == 0 || at->high > all.high) all.high = at->high;
        all.count += at->count;
        all.sum += at->sum;
    }
    return all;
}

static int push_or_nil(lua_State *L, uint64_t count, double value) {
    if (count == 0) lua_pushnil(L);
    else lua_pushnumber(L, value);
    return 1;
}

static int window_count(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)summary(L).count);
    return 1;
}

static int window_sum(lua_State *L) {
    lua_pushnumber(L, summary(L).sum);
    return 1;
}

static int window_mean(lua_State *L) {
    step all = summary(L);
    return push_or_nil(L, all.count, all.sum / (double)(all.count ? all.count : 1));
}

static int window_min(lua_State *L) {
    step all = summary(L);
    return push_or_nil(L, all.count, all.low);
}

static int window_max(lua_State *L) {
    step all = summary(L);
    return push_or_nil(L, all.count, all.high);
}

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

// By the nearest rank.
static int window_quantile(lua_State *L) {
    window_object *window = check_window(L);
    double share = luaL_checknumber(L, 2);
    if (!(share >= 0 && share <= 1)) return luaL_error(L, "window:quantile takes a number from 0 to 1");
    lua_settop(L, 1);
    lua_getiuservalue(L, 1, 1);
    const samples *kept = lua_touserdata(L, -1);
    if (kept == NULL) return push_or_nil(L, 0, 0);
    nj_spend(L, kept->count * 10 + 10);
    double values[SAMPLES], since = now(L) - window->seconds;
    uint32_t count = 0;
    for (uint32_t i = 0; i < kept->count; i++)
        if (kept->ring[i].time > since) values[count++] = kept->ring[i].value;
    qsort(values, count, sizeof *values, by_value);
    uint32_t rank = (uint32_t)ceil(share * count);
    return push_or_nil(L, count, count > 0 ? values[rank > 0 ? rank - 1 : 0] : 0);
}

static int new_window(lua_State *L) {
    double seconds = luaL_checknumber(L, 1);
    if (!(seconds >= 1 && seconds <= 31 * 86400.0)) return luaL_error(L, "nightjar.window takes seconds, from 1 to 31 days");
    nj_spend(L, 300);
    window_object *window = lua_newuserdatauv(L, sizeof *window, 1);
    memset(window, 0, sizeof *window);
    window->magic = NJ_WINDOW_MAGIC;
    window->seconds = seconds;
    lua_rawgeti(L, LUA_REGISTRYINDEX, nj_host(L)->window_meta);
    lua_setmetatable(L, -2);
    return 1;
}

// ----

static int unknown_method(lua_State *L) {
    return luaL_error(L, "a %s has no method '%s'", lua_tostring(L, lua_upvalueindex(1)), luaL_tolstring(L, 2, NULL));
}

static int open_type(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction length) {
    lua_createtable(L, 0, 4);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, name);
    lua_pushcclosure(L, unknown_method, 1);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, length);
    lua_setfield(L, -2, "__len");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

// The table `nightjar` is on top.
void nj_open_collections(lua_State *L) {
    static const luaL_Reg lru[] = {{"get", lru_get}, {"set", lru_set}, {"delete", lru_delete}, {"count", lru_count}, {NULL, NULL}};
    static const luaL_Reg window[] = {
        {"add", window_add}, {"count", window_count}, {"sum", window_sum}, {"mean", window_mean}, {"min", window_min},
        {"max", window_max}, {"quantile", window_quantile}, {NULL, NULL},
    };
    nj_lua *host = nj_host(L);
    host->lru_meta = open_type(L, "lru", lru, lru_count);
    host->window_meta = open_type(L, "window", window, window_count);
    lua_pushcfunction(L, new_lru);
    lua_setfield(L, -2, "lru");
    lua_pushcfunction(L, new_window);
    lua_setfield(L, -2, "window");
}
