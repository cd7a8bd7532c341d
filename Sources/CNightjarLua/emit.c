// What a script emits, kept in the state until the host reads it: nothing leaves a call that fails.
#include "nj_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_LIMIT = 65536, ARENA_LIMIT = 8 << 20 };

void *nj_arena(lua_State *L, size_t size) {
    nj_lua *host = nj_host(L);
    size = (size + 7) & ~(size_t)7;
    while (host->arena != NULL && host->arena->size - host->arena->used < size) {
        if (host->arena->next == NULL) break;
        host->arena = host->arena->next;
        host->arena->used = 0;
    }
    if (host->arena == NULL || host->arena->size - host->arena->used < size) {
        size_t room = size > NJ_ARENA_BLOCK ? size : NJ_ARENA_BLOCK;
        // Emissions count towards the state's memory, and have a bound of their own: they are read where no deadline reaches.
        if (host->arena_bytes + room > ARENA_LIMIT || host->used + room > host->limits.memory) nj_kill(L, NJ_OUTCOME_MEMORY);
        nj_block *block = malloc(sizeof *block + room);
        if (block == NULL) nj_kill(L, NJ_OUTCOME_MEMORY);
        host->used += room;
        host->arena_bytes += room;
        block->size = room;
        block->used = 0;
        block->next = NULL;
        if (host->arena == NULL) host->arena_first = block;
        else host->arena->next = block;
        host->arena = block;
    }
    void *bytes = host->arena->bytes + host->arena->used;
    host->arena->used += size;
    return bytes;
}

nj_text nj_keep(lua_State *L, const char *bytes, size_t length) {
    char *copy = nj_arena(L, length + 1);
    memcpy(copy, bytes, length);
    copy[length] = 0;
    return (nj_text){copy, (uint32_t)length};
}

void nj_reset_emissions(nj_lua *host) {
    host->emission_count = 0;
    if (host->arena_first == NULL) return;
    // Only a first block of the usual size stays: one greedy event must not hold its memory for ever.
    bool keeps = NJ_SHARES_BLOCKS && host->arena_first->size == NJ_ARENA_BLOCK;
    for (nj_block *block = keeps ? host->arena_first->next : host->arena_first; block != NULL;) {
        nj_block *next = block->next;
        host->used -= block->size;
        host->arena_bytes -= block->size;
        free(block);
        block = next;
    }
    if (!keeps) host->arena_first = NULL;
    else host->arena_first->next = NULL, host->arena_first->used = 0;
    host->arena = host->arena_first;
}

static nj_emission *emit(lua_State *L, int kind) {
    nj_lua *host = nj_host(L);
    if (host->emission_count >= host->emission_limit) nj_kill(L, NJ_OUTCOME_EMISSIONS);
    if (host->emission_count == host->emission_room) {
        uint32_t room = host->emission_room == 0 ? 16 : host->emission_room * 2;
        nj_emission *grown = realloc(host->emissions, room * sizeof *grown);
        if (grown == NULL) nj_kill(L, NJ_OUTCOME_MEMORY);
        host->emissions = grown;
        host->emission_room = room;
    }
    nj_emission *emission = &host->emissions[host->emission_count];
    memset(emission, 0, sizeof *emission);
    emission->kind = kind;
    emission->label_set = -1;
    emission->value = NAN;
    return emission;
}

static void done(lua_State *L) { nj_host(L)->emission_count++; }

static void need_call(lua_State *L, const char *what) {
    if (nj_host(L)->loading) luaL_error(L, "%s works inside a rule, not while the file loads", what);
}

// ---- metrics

int nj_number_text(lua_State *L, int index, char *out, size_t room) {
    if (lua_isinteger(L, index)) return snprintf(out, room, "%lld", (long long)lua_tointeger(L, index));
    double number = lua_tonumber(L, index);
    // 200 and 200.0 are one label value.
    if (number == floor(number) && fabs(number) < 9007199254740992.0) return snprintf(out, room, "%lld", (long long)number);
    return snprintf(out, room, "%.14g", number);
}

int nj_metric_add(lua_State *L, int type) {
    static const char *const calls[] = {"counter:add", "gauge:set", "histogram:record"};
    struct { uint32_t magic; int32_t type, handle; } const *instrument = lua_touserdata(L, 1);
    if (instrument == NULL || lua_rawlen(L, 1) < sizeof *instrument || instrument->magic != NJ_INSTRUMENT_MAGIC
        || instrument->type != type)
        return luaL_error(L, "call it with a colon: %s(value, labels)", calls[type]);
    need_call(L, calls[type]);
    if (lua_type(L, 2) != LUA_TNUMBER) return luaL_error(L, "%s needs a number, not %s", calls[type], luaL_typename(L, 2));
    double value = lua_tonumber(L, 2);
    if (!isfinite(value)) return luaL_error(L, "%s needs a finite number", calls[type]);
    if (type == 0 && value < 0) return luaL_error(L, "a counter cannot go down; use a gauge");
    int labels = lua_type(L, 3);
    if (labels != LUA_TTABLE && labels != LUA_TNIL && labels != LUA_TNONE)
        return luaL_error(L, "labels must be a table, not a %s", luaL_typename(L, 3));
    nj_emission *emission = emit(L, NJ_EMIT_METRIC);
    emission->instrument = instrument->handle;
    emission->value = value;
    nj_read_labels(L, labels == LUA_TTABLE ? 3 : 0, emission);
    done(L);
    return 0;
}

// ---- logs

void nj_emit_log(lua_State *L, int kind, int level, const char *bytes, size_t length, nj_text data) {
    nj_spend(L, length / 8 + 20);
    nj_emission *emission = emit(L, kind);
    emission->level = level;
    emission->text = nj_keep(L, bytes, length < TEXT_LIMIT ? length : TEXT_LIMIT);
    emission->data = data;
    done(L);
}

void nj_emit_change(lua_State *L, const char *field, nj_text data) {
    nj_emission *emission = emit(L, NJ_EMIT_CHANGE);
    emission->text = (nj_text){field, (uint32_t)strlen(field)};
    emission->data = data;
    done(L);
}

// ---- scores and feedback

static const char *const score_fields[] = {
    "scorer_name", "scorerName", "score", "label", "reason", "explanation", "error", "experiment", "experiment_id",
    "experimentId", "scorer_version", "scorerVersion", "annotator_kind", "annotatorKind", "session_id", "sessionId", "id",
    "metadata", "span", "trace_id", "traceId", "span_id", "spanId",
};
static const char *const feedback_fields[] = {
    "source", "feedback_type", "feedbackType", "value", "comment", "user_id", "userId", "experiment", "experiment_id",
    "experimentId", "session_id", "sessionId", "id", "metadata", "span", "trace_id", "traceId", "span_id", "spanId",
};

// The fields that a table has, by their names in one of the lists above: what is not there is not looked for in the table.
typedef struct given_fields {
    int table, count;
    const char *names[sizeof score_fields / sizeof *score_fields];
} given_fields;

// Finds the fields; raises where the table has others.
static given_fields check_fields(lua_State *L, int table, const char *const *names, int count) {
    given_fields given = {.table = table};
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "fields are named by text, not by a %s", luaL_typename(L, -1));
        const char *name = lua_tostring(L, -1);
        bool known = false;
        for (int i = 0; i < count && !known; i++) {
            known = strcmp(names[i], name) == 0;
            if (known) given.names[given.count++] = names[i];
        }
        if (known) continue;
        const char *nearest = nj_nearest(name, names, count);
        char shown[64];
        nj_printable(shown, sizeof shown, name, lua_rawlen(L, -1), false);
        luaL_error(L, "unknown field '%s'%s%s%s", shown, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    }
    return given;
}

// Pushes a field, nil where it is not given; its type.
static int push_given(lua_State *L, const given_fields *given, const char *name) {
    for (int i = 0; i < given->count; i++) {
        if (strcmp(given->names[i], name) != 0) continue;
        lua_pushstring(L, name);
        return lua_rawget(L, given->table);
    }
    lua_pushnil(L);
    return LUA_TNIL;
}

// Pushes the field under the first of its names that is set; its type.
static int push_field(lua_State *L, const given_fields *given, const char *name, const char *other) {
    int type = push_given(L, given, name);
    if (type != LUA_TNIL || other == NULL) return type;
    lua_pop(L, 1);
    return push_given(L, given, other);
}

static nj_text text_field(lua_State *L, const given_fields *given, const char *name, const char *other) {
    nj_text text = {NULL, 0};
    int type = push_field(L, given, name, other);
    size_t length;
    if (type == LUA_TSTRING || type == LUA_TNUMBER) {
        const char *bytes = lua_tolstring(L, -1, &length);
        text = nj_keep(L, bytes, length < TEXT_LIMIT ? length : TEXT_LIMIT);
    } else if (type != LUA_TNIL && type != LUA_TLIGHTUSERDATA) {
        luaL_error(L, "field '%s' is a %s; text is needed", name, luaL_typename(L, -1));
    }
    lua_pop(L, 1);
    return text;
}

static nj_text metadata_field(lua_State *L, const given_fields *given) {
    nj_text text = {NULL, 0};
    int type = push_field(L, given, "metadata", NULL);
    if (type == LUA_TTABLE) text = nj_to_json(L, -1);
    else if (type != LUA_TNIL) luaL_error(L, "field 'metadata' is a %s; a table is needed", luaL_typename(L, -1));
    lua_pop(L, 1);
    return text;
}

static uint64_t id_field(lua_State *L, const given_fields *given, const char *name, const char *other, size_t digits, uint64_t *high) {
    uint64_t low = 0;
    *high = 0;
    int type = push_field(L, given, name, other);
    if (type != LUA_TNIL) {
        size_t length = 0;
        const char *text = type == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
        if (text == NULL || !nj_parse_id(text, length, high, &low, digits))
            luaL_error(L, "field '%s' is no id of up to %d hex digits", name, (int)digits);
    }
    lua_pop(L, 1);
    return low;
}

// Finds the target: the span, the trace, or what the table names where both are NULL.
static void set_target(lua_State *L, const given_fields *given, nj_emission *emission, nj_annotation *annotation, const nj_span_ref *span,
                       const nj_trace *trace) {
    if (push_field(L, given, "span", NULL) != LUA_TNIL) {
        nj_span_object *named = nj_test_span(L, -1);
        if (named == NULL || trace == NULL) luaL_error(L, "field 'span' takes a span of the trace, in trace.addScore and trace.addFeedback");
        nj_check_span(L, -1);
        annotation->span = named->ref;
        span = &annotation->span;
    }
    lua_pop(L, 1);
    if (span != NULL) {
        annotation->span = *span;
        emission->trace_high = span->span->trace_high;
        emission->trace_low = span->span->trace_low;
        emission->span_id = span->span->id;
    } else if (trace != NULL) {
        emission->trace_high = trace->trace_high;
        emission->trace_low = trace->trace_low;
        if (trace->root >= 0) annotation->span = trace->spans[trace->root];
    } else {
        uint64_t none;
        annotation->by_id = true;
        emission->trace_low = id_field(L, given, "trace_id", "traceId", 32, &emission->trace_high);
        emission->span_id = id_field(L, given, "span_id", "spanId", 16, &none);
        if (emission->trace_high == 0 && emission->trace_low == 0 && annotation->session_id.bytes == NULL)
            luaL_error(L, "field 'trace_id' or 'session_id' is needed");
    }
}

static void check_repeated(lua_State *L, const nj_emission *emission) {
    nj_lua *host = nj_host(L);
    if (host->scorer == NULL) return;
    nj_text mine = emission->annotation->scorer_name, trial = emission->annotation->experiment;
    for (uint32_t i = host->call_start; i < host->emission_count; i++) {
        const nj_emission *other = &host->emissions[i];
        if (other->kind != NJ_EMIT_SCORE || other->span_id != emission->span_id || other->trace_low != emission->trace_low
            || other->trace_high != emission->trace_high)
            continue;
        nj_text name = other->annotation->scorer_name, experiment = other->annotation->experiment;
        if (name.length == mine.length && memcmp(name.bytes, mine.bytes, mine.length) == 0 && experiment.length == trial.length
            && (trial.length == 0 || memcmp(experiment.bytes, trial.bytes, trial.length) == 0))
            luaL_error(L, "the scorer has judged this target in this call already");
    }
}

static void check_scorer(lua_State *L, const nj_scorer *scorer, double score, nj_text label) {
    char low[40], high[40];
    if (scorer->has_range && !isnan(score) && (score < scorer->low || score > scorer->high)) {
        snprintf(low, sizeof low, "%.14g", scorer->low);
        snprintf(high, sizeof high, "%.14g", scorer->high);
        luaL_error(L, "score %f lies outside of the range {%s, %s}", score, low, high);
    }
    if (scorer->category_count == 0 || label.bytes == NULL) return;
    for (uint32_t i = 0; i < scorer->category_count; i++)
        if (scorer->categories[i].length == label.length && memcmp(scorer->categories[i].bytes, label.bytes, label.length) == 0) return;
    // What is kept ends without a zero.
    lua_pushlstring(L, label.bytes, label.length);
    luaL_error(L, "label '%s' is none of the categories", lua_tostring(L, -1));
}

int nj_add_score(lua_State *L, int table, const nj_span_ref *span, const nj_trace *trace) {
    nj_lua *host = nj_host(L);
    need_call(L, "a score");
    if (!lua_istable(L, table)) return luaL_error(L, "a score is a table of fields, not %s", luaL_typename(L, table));
    nj_spend(L, 100);
    given_fields fields = check_fields(L, table, score_fields, sizeof score_fields / sizeof *score_fields);
    nj_annotation *annotation = nj_arena(L, sizeof *annotation);
    memset(annotation, 0, sizeof *annotation);
    annotation->scorer_name = text_field(L, &fields, "scorer_name", "scorerName");
    if (annotation->scorer_name.bytes == NULL && host->scorer != NULL) 
        annotation->scorer_name = nj_keep(L, host->scorer->name.bytes, host->scorer->name.length);
    if (annotation->scorer_name.bytes == NULL) return luaL_error(L, "field 'scorer_name' is needed outside of a scorer");
    annotation->label = text_field(L, &fields, "label", NULL);
    annotation->reason = text_field(L, &fields, "reason", "explanation");
    annotation->error = text_field(L, &fields, "error", NULL);
    annotation->experiment = text_field(L, &fields, "experiment", "experiment_id");
    if (annotation->experiment.bytes == NULL) annotation->experiment = text_field(L, &fields, "experimentId", NULL);
    annotation->scorer_version = text_field(L, &fields, "scorer_version", "scorerVersion");
    annotation->annotator_kind = text_field(L, &fields, "annotator_kind", "annotatorKind");
    annotation->session_id = text_field(L, &fields, "session_id", "sessionId");
    annotation->id = text_field(L, &fields, "id", NULL);
    annotation->metadata = metadata_field(L, &fields);
    double score = NAN;
    int type = push_field(L, &fields, "score", NULL);
    if (type == LUA_TNUMBER) {
        score = lua_tonumber(L, -1);
        if (!isfinite(score)) return luaL_error(L, "field 'score' must be a finite number");
    } else if (type != LUA_TNIL) {
        return luaL_error(L, "field 'score' is a %s; a number is needed", luaL_typename(L, -1));
    } else if (annotation->label.bytes == NULL && annotation->error.bytes == NULL) {
        return luaL_error(L, "field 'score' is needed where there is no 'label'");
    }
    lua_pop(L, 1);
    if (host->scorer != NULL) check_scorer(L, host->scorer, score, annotation->label);
    nj_emission *emission = emit(L, NJ_EMIT_SCORE);
    emission->annotation = annotation;
    emission->value = score;
    set_target(L, &fields, emission, annotation, span, trace);
    check_repeated(L, emission);
    done(L);
    return 0;
}

int nj_add_feedback(lua_State *L, int table, const nj_span_ref *span, const nj_trace *trace) {
    need_call(L, "feedback");
    if (!lua_istable(L, table)) return luaL_error(L, "feedback is a table of fields, not %s", luaL_typename(L, table));
    nj_spend(L, 100);
    given_fields fields = check_fields(L, table, feedback_fields, sizeof feedback_fields / sizeof *feedback_fields);
    nj_annotation *annotation = nj_arena(L, sizeof *annotation);
    memset(annotation, 0, sizeof *annotation);
    annotation->source = text_field(L, &fields, "source", NULL);
    annotation->feedback_type = text_field(L, &fields, "feedback_type", "feedbackType");
    if (annotation->feedback_type.bytes == NULL) return luaL_error(L, "field 'feedback_type' is needed");
    annotation->comment = text_field(L, &fields, "comment", NULL);
    annotation->user_id = text_field(L, &fields, "user_id", "userId");
    annotation->experiment = text_field(L, &fields, "experiment", "experiment_id");
    if (annotation->experiment.bytes == NULL) annotation->experiment = text_field(L, &fields, "experimentId", NULL);
    annotation->session_id = text_field(L, &fields, "session_id", "sessionId");
    annotation->id = text_field(L, &fields, "id", NULL);
    annotation->metadata = metadata_field(L, &fields);
    double value = NAN;
    int type = push_field(L, &fields, "value", NULL);
    if (type == LUA_TNUMBER) value = lua_tonumber(L, -1);
    lua_pop(L, 1);
    if (type == LUA_TSTRING) annotation->value_text = text_field(L, &fields, "value", NULL);
    else if (type != LUA_TNUMBER || !isfinite(value)) return luaL_error(L, "field 'value' must be a finite number or text");
    nj_emission *emission = emit(L, NJ_EMIT_FEEDBACK);
    emission->annotation = annotation;
    emission->value = value;
    set_target(L, &fields, emission, annotation, span, trace);
    done(L);
    return 0;
}
