// Matching a span's row against a condition that was compiled when its rule was loaded. Takes no lock, allocates nothing.
#ifndef NJ_MATCH_H
#define NJ_MATCH_H

#include "nj_lua.h"

enum nj_match_op {
    NJ_MATCH_ALL = 0,   // every child holds
    NJ_MATCH_ANY,       // some child holds
    NJ_MATCH_NOT,       // its child does not hold
    NJ_MATCH_TYPES,     // the type is in the set `bits`
    NJ_MATCH_STATUSES,  // the status is in the set `bits`
    NJ_MATCH_EQUALS, NJ_MATCH_PREFIX, NJ_MATCH_SUFFIX, NJ_MATCH_CONTAINS, NJ_MATCH_PATTERN,  // of `text`
    NJ_MATCH_NUMBER,    // equals `low`
    NJ_MATCH_GT, NJ_MATCH_GE, NJ_MATCH_LT, NJ_MATCH_LE,
    NJ_MATCH_TRUE, NJ_MATCH_FALSE, NJ_MATCH_EXISTS,
    NJ_MATCH_ASK        // the caller's function decides, by `bits`
};

// A condition; its children are a run of nodes of the same array.
typedef struct nj_match_node {
    uint8_t op;
    bool ignore_case;
    int16_t field;            // enum nj_field, NJ_MATCH_ATTRIBUTE, or a count of enum nj_match_count
    uint32_t first, count;
    uint64_t bits;
    int32_t symbol;
    nj_text text;             // an operand; with ignore_case already in lower case
    nj_text key;              // of an attribute
    double low;
} nj_match_node;

// Fields beside enum nj_field.
enum {
    NJ_MATCH_ATTRIBUTE = 100, NJ_MATCH_RESOURCE, NJ_MATCH_INPUT_TOKENS, NJ_MATCH_OUTPUT_TOKENS, NJ_MATCH_CACHE_READ_TOKENS,
    NJ_MATCH_CACHE_WRITE_TOKENS, NJ_MATCH_REASONING_TOKENS, NJ_MATCH_COST
};

typedef bool (*nj_match_ask)(void *context, uint64_t condition, const nj_span_ref *span);

// What a span has to be like at least for a condition to hold: compared before the condition is asked, because most rules match
// few spans. `nodes` is NULL where every span matches.
typedef struct nj_match_gate {
    const nj_match_node *nodes;
    uint64_t types, statuses;  // the sets that they are in
    uint64_t digest;           // of the whole text of a field
    int16_t place;             // the field's, see nj_match_probe; -1: no text is compared
    bool asks;                 // the condition can only be decided by the caller
    bool takes_duplicates;
} nj_match_gate;

enum { NJ_MATCH_PROBES = 8 };

// A span that is being matched, with what is known of its fields. Zero but for `span` at first; valid while the span is.
typedef struct nj_match_probe {
    nj_span_ref span;
    uint32_t known, present;   // bits of the fields that were looked at, and of those that have a text
    uint64_t digests[NJ_MATCH_PROBES];
} nj_match_probe;

// The gate of a condition; NULL for none.
nj_match_gate nj_match_gate_of(const nj_match_node *nodes, bool asks, bool takes_duplicates);
// The first place from `from` on in a list of `count` places whose gate lets the span pass and whose condition holds or is the
// caller's to decide; `count` where there is none.
uint32_t nj_match_next(
    const nj_match_gate *gates, const uint32_t *places, uint32_t count, uint32_t from, nj_match_probe *probe);

// Whether the condition at node 0 holds.
bool nj_match_span(const nj_match_node *nodes, const nj_span_ref *span, nj_match_ask ask, void *context);
// Whether a text has another in it; false too where the searches of the condition have taken too long.
bool nj_text_contains(nj_text text, nj_text wanted);
// Whether a Lua pattern matches anywhere in a text; false too where it took too long.
bool nj_pattern_matches(nj_text text, nj_text pattern);
// NULL where a Lua pattern is well formed, else what is wrong with it.
const char *nj_pattern_fault(nj_text pattern);

#endif
