// A span as Lua sees it: a handle with the number of its event, whose fields are read from the row when they are touched.
#include "nj_internal.h"

#include <math.h>
#include <stdio.h>

// The user values of a span object: what was decoded, its attributes, and the trace object it was found in.
enum { DECODED = 1, ATTRIBUTES = 2, TRACE = 3 };

void *nj_test_object(lua_State *L, int index, uint32_t magic, size_t size) {
    uint32_t *object = lua_touserdata(L, index);
    if (object == NULL || lua_islightuserdata(L, index) || lua_rawlen(L, index) < size) return NULL;
    return *object == magic ? object : NULL;
}

nj_span_object *nj_test_span(lua_State *L, int index) {
    return nj_test_object(L, index, NJ_SPAN_MAGIC, sizeof(nj_span_object));
}

nj_span_object *nj_check_span(lua_State *L, int index) {
    nj_span_object *span = nj_test_span(L, index);
    if (span == NULL) luaL_error(L, "a span is expected, not %s", luaL_typename(L, index));
    if (span->generation != nj_host(L)->generation)
        luaL_error(L, "this span belongs to an event that is over; keep span:copy() instead");
    return span;
}

void nj_push_id(lua_State *L, uint64_t high, uint64_t low, bool is_trace) {
    static const char digits[] = "0123456789abcdef";
    char text[32];
    int count = 0;
    if (is_trace)
        for (int shift = 60; shift >= 0; shift -= 4) text[count++] = digits[high >> shift & 15];
    for (int shift = 60; shift >= 0; shift -= 4) text[count++] = digits[low >> shift & 15];
    lua_pushlstring(L, text, (size_t)count);
}

bool nj_parse_id(const char *bytes, size_t length, uint64_t *high, uint64_t *low, size_t digits) {
    if (length == 0 || length > digits) return false;
    *high = *low = 0;
    for (size_t i = 0; i < length; i++) {
        char byte = bytes[i];
        int nibble = byte >= '0' && byte <= '9' ? byte - '0' : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
            : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
        if (nibble < 0) return false;
        *high = *high << 4 | *low >> 60;
        *low = *low << 4 | (uint64_t)nibble;
    }
    return (*high | *low) != 0;
}

double nj_duration_ms(const nj_span *span) {
    if (span->end_nano == 0 || span->start_nano == 0) return NAN;
    return span->end_nano < span->start_nano ? 0 : (double)(span->end_nano - span->start_nano) / 1e6;
}

static nj_text first_of(nj_text one, nj_text other) { return one.bytes != NULL ? one : other; }

nj_text nj_text_of(const nj_span_ref *ref, int field) {
    static const nj_text none = {NULL, 0};
    const nj_span *span = ref->span;
    const nj_context *context = span->context < ref->slab->context_count ? &ref->slab->contexts[span->context] : NULL;
    switch (field) {
    case NJ_F_NAME: return first_of(span->name, (nj_text){"", 0});
    case NJ_F_TYPE: return span->type_text;
    case NJ_F_AGENT: return first_of(span->agent, span->settled_agent);
    case NJ_F_WORKFLOW: return first_of(span->workflow, span->settled_workflow);
    case NJ_F_MODEL: return first_of(span->model, span->response_model);
    case NJ_F_PROVIDER: return span->provider;
    case NJ_F_TOOL: return span->tool;
    case NJ_F_SERVICE: return first_of(span->service, context ? context->service : none);
    case NJ_F_ENVIRONMENT: return first_of(span->environment, context ? context->environment : none);
    case NJ_F_ENTITY_TYPE:
        switch (span->type) {
        case NJ_AGENT_RUN: return (nj_text){"agent", 5};
        case NJ_WORKFLOW_RUN: return (nj_text){"workflow_run", 12};
        case NJ_WORKFLOW_STEP: return (nj_text){"workflow_step", 13};
        case NJ_TOOL_CALL:
        case NJ_MCP_TOOL_CALL: return (nj_text){"tool", 4};
        default: return none;
        }
    case NJ_F_ENTITY_NAME:
        switch (span->type) {
        case NJ_AGENT_RUN: return span->agent;
        case NJ_WORKFLOW_RUN:
        case NJ_WORKFLOW_STEP: return span->workflow;
        case NJ_TOOL_CALL:
        case NJ_MCP_TOOL_CALL: return span->tool;
        default: return none;
        }
    default: return none;
    }
}

nj_text nj_entity_text(const nj_span_ref *span, int32_t field) { return nj_text_of(span, field); }

static void push_number(lua_State *L, double number) {
    if (isnan(number)) {
        lua_pushnil(L);
    } else if (number == floor(number) && fabs(number) < 9007199254740992.0) {
        lua_pushinteger(L, (lua_Integer)number);
    } else {
        lua_pushnumber(L, number);
    }
}

// In two parts: as one double, nanoseconds since 1970 are already rounded.
double nj_seconds(uint64_t nano) { return (double)(nano / 1000000000) + (double)(nano % 1000000000) / 1e9; }

static void push_time(lua_State *L, uint64_t nano) {
    if (nano == 0) lua_pushnil(L);
    else lua_pushnumber(L, nj_seconds(nano));
}

void nj_push_usage(lua_State *L, const double counts[6]) {
    static const char *const names[6] = {
        "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost",
    };
    bool any = false;
    for (int i = 0; i < 6; i++) any |= !isnan(counts[i]);
    if (!any) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, 0, 6);
    for (int i = 0; i < 6; i++) {
        if (isnan(counts[i])) continue;
        push_number(L, counts[i]);
        lua_setfield(L, -2, names[i]);
    }
}

static void push_error(lua_State *L, const nj_span *span) {
    if (span->status != NJ_STATUS_ERROR) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, 0, 2);
    nj_push_bytes(L, first_of(span->error_message, first_of(span->error_type, (nj_text){"", 0})));
    lua_setfield(L, -2, "message");
    nj_push_bytes(L, span->error_type);
    lua_setfield(L, -2, "id");
}

static void push_scope(lua_State *L, const nj_span_ref *ref) {
    lua_createtable(L, 0, 3);
    if (ref->span->context >= ref->slab->context_count) return;
    const nj_context *context = &ref->slab->contexts[ref->span->context];
    nj_push_bytes(L, context->scope_name);
    lua_setfield(L, -2, "name");
    nj_push_bytes(L, context->scope_version);
    lua_setfield(L, -2, "version");
    nj_push_attributes(L, ref->slab, context->first_scope_attribute, context->scope_attribute_count);
    lua_setfield(L, -2, "attributes");
}

static void push_resource(lua_State *L, const nj_span_ref *ref) {
    uint32_t first = 0, count = 0;
    if (ref->span->context < ref->slab->context_count) {
        const nj_context *context = &ref->slab->contexts[ref->span->context];
        first = context->first_resource_attribute;
        count = context->resource_attribute_count;
    }
    nj_push_attributes(L, ref->slab, first, count);
}

static void push_type(lua_State *L, const nj_span *span) {
    // A type that is not known is kept as it came.
    if (span->type == NJ_GENERIC && span->type_text.bytes != NULL) nj_push_bytes(L, span->type_text);
    else lua_rawgeti(L, LUA_REGISTRYINDEX, nj_host(L)->type_word[span->type < NJ_SPAN_TYPE_COUNT ? span->type : 0]);
}

// Fields that are decoded or built; kept with the object, which is on the stack at `object`.
static void push_built(lua_State *L, int object, nj_span_object *span, int field) {
    nj_lua *host = nj_host(L);
    const nj_span *row = span->ref.span;
    if (lua_getiuservalue(L, object, DECODED) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 2);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, object, DECODED);
    }
    if (lua_rawgeti(L, -1, field) != LUA_TNIL) {
        lua_remove(L, -2);
        return;
    }
    lua_pop(L, 1);
    switch (field) {
    case NJ_F_ERROR: push_error(L, row); break;
    case NJ_F_SCOPE: push_scope(L, &span->ref); break;
    case NJ_F_RESOURCE: push_resource(L, &span->ref); break;
    case NJ_F_USAGE: nj_push_usage(L, &row->input_tokens); break;
    default: {
        nj_reply reply = {0};
        int status = host->callbacks.read(host->callbacks.context, &span->ref, field, &reply);
        nj_push_reply(L, status, &reply);
    }
    }
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, field);
    lua_remove(L, -2);
}

// ---- methods

const nj_trace *nj_push_trace_of(lua_State *L) {
    if (lua_getiuservalue(L, 1, TRACE) != LUA_TNIL) return nj_check_trace(L, -1)->trace;
    lua_pop(L, 1);
    const nj_trace *trace = nj_event_trace(L);
    if (trace != NULL) nj_push_event_trace(L);
    return trace;
}

static int parent(lua_State *L) {
    nj_span_object *span = nj_check_span(L, 1);
    const nj_trace *trace = nj_push_trace_of(L);
    int32_t index = nj_index_in(trace, span);
    if (index < 0 || trace->parents[index] < 0) lua_pushnil(L);
    else nj_push_trace_span(L, lua_gettop(L), trace->parents[index]);
    return 1;
}

static int children(lua_State *L) {
    nj_span_object *span = nj_check_span(L, 1);
    const nj_trace *trace = nj_push_trace_of(L);
    int32_t index = nj_index_in(trace, span);
    int object = lua_gettop(L);
    lua_newtable(L);
    if (index < 0) return 1;
    lua_Integer count = 0;
    nj_spend(L, trace->count / 4 + 1);
    for (uint32_t i = 0; i < trace->count; i++) {
        if (trace->parents[i] != index) continue;
        nj_push_trace_span(L, object, (int32_t)i);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

static int trace_of(lua_State *L) {
    nj_check_span(L, 1);
    if (nj_push_trace_of(L) == NULL) lua_pushnil(L);
    return 1;
}

void nj_copy_pairs(lua_State *L) {
    lua_newtable(L);
    luaL_getmetafield(L, -2, "__pairs");
    lua_pushvalue(L, -3);
    lua_call(L, 1, 1);
    for (;;) {
        lua_pushvalue(L, -1);
        lua_pushvalue(L, -4);
        lua_call(L, 1, 2);
        if (lua_isnil(L, -2)) break;
        lua_rawset(L, -4);
    }
    lua_pop(L, 3);
    lua_remove(L, -2);
}

// A plain table of every field.
static int copy(lua_State *L) {
    nj_span_object *span = nj_check_span(L, 1);
    lua_settop(L, 1);
    lua_createtable(L, 0, NJ_F_METHODS);
    for (int field = 0; field < NJ_F_METHODS; field++) {
        nj_push_field(L, span, field);
        if ((field == NJ_F_ATTRIBUTES || field == NJ_F_RESOURCE) && lua_isuserdata(L, -1)) nj_copy_pairs(L);
        if (field == NJ_F_SCOPE && lua_istable(L, -1) && lua_getfield(L, -1, "attributes") == LUA_TUSERDATA) {
            lua_createtable(L, 0, 3);
            for (const char *const *name = (const char *const[]){"name", "version", NULL}; *name != NULL; name++) {
                lua_getfield(L, -3, *name);
                lua_setfield(L, -2, *name);
            }
            lua_insert(L, -2);
            nj_copy_pairs(L);
            lua_setfield(L, -2, "attributes");
            lua_replace(L, -2);
        }
        lua_setfield(L, 2, nj_object_field(NJ_OBJECT_SPAN, field)->name);
        lua_settop(L, 2);
    }
    return 1;
}

// Called as span:addScore{…} and as span.addScore{…}; the span is the upvalue.
static int annotate(lua_State *L, int (*add)(lua_State *, int, const nj_span_ref *, const nj_trace *)) {
    nj_span_object *span = nj_check_span(L, lua_upvalueindex(1));
    return add(L, nj_test_span(L, 1) != NULL ? 2 : 1, &span->ref, NULL);
}

static int add_score(lua_State *L) { return annotate(L, nj_add_score); }
static int add_feedback(lua_State *L) { return annotate(L, nj_add_feedback); }

// ---- fields

// The object is at index 1.
void nj_push_field(lua_State *L, nj_span_object *span, int field) {
    nj_lua *host = nj_host(L);
    const nj_span *row = span->ref.span;
    switch (field) {
    case NJ_F_ID: nj_push_id(L, 0, row->id, false); return;
    case NJ_F_TRACE_ID: nj_push_id(L, row->trace_high, row->trace_low, true); return;
    case NJ_F_PARENT_SPAN_ID:
        if (row->parent_id == 0) lua_pushnil(L);
        else nj_push_id(L, 0, row->parent_id, false);
        return;
    case NJ_F_KIND: lua_rawgeti(L, LUA_REGISTRYINDEX, host->kind_word[row->kind < 6 ? row->kind : 1]); return;
    case NJ_F_TYPE: push_type(L, row); return;
    case NJ_F_STATUS: lua_rawgeti(L, LUA_REGISTRYINDEX, host->status_word[row->status < 3 ? row->status : 1]); return;
    case NJ_F_START_TIME: push_time(L, row->start_nano); return;
    case NJ_F_END_TIME: push_time(L, row->end_nano); return;
    case NJ_F_DURATION_MS: {
        double duration = nj_duration_ms(row);
        if (isnan(duration)) lua_pushnil(L);
        else lua_pushnumber(L, duration);
        return;
    }
    case NJ_F_NAME: case NJ_F_AGENT: case NJ_F_MODEL: case NJ_F_PROVIDER: case NJ_F_TOOL: case NJ_F_WORKFLOW: case NJ_F_SERVICE:
    case NJ_F_ENVIRONMENT:
        nj_push_word(L, nj_text_of(&span->ref, field));
        return;
    case NJ_F_ENTITY_TYPE: case NJ_F_ENTITY_NAME: {
        nj_text text = nj_text_of(&span->ref, field);
        // What the row has no room for, the sender's own statement, is decoded.
        if (text.bytes != NULL) nj_push_word(L, text);
        else push_built(L, 1, span, field);
        return;
    }
    case NJ_F_ATTRIBUTES:
        if (lua_getiuservalue(L, 1, ATTRIBUTES) != LUA_TNIL) return;
        lua_pop(L, 1);
        nj_push_attributes(L, span->ref.slab, row->first_attribute, row->attribute_count);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, ATTRIBUTES);
        return;
    case NJ_F_TIME_TO_FIRST_TOKEN_MS: push_number(L, row->time_to_first_token_ms); return;
    case NJ_F_IS_ROOT: lua_pushboolean(L, row->parent_id == 0); return;
    case NJ_F_DUPLICATE_OF:
        if (row->duplicate_of == 0) lua_pushnil(L);
        else nj_push_id(L, 0, row->duplicate_of, false);
        return;
    case NJ_F_PARENT: lua_pushcfunction(L, parent); return;
    case NJ_F_CHILDREN: lua_pushcfunction(L, children); return;
    case NJ_F_TRACE: lua_pushcfunction(L, trace_of); return;
    case NJ_F_COPY: lua_pushcfunction(L, copy); return;
    case NJ_F_ADD_SCORE:
    case NJ_F_ADD_FEEDBACK:
        lua_pushvalue(L, 1);
        lua_pushcclosure(L, field == NJ_F_ADD_SCORE ? add_score : add_feedback, 1);
        return;
    default: push_built(L, 1, span, field);
    }
}

nj_key_slot *nj_key(nj_lua *host, const void *key) {
    for (uintptr_t at = (uintptr_t)key >> 4;; at++) {
        nj_key_slot *slot = &host->keys[at % NJ_KEY_SLOTS];
        if (slot->key == key || slot->key == NULL) return slot;
    }
}

static int index_span(lua_State *L) {
    nj_span_object *span = lua_touserdata(L, 1);
    if (span == NULL || span->magic != NJ_SPAN_MAGIC || span->generation != nj_host(L)->generation) nj_check_span(L, 1);
    nj_key_slot *slot = nj_key(nj_host(L), lua_topointer(L, 2));
    if (slot->key != NULL && slot->span_field >= 0) {
        nj_push_field(L, span, slot->span_field);
        return 1;
    }
    if (lua_type(L, 2) != LUA_TSTRING) return luaL_error(L, "fields of a span are named by text, not by a %s", luaL_typename(L, 2));
    return nj_unknown_field(L, NJ_OBJECT_SPAN, 2);
}

static int same_span(lua_State *L) {
    nj_span_object *left = nj_test_span(L, 1), *right = nj_test_span(L, 2);
    lua_pushboolean(L, left != NULL && right != NULL && left->generation == right->generation && left->ref.span == right->ref.span);
    return 1;
}

void nj_push_span(lua_State *L, nj_span_ref ref, int32_t index) {
    nj_lua *host = nj_host(L);
    nj_span_object *span = lua_newuserdatauv(L, sizeof *span, 3);
    *span = (nj_span_object){NJ_SPAN_MAGIC, index, host->generation, ref};
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->span_meta);
    lua_setmetatable(L, -2);
}

// One object per event, shared by the rules of a plugin.
void nj_push_event_span(lua_State *L) {
    nj_lua *host = nj_host(L);
    if (host->has_event_object) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, host->event_slot);
        return;
    }
    nj_push_span(L, host->event_span, -1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, LUA_REGISTRYINDEX, host->event_slot);
    host->has_event_object = true;
}

static void keep_words(lua_State *L, int *references, const char *const *words, int count) {
    for (int i = 0; i < count; i++) {
        lua_pushstring(L, words[i]);
        references[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
}

void nj_open_spans(lua_State *L) {
    static const char *const types[NJ_SPAN_TYPE_COUNT] = {
        "generic", "agent_run", "model_generation", "model_step", "model_chunk", "tool_call", "mcp_tool_call", "processor_run",
        "workflow_run", "workflow_step", "workflow_conditional", "workflow_conditional_eval", "workflow_parallel",
        "workflow_loop", "workflow_sleep", "workflow_wait_event",
    };
    static const char *const statuses[] = {"running", "ok", "error"};
    static const char *const kinds[] = {"internal", "internal", "server", "client", "producer", "consumer"};
    static const luaL_Reg metamethods[] = {
        {"__index", index_span}, {"__newindex", nj_read_only}, {"__eq", same_span}, {NULL, NULL},
    };
    nj_lua *host = nj_host(L);
    keep_words(L, host->type_word, types, NJ_SPAN_TYPE_COUNT);
    keep_words(L, host->status_word, statuses, 3);
    keep_words(L, host->kind_word, kinds, 6);
    luaL_newlib(L, metamethods);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushliteral(L, "span");
    lua_setfield(L, -2, "__name");
    host->span_meta = luaL_ref(L, LUA_REGISTRYINDEX);
    // Field names are anchored, so that their addresses stay theirs for the life of the state.
    lua_newtable(L);
    for (int i = 0; i < NJ_F_COUNT + NJ_T_COUNT + NJ_R_COUNT; i++) {
        int span_field = i, trace_field = i - NJ_F_COUNT, record_field = trace_field - NJ_T_COUNT;
        const nj_field_info *info = trace_field < 0 ? nj_object_field(NJ_OBJECT_SPAN, span_field)
            : record_field < 0 ? nj_object_field(NJ_OBJECT_TRACE, trace_field) : nj_record_info(record_field);
        lua_pushstring(L, info->name);
        const void *key = lua_topointer(L, -1);
        nj_key_slot *slot = nj_key(host, key);
        if (slot->key == NULL) *slot = (nj_key_slot){key, -1, -1, -1};
        if (trace_field < 0) slot->span_field = (int16_t)span_field;
        else if (record_field < 0) slot->trace_field = (int16_t)trace_field;
        else slot->record_field = (int16_t)record_field;
        lua_rawseti(L, -2, i + 1);
    }
    host->key_anchor = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushboolean(L, 0);
    host->event_slot = luaL_ref(L, LUA_REGISTRYINDEX);
}
