// Opening and closing states, and the protected ways into them.
#include "nj_internal.h"

#include <stdio.h>
#include <stdlib.h>

// The message handler stays at the bottom of the main stack, so that a call pushes one value less.
enum { HANDLER = 1, LARGE_STATE = 2 << 20 };

static int open_libraries(lua_State *L) {
    nj_lua *host = nj_host(L);
    nj_open_attributes(L);
    nj_open_spans(L);
    nj_open_traces(L);
    nj_open_records(L);
    nj_open_data(L);
    lua_newtable(L);
    host->state_table = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    host->modules = luaL_ref(L, LUA_REGISTRYINDEX);
    nj_open_sandbox(L);
    return 0;
}

// A state of some kilobytes would be marked anew every few hundred events: a small one may grow tenfold between collections, a
// large one twice, as Lua has it.
static void set_pace(nj_lua *host) {
    enum { SMALL_PAUSE = 1000, LARGE_PAUSE = 200 };
    host->is_large = host->used > LARGE_STATE;
    lua_gc(host->L, LUA_GCINC, host->is_large ? LARGE_PAUSE : SMALL_PAUSE, 0, 0);
}

nj_lua *nj_lua_open(const nj_limits *limits, const nj_callbacks *callbacks, nj_text name) {
    nj_lua *host = calloc(1, sizeof *host);
    if (host == NULL) return NULL;
    host->limits = *limits;
    host->callbacks = *callbacks;
    host->fuel = limits->fuel;
    host->generation = 1;
    host->emission_limit = limits->emissions;
    nj_printable(host->name, sizeof host->name, name.bytes, name.length, false);
    // Without a pool every block is its own.
    host->pool = NJ_SHARES_BLOCKS ? malloc(NJ_POOL_SIZE) : NULL;
    host->L = lua_newstate(nj_allocate, host);
    if (host->L == NULL) {
        free(host->pool);
        free(host);
        return NULL;
    }
    *(nj_lua **)lua_getextraspace(host->L) = host;
    lua_pushcfunction(host->L, nj_capture);
    lua_pushcfunction(host->L, open_libraries);
    if (lua_pcall(host->L, 0, 0, HANDLER) != LUA_OK) {
        nj_lua_close(host);
        return NULL;
    }
    set_pace(host);
    return host;
}

void nj_lua_close(nj_lua *host) {
    if (host == NULL) return;
    lua_sethook(host->L, NULL, 0, 0);
    lua_close(host->L);
    for (nj_block *block = host->arena_first; block != NULL;) {
        nj_block *next = block->next;
        free(block);
        block = next;
    }
    free(host->pool);
    free(host->emissions);
    nj_forget_labels(host);
    free(host->packed);
    nj_close_cover(host);
    free(host);
}

// Runs the function that was pushed with its arguments, within the budget.
static int enter(nj_lua *host, int arguments, uint32_t limit_ms) {
    host->entered = true;
    host->failure.outcome = NJ_OUTCOME_OK;
    host->failure.traceback[0] = 0;
    nj_enter(host, limit_ms);
    int status = lua_pcall(host->L, arguments, 0, HANDLER);
    nj_leave(host);
    host->entered = false;
    if ((host->used > LARGE_STATE) != host->is_large) set_pace(host);
    int killed = nj_killed(host);
    if (status == LUA_OK && !killed) return NJ_OUTCOME_OK;
    // Lua makes a memory error of a script's own error("not enough memory"): only what was refused counts.
    if (status == LUA_ERRMEM && !killed && host->denied != 0) atomic_store(&host->killed, killed = NJ_OUTCOME_MEMORY);
    if (killed) {
        // No handler runs for a lack of memory, and one for the deadline may come after the last instruction.
        char traceback[NJ_TRACEBACK_LIMIT + 8];
        memcpy(traceback, host->failure.traceback, sizeof traceback);
        lua_settop(host->L, HANDLER);
        lua_pushcfunction(host->L, nj_capture);
        lua_pushnil(host->L);
        lua_pcall(host->L, 1, 0, 0);
        memcpy(host->failure.traceback, traceback, sizeof traceback);
        host->failure.outcome = killed;
    } else if (status == LUA_ERRMEM) {
        nj_fail(host, NJ_OUTCOME_ERROR, "not enough memory");
    } else if (status == LUA_ERRERR || host->failure.outcome == NJ_OUTCOME_OK) {
        nj_fail(host, NJ_OUTCOME_ERROR, "error in error handling (C stack overflow)");
    }
    lua_settop(host->L, HANDLER);
    return host->failure.outcome;
}

// ---- loading

typedef struct source_job {
    nj_text source, file;
} source_job;

// Why a text is no source, NULL where it may be one.
static const char *encoding_fault(const char *bytes, size_t length) {
    const unsigned char *text = (const unsigned char *)bytes;
    if (length >= 2 && ((text[0] == 0xFF && text[1] == 0xFE) || (text[0] == 0xFE && text[1] == 0xFF)))
        return "the file is UTF-16; save it as UTF-8";
    if (length > 0 && text[0] == 0x1B) return "the file is a binary chunk; only source text is loaded";
    if (memchr(bytes, 0, length) != NULL) return "the file contains a NUL byte; save it as UTF-8 text";
    return NULL;
}

void nj_push_chunk(lua_State *L, nj_text source, nj_text file) {
    const char *bytes = source.bytes ? source.bytes : "";
    size_t length = source.length;
    lua_pushfstring(L, "@%s", lua_pushlstring(L, file.bytes ? file.bytes : "", file.length));
    const char *chunk_name = lua_tostring(L, -1);
    if (length > NJ_SOURCE_LIMIT)
        luaL_error(L, "%s: source of %d bytes; at most %d (split it into modules)", chunk_name + 1, (int)length, NJ_SOURCE_LIMIT);
    if (length >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) bytes += 3, length -= 3;
    // A first line for the shell is skipped, its line end kept: line numbers stay right.
    if (length > 0 && *bytes == '#')
        while (length > 0 && *bytes != '\n') bytes++, length--;
    const char *fault = encoding_fault(bytes, length);
    if (fault == NULL && length > 1 && *bytes == '\n') fault = encoding_fault(bytes + 1, length - 1);
    if (fault != NULL) luaL_error(L, "%s:1: %s", chunk_name + 1, fault);
    if (nj_load_text(L, bytes, length, chunk_name) != LUA_OK) lua_error(L);
}

static int load_body(lua_State *L) {
    const source_job *job = lua_touserdata(L, 1);
    nj_push_chunk(L, job->source, job->file);
    lua_call(L, 0, 0);
    return 0;
}

int32_t nj_lua_load(nj_lua *host, nj_text source, nj_text file) {
    source_job job = {source, file};
    nj_lua_begin(host);
    host->loading = true;
    lua_pushcfunction(host->L, load_body);
    lua_pushlightuserdata(host->L, &job);
    int outcome = enter(host, 1, host->limits.load_ms);
    host->loading = false;
    return outcome;
}

// ---- calling

typedef struct call_job {
    int32_t function;
    bool with_trace, keep;
    int32_t kind, handle;
    double share;
} call_job;

void nj_lua_begin(nj_lua *host) {
    host->generation++;
    host->event_span = (nj_span_ref){NULL, NULL};
    host->event_trace = NULL;
    host->asked_trace = host->has_event_object = host->has_trace_object = false;
    if (host->emission_count > 0 || host->arena_first != NULL) nj_reset_emissions(host);
    host->emission_count = 0;
    host->emission_limit = host->limits.emissions;
    if (host->labels.is_full) nj_forget_labels(host);
}

void nj_lua_allow(nj_lua *host, uint32_t more) { host->emission_limit = host->emission_count + more; }

static int call_span_body(lua_State *L) {
    const call_job *job = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, job->function);
    nj_push_event_span(L);
    if (job->with_trace) nj_push_event_trace(L);
    lua_call(L, job->with_trace ? 2 : 1, 0);
    return 0;
}

static int call_trace_body(lua_State *L) {
    const call_job *job = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, job->function);
    nj_push_event_trace(L);
    lua_call(L, 1, 0);
    return 0;
}

static int call_body(lua_State *L) {
    const call_job *job = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, job->function);
    lua_call(L, 0, 0);
    return 0;
}

static int32_t run(nj_lua *host, lua_CFunction body, call_job *job, const nj_scorer *scorer) {
    host->scorer = scorer;
    host->call_start = host->emission_count;
    lua_pushcfunction(host->L, body);
    lua_pushlightuserdata(host->L, job);
    int outcome = enter(host, 1, host->limits.call_ms);
    host->scorer = NULL;
    return outcome;
}

int32_t nj_lua_call_span(nj_lua *host, int32_t function, nj_span_ref span, bool with_trace, const nj_scorer *scorer) {
    call_job job = {.function = function, .with_trace = with_trace};
    host->event_span = span;
    return run(host, call_span_body, &job, scorer);
}

int32_t nj_lua_call_trace(nj_lua *host, int32_t function, const nj_trace *trace, const nj_scorer *scorer) {
    call_job job = {.function = function};
    host->event_trace = trace;
    return run(host, call_trace_body, &job, scorer);
}

int32_t nj_lua_call(nj_lua *host, int32_t function) {
    call_job job = {.function = function};
    return run(host, call_body, &job, NULL);
}

int32_t nj_run_body(nj_lua *host, lua_CFunction body, void *job) {
    lua_pushcfunction(host->L, body);
    lua_pushlightuserdata(host->L, job);
    return enter(host, 1, host->limits.call_ms);
}

static int call_record_body(lua_State *L) {
    const call_job *job = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, job->function);
    nj_push_record(L, job->kind, job->handle);
    lua_call(L, 1, 0);
    return 0;
}

int32_t nj_lua_call_record(nj_lua *host, int32_t function, int32_t kind, int32_t handle) {
    call_job job = {.function = function, .kind = kind, .handle = handle};
    return run(host, call_record_body, &job, NULL);
}

static int call_process_body(lua_State *L) {
    call_job *job = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, job->function);
    if (nj_host(L)->event_span.span != NULL) nj_push_event_span(L);
    else nj_push_record(L, job->kind, job->handle);
    nj_push_draft(L, -1);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_call(L, 1, 1);
    job->keep = lua_isnil(L, -1) || lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (job->keep) nj_emit_changes(L, -1);
    return 0;
}

int32_t nj_lua_call_process(
    nj_lua *host, int32_t function, const nj_span_ref *span, int32_t kind, int32_t handle, bool *keep) {
    call_job job = {.function = function, .kind = kind, .handle = handle, .keep = true};
    if (span != NULL) host->event_span = *span;
    int outcome = run(host, call_process_body, &job, NULL);
    *keep = outcome != NJ_OUTCOME_OK || job.keep;
    return outcome;
}

static int call_sampler_body(lua_State *L) {
    call_job *job = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, job->function);
    nj_push_event_span(L);
    lua_call(L, 1, 1);
    if (lua_type(L, -1) == LUA_TNUMBER) job->share = lua_tonumber(L, -1);
    else if (lua_type(L, -1) == LUA_TBOOLEAN) job->share = lua_toboolean(L, -1);
    else return luaL_error(L, "a sampler returns true, false or a probability, not %s", luaL_typename(L, -1));
    if (!(job->share >= 0 && job->share <= 1)) return luaL_error(L, "a sampler's probability lies between 0 and 1");
    return 0;
}

int32_t nj_lua_call_sampler(nj_lua *host, int32_t function, nj_span_ref span, double *share) {
    call_job job = {.function = function};
    host->event_span = span;
    int outcome = run(host, call_sampler_body, &job, NULL);
    *share = job.share;
    return outcome;
}

const nj_failure *nj_lua_failure(const nj_lua *host) { return &host->failure; }

const nj_emission *nj_lua_emissions(const nj_lua *host, uint32_t *count) {
    *count = host->emission_count;
    return host->emissions;
}

uint32_t nj_lua_label_epoch(const nj_lua *host) { return host->labels.epoch; }

uint64_t nj_lua_memory(const nj_lua *host) { return host->used; }

static int collect_body(lua_State *L) {
    lua_gc(L, LUA_GCCOLLECT);
    return 0;
}

bool nj_lua_collect(nj_lua *host) {
    lua_settop(host->L, HANDLER);
    lua_pushcfunction(host->L, collect_body);
    bool done = lua_pcall(host->L, 0, 0, 0) == LUA_OK;
    lua_settop(host->L, HANDLER);
    return done;
}
