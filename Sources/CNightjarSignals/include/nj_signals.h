// The layout of events on the event path: rows of a slab, shared by Swift (decoding, extraction) and C (Lua field access).
// Everything here is plain data. A text points into memory that its slab owns, or at a constant.
#ifndef NJ_SIGNALS_H
#define NJ_SIGNALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes of someone else's memory; `bytes` is NULL where the value is absent. Not terminated, not checked for UTF-8.
typedef struct nj_text {
    const char *bytes;
    uint32_t length;
} nj_text;

// What an attribute's value is. An array or a map stays the encoded bytes of its OTLP message (ArrayValue, KeyValueList).
enum nj_tag { NJ_NONE = 0, NJ_STRING, NJ_BOOL, NJ_INT, NJ_DOUBLE, NJ_BYTES, NJ_ARRAY, NJ_MAP };

// One attribute: key symbol (-1 where the symbol table is full), key text, value.
typedef struct nj_attribute {
    int32_t key;
    uint16_t key_length;
    uint8_t tag;
    uint8_t reserved;
    const char *key_bytes;
    union {
        int64_t integer;
        double number;
        const char *bytes;
    } value;
    uint32_t length;
    uint32_t reserved2;
} nj_attribute;

// The resource and scope that a run of spans share.
typedef struct nj_context {
    uint32_t first_resource_attribute, resource_attribute_count;
    uint32_t first_scope_attribute, scope_attribute_count;
    nj_text service, environment, scope_name, scope_version;
    nj_text encoded_resource, encoded_scope;
} nj_context;

// Facts of a span. ENDED: it has ended, whether or not its end time is known. IS_EVENT: it is a point in time, ended from
// the start. HAS_EVALUATIONS: it carries verdicts. DROPPED: a processor dropped it, so that it counts but is neither
// stored nor exported.
enum nj_span_flag { NJ_SPAN_ENDED = 1, NJ_SPAN_IS_EVENT = 2, NJ_SPAN_HAS_EVALUATIONS = 4, NJ_SPAN_DROPPED = 8 };

enum nj_status { NJ_STATUS_RUNNING = 0, NJ_STATUS_OK = 1, NJ_STATUS_ERROR = 2 };

// Span types of the signals contract, section 4; the order is the order of Swift's SpanType.
enum nj_span_type {
    NJ_GENERIC = 0, NJ_AGENT_RUN, NJ_MODEL_GENERATION, NJ_MODEL_STEP, NJ_MODEL_CHUNK, NJ_TOOL_CALL, NJ_MCP_TOOL_CALL,
    NJ_PROCESSOR_RUN, NJ_WORKFLOW_RUN, NJ_WORKFLOW_STEP, NJ_WORKFLOW_CONDITIONAL, NJ_WORKFLOW_CONDITIONAL_EVAL,
    NJ_WORKFLOW_PARALLEL, NJ_WORKFLOW_LOOP, NJ_WORKFLOW_SLEEP, NJ_WORKFLOW_WAIT_EVENT, NJ_SPAN_TYPE_COUNT
};

// One span. Counts that were not stated are NaN; ids are big-endian integers, 0 is absent; times are ns since 1970, 0 is absent.
typedef struct nj_span {
    uint64_t trace_high, trace_low, id, parent_id;
    uint64_t start_nano, end_nano;
    uint32_t first_attribute, attribute_count;
    uint32_t context;
    uint8_t type, kind, status, convention;
    uint8_t flags;
    // Attribute rows behind the span's own that carry what OTLP has no place for: for readers, not for show.
    uint16_t carried_count;
    nj_text encoded;  // the Span message as it lies in the payload
    nj_text name, type_text;
    // What the span itself says, by its convention.
    nj_text agent, model, response_model, provider, tool, workflow;
    nj_text error_type, error_message, session_id, user_id, environment, service, finish_reason;
    double input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost;
    double time_to_first_token_ms;
    // What is known when the span is settled: the nearest run's names, and the span that this one repeats (0: none).
    nj_text settled_agent, settled_workflow;
    uint64_t duplicate_of;
} nj_span;

// The arrays that rows point into; owned by Swift's Slab.
typedef struct nj_slab {
    nj_span *spans;
    nj_attribute *attributes;
    nj_context *contexts;
    uint32_t span_count, attribute_count, context_count;
} nj_slab;

// A span wherever it lies.
typedef struct nj_span_ref {
    const nj_slab *slab;
    const nj_span *span;
} nj_span_ref;

// A trace as rules and scorers see it. `spans` by start time; `parents[i]` is an index into it, -1 for the root and for orphans
// of a trace without root. The C host and Swift fill and read it; pointers are valid during the call that gets it.
typedef struct nj_trace {
    uint64_t trace_high, trace_low;
    const nj_span_ref *spans;
    const int32_t *parents;
    uint32_t count;
    int32_t root;
    uint32_t revision;
    bool is_partial;
} nj_trace;

// A label of a metric observation.
typedef struct nj_label {
    nj_text name, value;
} nj_label;

// A hash of bytes: equal bytes have equal ones, in this process only, so that nobody can prepare two that collide.
uint64_t nj_hash_bytes(const char *bytes, size_t length);

// The process's attribute keys. Thread-safe; look-ups take no lock. At most NJ_SYMBOL_LIMIT keys of at most
// NJ_SYMBOL_LENGTH bytes; beyond either, a key has no symbol (-1).
enum { NJ_SYMBOL_LIMIT = 16384, NJ_SYMBOL_LENGTH = 256 };
// The symbol of a key, made if it is new.
int32_t nj_symbol_intern(const char *bytes, size_t length);
// The symbol of a key, -1 if it has none.
int32_t nj_symbol_find(const char *bytes, size_t length);
// The key of a symbol; the text lives as long as the process.
nj_text nj_symbol_text(int32_t symbol);
// How many symbols there are.
int32_t nj_symbol_count(void);

#endif
