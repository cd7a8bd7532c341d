// What the files of the Lua host share. Nothing here leaves the target.
#ifndef NJ_INTERNAL_H
#define NJ_INTERNAL_H

#include <lua5.4/lua.h>
#include <lua5.4/lauxlib.h>
#include <lua5.4/lualib.h>
#include <stdatomic.h>
#include <string.h>

#include "include/nj_lua.h"
#include "include/nj_match.h"
#include "include/nj_fields.h"

// The address sanitizer sees no borders within a pool: under it every block is the system's own.
#ifdef __has_feature
#define NJ_HAS_FEATURE(name) __has_feature(name)
#else
#define NJ_HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || NJ_HAS_FEATURE(address_sanitizer)
enum { NJ_SHARES_BLOCKS = 0 };
#else
enum { NJ_SHARES_BLOCKS = 1 };
#endif

// Lua allows 200 nested C calls, and each resume is one.
enum { NJ_CHAIN_LIMIT = 220, NJ_KEY_SLOTS = 256, NJ_SYMBOL_SLOTS = 256, NJ_POOL_SIZE = 524288, NJ_POOL_BLOCK = 256 };
enum { NJ_ARENA_BLOCK = NJ_SHARES_BLOCKS ? 16384 : 1 };
enum { NJ_WORD_SLOTS = 128, NJ_WORD_LENGTH = 40 };

// Memory for emissions: blocks that are kept between events.
typedef struct nj_block {
    struct nj_block *next;
    size_t size, used;
    char bytes[];
} nj_block;

typedef struct nj_key_slot {
    const void *key;  // the anchored Lua string
    int16_t span_field, trace_field, record_field;
} nj_key_slot;

typedef struct nj_symbol_slot {
    const char *key;
    int32_t symbol;
} nj_symbol_slot;

// A short text that has come more than once, as a Lua string that is kept.
typedef struct nj_word_slot {
    uint64_t head, tail;  // of the text
    const char *bytes;    // the string's own; NULL where none is kept
    uint32_t length;
    int reference;
    uint64_t seen;        // what was asked for last and not kept
} nj_word_slot;

// The label sets that metrics were given before.
typedef struct nj_label_set nj_label_set;
typedef struct nj_label_memory {
    nj_label_set **sets;
    uint16_t *index;      // by hash: a place in `sets` and 1
    uint32_t count, room; // the index has twice the room
    uint32_t epoch;       // changes when all are forgotten
    uint64_t bytes;
    bool is_full;
} nj_label_memory;

struct nj_lua {
    lua_State *L;
    nj_limits limits;
    nj_callbacks callbacks;
    // Set once, by a limit; everything that could swallow an error looks at it and raises again.
    _Atomic int killed;
    int64_t fuel;
    bool loading, entered, is_large, keeps_state;
    // The coroutines that are running, outermost first; the signal handler reads it.
    lua_State *chain[NJ_CHAIN_LIMIT + 4];
    volatile int chain_length;
    // The call that this one was made in, and its limit.
    struct nj_lua *outer;
    uint32_t outer_ms;
    // Memory.
    uint64_t used, denied;
    uint32_t refusals;  // of the call
    char *pool;
    size_t pool_used;
    void *pool_free[NJ_POOL_BLOCK / 16];
    // Objects handed out are valid while they carry the current generation.
    uint64_t generation;
    nj_span_ref event_span;  // of the event itself; empty in calls with a trace
    const nj_trace *event_trace;
    bool asked_trace, has_event_object, has_trace_object;
    const nj_scorer *scorer;
    // Emissions of the event.
    nj_emission *emissions;
    uint32_t emission_count, emission_room, emission_limit, call_start;
    nj_block *arena, *arena_first;
    size_t arena_bytes;
    nj_failure failure;
    char place[192];
    char name[72];
    char load_place[192];
    // Registry references.
    int span_meta, attributes_meta, trace_meta, record_meta, data_meta, lru_meta, window_meta, instrument_meta[3];
    int event_slot, trace_slot, modules, key_anchor, state_table, prelude;
    char *packed;  // the state as it was packed last
    struct nj_cover *cover;
    int type_word[NJ_SPAN_TYPE_COUNT], status_word[3], kind_word[6];
    nj_key_slot keys[NJ_KEY_SLOTS];
    nj_symbol_slot symbols[NJ_SYMBOL_SLOTS];
    nj_label_memory labels;
    nj_word_slot words[NJ_WORD_SLOTS];
};

static inline nj_lua *nj_host(lua_State *L) { return *(nj_lua **)lua_getextraspace(L); }
static inline int nj_killed(const nj_lua *host) { return atomic_load_explicit(&host->killed, memory_order_relaxed); }

// The first and the last bytes of a text: they and its length are all of one of up to 16.
static inline void nj_ends(const char *bytes, size_t length, uint64_t *head, uint64_t *tail) {
    const unsigned char *text = (const unsigned char *)bytes;
    *head = *tail = 0;
    if (length >= 8) {
        memcpy(head, text, 8);
        memcpy(tail, text + length - 8, 8);
    } else if (length >= 4) {
        uint32_t first, last;
        memcpy(&first, text, 4);
        memcpy(&last, text + length - 4, 4);
        *head = first;
        *tail = last;
    } else if (length > 0) {
        *head = text[0] | (uint64_t)text[length / 2] << 8 | (uint64_t)text[length - 1] << 16;
    }
}

// A number for a text from its ends and length: unequal numbers are unequal texts.
static inline uint64_t nj_digest(uint64_t head, uint64_t tail, size_t length) {
    uint64_t mixed = (head ^ (tail << 31 | tail >> 33) ^ length << 57) * 0x9E3779B97F4A7C15;
    mixed = (mixed ^ mixed >> 29 ^ tail) * 0xBF58476D1CE4E5B9;
    return mixed ^ mixed >> 32;
}

// limits.c
void *nj_allocate(void *host, void *block, size_t old_size, size_t size);
// Marks the call as over and raises; never returns.
int nj_kill(lua_State *L, int outcome);
// Raises again where the call is over.
void nj_check(lua_State *L);
// Takes `amount` steps of work from the call's fuel; raises where it is spent.
void nj_spend(lua_State *L, uint64_t amount);
// The call's deadline starts; the worker's slot is taken.
void nj_enter(nj_lua *host, uint32_t limit_ms);
void nj_leave(nj_lua *host);

// errors.c
int nj_capture(lua_State *L);
void nj_fail(nj_lua *host, int outcome, const char *message);
void nj_write_traceback(lua_State *L, char *out, size_t room, int level);
void nj_note_place(lua_State *L);
const char *nj_nearest(const char *word, const char *const *names, int count);

// sandbox.c
void nj_open_sandbox(lua_State *L);
void nj_push_text(lua_State *L, int index);  // tostring without addresses
int nj_load_text(lua_State *L, const char *bytes, size_t length, const char *chunk_name);
// coroutines.c, strings.c, tables.c
void nj_open_coroutines(lua_State *L);
void nj_open_strings(lua_State *L);
void nj_open_tables(lua_State *L);

// A byte buffer on the Lua stack: a userdata that is replaced in its slot as it grows, so that errors cannot leak it.
typedef struct nj_buffer {
    lua_State *L;
    char *bytes;
    size_t size, room;
    int slot;
} nj_buffer;
void nj_buffer_start(nj_buffer *out, lua_State *L, size_t room);
void nj_buffer_reserve(nj_buffer *out, size_t more);
void nj_buffer_add(nj_buffer *out, const char *bytes, size_t length);

// pattern.c
typedef struct nj_capture_range {
    const char *start;
    ptrdiff_t length;  // or one of the two below
} nj_capture_range;
enum { NJ_CAPTURE_OPEN = -1, NJ_CAPTURE_POSITION = -2, NJ_CAPTURES = 32 };
typedef struct nj_matcher {
    const char *text, *text_end, *pattern_end;
    lua_State *L;  // NULL outside of Lua: then `steps` bounds it
    int64_t steps;
    int depth;
    const char *fault;
    uint8_t captures;
    nj_capture_range capture[NJ_CAPTURES];
} nj_matcher;
void nj_matcher_start(nj_matcher *matcher, lua_State *L, const char *text, size_t length, const char *pattern, size_t size);
const char *nj_matcher_run(nj_matcher *matcher, const char *at, const char *pattern);
// The steps that all searches of this thread may still take together; below 0 each has its own.
extern __thread int64_t nj_search_steps __attribute__((tls_model("initial-exec")));

// json.c
void nj_push_json(lua_State *L, const char *bytes, size_t length);  // raises on malformed text
// The value at `index` as JSON in the event's arena; raises for functions, cycles and what is too deep or too big.
nj_text nj_to_json(lua_State *L, int index);
// The size of a match as JSON: it is evaluated where no deadline reaches.
enum { NJ_MATCH_LIMIT = 65536 };
void nj_open_json(lua_State *L);
extern const char nj_null;

// words.c: pushes a text of which there are likely to be few, nil where it is absent.
void nj_push_word(lua_State *L, nj_text text);

// labels.c
// Gives an emission the labels of the table at `index`, none where that is 0, read raw: no metamethod runs.
void nj_read_labels(lua_State *L, int index, nj_emission *emission);
// Forgets the label sets; what an emission has of them is void.
void nj_forget_labels(nj_lua *host);

// emit.c
int nj_number_text(lua_State *L, int index, char *out, size_t room);
void *nj_arena(lua_State *L, size_t size);
nj_text nj_keep(lua_State *L, const char *bytes, size_t length);
void nj_reset_emissions(nj_lua *host);
int nj_add_score(lua_State *L, int table, const nj_span_ref *span, const nj_trace *trace);
int nj_add_feedback(lua_State *L, int table, const nj_span_ref *span, const nj_trace *trace);
void nj_emit_log(lua_State *L, int kind, int level, const char *bytes, size_t length, nj_text data);
int nj_metric_add(lua_State *L, int type);

// spans.c, traces.c, attributes.c
typedef struct nj_span_object {
    uint32_t magic;
    int32_t index;  // in the trace; -1 where not known
    uint64_t generation;
    nj_span_ref ref;
} nj_span_object;
typedef struct nj_trace_object {
    uint32_t magic;
    uint64_t generation;
    const nj_trace *trace;  // NULL until asked for
} nj_trace_object;
typedef struct nj_record_object {
    uint32_t magic;
    int32_t kind, handle;
    uint64_t generation;
} nj_record_object;
enum {
    NJ_SPAN_MAGIC = 0x4E4A5350, NJ_TRACE_MAGIC = 0x4E4A5452, NJ_RUN_MAGIC = 0x4E4A4154, NJ_INSTRUMENT_MAGIC = 0x4E4A4D45,
    NJ_RECORD_MAGIC = 0x4E4A5243, NJ_LRU_MAGIC = 0x4E4A4C52, NJ_WINDOW_MAGIC = 0x4E4A5749, NJ_DATA_MAGIC = 0x4E4A4441
};
// The object of a magic number and size at an index, NULL where there is another.
void *nj_test_object(lua_State *L, int index, uint32_t magic, size_t size);
void nj_open_spans(lua_State *L);
void nj_open_traces(lua_State *L);
void nj_open_attributes(lua_State *L);
void nj_push_event_span(lua_State *L);
void nj_push_span(lua_State *L, nj_span_ref ref, int32_t index);
// Pushes a span of the trace object at `object`.
void nj_push_trace_span(lua_State *L, int object, int32_t index);
void nj_push_event_trace(lua_State *L);
// Pushes the trace of an id; nil where it is not known.
void nj_push_fetched_trace(lua_State *L, uint64_t high, uint64_t low);
// Pushes the trace object of the span at index 1; NULL, and nothing is pushed, where it is not at hand.
const nj_trace *nj_push_trace_of(lua_State *L);
const nj_trace *nj_event_trace(lua_State *L);
void nj_push_attributes(lua_State *L, const nj_slab *slab, uint32_t first, uint32_t count);
void nj_push_field(lua_State *L, nj_span_object *span, int field);
nj_span_object *nj_check_span(lua_State *L, int index);
nj_span_object *nj_test_span(lua_State *L, int index);
nj_trace_object *nj_check_trace(lua_State *L, int index);
int32_t nj_index_in(const nj_trace *trace, nj_span_object *span);
void nj_push_reply(lua_State *L, int status, const nj_reply *reply);
void nj_push_usage(lua_State *L, const double counts[6]);
void nj_push_id(lua_State *L, uint64_t high, uint64_t low, bool is_trace);
bool nj_parse_id(const char *bytes, size_t length, uint64_t *high, uint64_t *low, size_t digits);
// The slot of a field's name, by the address of the string; its key is NULL for anything else.
nj_key_slot *nj_key(nj_lua *host, const void *key);
void nj_copy_pairs(lua_State *L);  // replaces a run of attributes on top by a plain table

// records.c
void nj_open_records(lua_State *L);
void nj_push_record(lua_State *L, int kind, int32_t handle);
// Pushes a table that a processor may write to, over the object at `object`.
void nj_push_draft(lua_State *L, int object);
// Turns what was changed in the draft at `draft` into emissions.
void nj_emit_changes(lua_State *L, int draft);
void nj_emit_change(lua_State *L, const char *field, nj_text data);

// fields.c
int nj_unknown_field(lua_State *L, int object, int index);
const nj_field_info *nj_record_info(int32_t field);

// collections.c, data.c, keep.c, tests.c, cover.c
void nj_open_collections(lua_State *L);
void nj_open_data(lua_State *L);
void nj_push_data(lua_State *L, int64_t node);
void nj_push_state_table(lua_State *L);
void nj_close_cover(nj_lua *host);
void nj_cover_line(lua_State *L, lua_Debug *record);
void nj_resume_cover(nj_lua *host);
int nj_read_only(lua_State *L);
nj_text nj_text_of(const nj_span_ref *span, int field);
double nj_duration_ms(const nj_span *span);
double nj_seconds(uint64_t nano);
void nj_push_bytes(lua_State *L, nj_text text);  // nil where absent

// state.c
// Pushes the function of a file's text, compiled; raises where it is no source. Uses nothing of the host.
void nj_push_chunk(lua_State *L, nj_text source, nj_text file);
// Runs a body with one light argument under the call budget, outside of any event.
int32_t nj_run_body(nj_lua *host, lua_CFunction body, void *job);

// api.c
void nj_open_api(lua_State *L);

#endif
