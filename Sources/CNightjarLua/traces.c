// A trace as Lua sees it.
#include "nj_internal.h"

#include <math.h>

// The user values of a trace object: span objects by place, the list of all, and what else is built once.
enum { OBJECTS = 1, LIST = 2, BUILT = 3, TRACE_OF_SPAN = 3 };

// What the searches in texts of one find_spans may take, as steps of patterns: tens of milliseconds.
enum { FIND_STEPS = 10000000 };

static nj_trace_object *test_trace(lua_State *L, int index) {
    return nj_test_object(L, index, NJ_TRACE_MAGIC, sizeof(nj_trace_object));
}

nj_trace_object *nj_check_trace(lua_State *L, int index) {
    nj_trace_object *trace = test_trace(L, index);
    if (trace == NULL) luaL_error(L, "a trace is expected, not %s", luaL_typename(L, index));
    if (trace->generation != nj_host(L)->generation) luaL_error(L, "this trace belongs to an event that is over");
    if (trace->trace == NULL && (trace->trace = nj_event_trace(L)) == NULL) luaL_error(L, "the trace is not at hand here");
    return trace;
}

const nj_trace *nj_event_trace(lua_State *L) {
    nj_lua *host = nj_host(L);
    if (host->event_trace == NULL && !host->asked_trace) {
        host->asked_trace = true;
        host->event_trace = host->callbacks.trace(host->callbacks.context);
    }
    return host->event_trace;
}

int32_t nj_index_in(const nj_trace *trace, nj_span_object *span) {
    if (trace == NULL) return -1;
    for (uint32_t i = 0; span->index < 0 && i < trace->count; i++)
        if (trace->spans[i].span->id == span->ref.span->id) span->index = (int32_t)i;
    return span->index;
}

static nj_trace_object *push_trace(lua_State *L, const nj_trace *trace) {
    nj_lua *host = nj_host(L);
    nj_trace_object *object = lua_newuserdatauv(L, sizeof *object, 3);
    *object = (nj_trace_object){NJ_TRACE_MAGIC, host->generation, trace};
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->trace_meta);
    lua_setmetatable(L, -2);
    return object;
}

void nj_push_event_trace(lua_State *L) {
    nj_lua *host = nj_host(L);
    if (host->has_trace_object) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, host->trace_slot);
        return;
    }
    push_trace(L, host->event_trace);
    lua_pushvalue(L, -1);
    lua_rawseti(L, LUA_REGISTRYINDEX, host->trace_slot);
    host->has_trace_object = true;
}

void nj_push_fetched_trace(lua_State *L, uint64_t high, uint64_t low) {
    enum { PRICE = 5000 };
    nj_lua *host = nj_host(L);
    nj_spend(L, PRICE);
    const nj_trace *trace = host->callbacks.fetch(host->callbacks.context, high, low);
    if (trace == NULL) {
        lua_pushnil(L);
        return;
    }
    nj_spend(L, trace->count);
    push_trace(L, trace);
}

// One object per span of the trace.
void nj_push_trace_span(lua_State *L, int object, int32_t index) {
    luaL_checkstack(L, 6, NULL);
    object = lua_absindex(L, object);
    const nj_trace *trace = nj_check_trace(L, object)->trace;
    if (lua_getiuservalue(L, object, OBJECTS) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, object, OBJECTS);
    }
    if (lua_rawgeti(L, -1, index + 1) == LUA_TNIL) {
        lua_pop(L, 1);
        nj_push_span(L, trace->spans[index], index);
        lua_pushvalue(L, object);
        lua_setiuservalue(L, -2, TRACE_OF_SPAN);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, index + 1);
    }
    lua_remove(L, -2);
}

static void push_spans(lua_State *L, const nj_trace *trace) {
    if (lua_getiuservalue(L, 1, LIST) == LUA_TTABLE) return;
    lua_pop(L, 1);
    nj_spend(L, trace->count);
    lua_createtable(L, (int)trace->count, 0);
    for (uint32_t i = 0; i < trace->count; i++) {
        nj_push_trace_span(L, 1, (int32_t)i);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, LIST);
}

static void push_duration(lua_State *L, const nj_trace *trace) {
    uint64_t first = UINT64_MAX, last = 0;
    for (uint32_t i = 0; i < trace->count; i++) {
        const nj_span *span = trace->spans[i].span;
        if (span->start_nano != 0 && span->start_nano < first) first = span->start_nano;
        if (span->end_nano > last) last = span->end_nano;
    }
    if (last == 0 || first == UINT64_MAX) lua_pushnil(L);
    else lua_pushnumber(L, last < first ? 0 : (double)(last - first) / 1e6);
}

static lua_Integer error_count(const nj_trace *trace) {
    lua_Integer count = 0;
    for (uint32_t i = 0; i < trace->count; i++) count += trace->spans[i].span->status == NJ_STATUS_ERROR;
    return count;
}

static void push_usage(lua_State *L, const nj_trace *trace) {
    double sums[6] = {NAN, NAN, NAN, NAN, NAN, NAN};
    for (uint32_t i = 0; i < trace->count; i++) {
        const nj_span *span = trace->spans[i].span;
        // Steps and chunks repeat what their generation says.
        if (span->type != NJ_MODEL_GENERATION || span->duplicate_of != 0) continue;
        const double counts[6] = {
            span->input_tokens, span->output_tokens, span->cache_read_tokens, span->cache_write_tokens, span->reasoning_tokens,
            span->cost,
        };
        for (int k = 0; k < 6; k++)
            if (!isnan(counts[k])) sums[k] = isnan(sums[k]) ? counts[k] : sums[k] + counts[k];
    }
    nj_push_usage(L, sums);
}

static void push_metadata(lua_State *L, const nj_trace *trace) {
    nj_lua *host = nj_host(L);
    if (trace->root < 0) {
        lua_newtable(L);
        return;
    }
    nj_reply reply = {0};
    int status = host->callbacks.read(host->callbacks.context, &trace->spans[trace->root], NJ_F_METADATA, &reply);
    nj_push_reply(L, status, &reply);
}

// ---- methods; the trace is the upvalue, so that trace.f(x) and trace:f(x) are one call.

static const nj_trace *called_with(lua_State *L, int *argument) {
    *argument = test_trace(L, 1) != NULL ? 2 : 1;
    return nj_check_trace(L, lua_upvalueindex(1))->trace;
}

static int get_span(lua_State *L) {
    int argument;
    const nj_trace *trace = called_with(L, &argument);
    size_t length;
    const char *text = luaL_checklstring(L, argument, &length);
    uint64_t high, low;
    if (!nj_parse_id(text, length, &high, &low, 16)) return 0;
    nj_spend(L, trace->count / 4 + 1);
    for (uint32_t i = 0; i < trace->count; i++) {
        if (trace->spans[i].span->id != low) continue;
        nj_push_trace_span(L, lua_upvalueindex(1), (int32_t)i);
        return 1;
    }
    lua_pushnil(L);
    return 1;
}

static int find_spans(lua_State *L) {
    nj_lua *host = nj_host(L);
    int argument;
    const nj_trace *trace = called_with(L, &argument);
    luaL_checktype(L, argument, LUA_TTABLE);
    nj_text match = nj_to_json(L, argument);
    if (match.length > NJ_MATCH_LIMIT)
        return luaL_error(L, "the match: %d bytes as JSON; at most %d", (int)match.length, NJ_MATCH_LIMIT);
    // A condition has about 16 bytes.
    nj_spend(L, (uint64_t)trace->count * (match.length / 16 + 4) + 200);
    nj_reply reply = {0};
    int64_t most = host->fuel < FIND_STEPS ? host->fuel : FIND_STEPS;
    nj_search_steps = most;
    int status = host->callbacks.find(host->callbacks.context, trace, match, &reply);
    int64_t taken = most - nj_search_steps;
    nj_search_steps = -1;
    nj_spend(L, (uint64_t)taken);
    if (status == NJ_REPLY_ERROR) nj_push_reply(L, status, &reply);
    lua_createtable(L, (int)reply.count, 0);
    for (uint32_t i = 0; i < reply.count; i++) {
        nj_push_trace_span(L, lua_upvalueindex(1), reply.indexes[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int add_score(lua_State *L) {
    int argument;
    const nj_trace *trace = called_with(L, &argument);
    return nj_add_score(L, argument, NULL, trace);
}

static int add_feedback(lua_State *L) {
    int argument;
    const nj_trace *trace = called_with(L, &argument);
    return nj_add_feedback(L, argument, NULL, trace);
}

static void push_method(lua_State *L, lua_CFunction function) {
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, function, 1);
}

// Scores, feedback or logs: read from the host once.
static void push_annotations(lua_State *L, const nj_trace *trace, int field) {
    nj_lua *host = nj_host(L);
    int kind = field == NJ_T_SCORES ? NJ_OBJECT_SCORE : field == NJ_T_FEEDBACK ? NJ_OBJECT_FEEDBACK : NJ_OBJECT_LOG;
    if (lua_getiuservalue(L, 1, BUILT) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, BUILT);
    }
    if (lua_rawgeti(L, -1, field) == LUA_TNIL) {
        lua_pop(L, 1);
        nj_reply reply = {0};
        int status = host->callbacks.annotations(host->callbacks.context, trace, kind, &reply);
        if (status == NJ_REPLY_ERROR) nj_push_reply(L, status, &reply);
        nj_spend(L, reply.count * 10 + 500);
        // The reply's memory is the other side's until it is asked again: what is pushed here asks nothing.
        lua_createtable(L, (int)reply.count, 0);
        for (uint32_t i = 0; i < reply.count; i++) {
            nj_push_record(L, kind, reply.indexes[i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, field);
    }
    lua_remove(L, -2);
}

// The object is at index 1.
static void push_field(lua_State *L, const nj_trace *trace, int field) {
    const nj_span_ref *root = trace->root >= 0 ? &trace->spans[trace->root] : NULL;
    switch (field) {
    case NJ_T_ID: nj_push_id(L, trace->trace_high, trace->trace_low, true); return;
    case NJ_T_ROOT:
        if (root == NULL) lua_pushnil(L);
        else nj_push_trace_span(L, 1, trace->root);
        return;
    case NJ_T_SPANS: push_spans(L, trace); return;
    case NJ_T_DURATION_MS: push_duration(L, trace); return;
    case NJ_T_STATUS: lua_rawgeti(L, LUA_REGISTRYINDEX, nj_host(L)->status_word[root && root->span->status < 3 ? root->span->status : 1]); return;
    case NJ_T_HAS_ERRORS: lua_pushboolean(L, error_count(trace) > 0); return;
    case NJ_T_ERROR_COUNT: lua_pushinteger(L, error_count(trace)); return;
    case NJ_T_USAGE: push_usage(L, trace); return;
    case NJ_T_SERVICE:
    case NJ_T_ENVIRONMENT:
        nj_push_bytes(L, root ? nj_text_of(root, field == NJ_T_SERVICE ? NJ_F_SERVICE : NJ_F_ENVIRONMENT) : (nj_text){NULL, 0});
        return;
    case NJ_T_METADATA: push_metadata(L, trace); return;
    case NJ_T_IS_PARTIAL: lua_pushboolean(L, trace->is_partial); return;
    case NJ_T_REVISION: lua_pushinteger(L, trace->revision); return;
    case NJ_T_GET_SPAN: push_method(L, get_span); return;
    case NJ_T_FIND_SPANS: push_method(L, find_spans); return;
    case NJ_T_ADD_SCORE: push_method(L, add_score); return;
    case NJ_T_ADD_FEEDBACK: push_method(L, add_feedback); return;
    default: push_annotations(L, trace, field);
    }
}

static int index_trace(lua_State *L) {
    const nj_trace *trace = nj_check_trace(L, 1)->trace;
    if (lua_type(L, 2) != LUA_TSTRING) return luaL_error(L, "fields of a trace are named by text, not by a %s", luaL_typename(L, 2));
    const char *name = lua_tostring(L, 2);
    nj_key_slot *slot = nj_key(nj_host(L), lua_topointer(L, 2));
    if (slot->key != NULL && slot->trace_field >= 0) {
        push_field(L, trace, slot->trace_field);
        return 1;
    }
    return nj_unknown_field(L, NJ_OBJECT_TRACE, 2);
}

void nj_open_traces(lua_State *L) {
    static const luaL_Reg metamethods[] = {{"__index", index_trace}, {"__newindex", nj_read_only}, {NULL, NULL}};
    nj_lua *host = nj_host(L);
    luaL_newlib(L, metamethods);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushliteral(L, "trace");
    lua_setfield(L, -2, "__name");
    host->trace_meta = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushboolean(L, 0);
    host->trace_slot = luaL_ref(L, LUA_REGISTRYINDEX);
}
