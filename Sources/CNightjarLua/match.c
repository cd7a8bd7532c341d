// Evaluates compiled conditions over a row.
#define _GNU_SOURCE  // for memmem
#include "nj_internal.h"

#include <math.h>

static int lower(int byte) { return byte >= 'A' && byte <= 'Z' ? byte + 32 : byte; }

// With ignore_case the operand is in lower case already.
static bool same(const char *bytes, const char *operand, size_t length, bool ignore_case) {
    if (!ignore_case) return memcmp(bytes, operand, length) == 0;
    for (size_t i = 0; i < length; i++)
        if (lower((unsigned char)bytes[i]) != (unsigned char)operand[i]) return false;
    return true;
}

bool nj_text_contains(nj_text text, nj_text wanted) {
    // A block of 64 bytes is looked through in about the time of a step.
    if (nj_search_steps >= 0 && (nj_search_steps -= text.length / 64 + 1) < 0) nj_search_steps = 0;
    if (nj_search_steps == 0 || wanted.length > text.length) return false;
    // In linear time, which a search by comparing at each place is not.
    return wanted.length == 0 || memmem(text.bytes, text.length, wanted.bytes, wanted.length) != NULL;
}

static bool contains(nj_text text, nj_text wanted, bool ignore_case) {
    if (!ignore_case) return nj_text_contains(text, wanted);
    for (size_t at = 0; at + wanted.length <= text.length; at++)
        if (same(text.bytes + at, wanted.bytes, wanted.length, ignore_case)) return true;
    return false;
}

static bool pattern_holds(nj_text text, const nj_match_node *node) {
    char lowered[1024];
    if (!node->ignore_case) return nj_pattern_matches(text, node->text);
    size_t length = text.length < sizeof lowered ? text.length : sizeof lowered;
    for (size_t i = 0; i < length; i++) lowered[i] = (char)lower((unsigned char)text.bytes[i]);
    return nj_pattern_matches((nj_text){lowered, (uint32_t)length}, node->text);
}

static bool text_holds(nj_text text, const nj_match_node *node) {
    if (text.bytes == NULL) return false;
    nj_text wanted = node->text;
    switch (node->op) {
    case NJ_MATCH_EQUALS: return text.length == wanted.length && same(text.bytes, wanted.bytes, wanted.length, node->ignore_case);
    case NJ_MATCH_PREFIX: return text.length >= wanted.length && same(text.bytes, wanted.bytes, wanted.length, node->ignore_case);
    case NJ_MATCH_SUFFIX:
        return text.length >= wanted.length
            && same(text.bytes + text.length - wanted.length, wanted.bytes, wanted.length, node->ignore_case);
    case NJ_MATCH_CONTAINS: return contains(text, wanted, node->ignore_case);
    case NJ_MATCH_PATTERN: return pattern_holds(text, node);
    case NJ_MATCH_EXISTS: return true;
    default: return false;
    }
}

static bool number_holds(double number, const nj_match_node *node) {
    switch (node->op) {
    case NJ_MATCH_NUMBER: return number == node->low;
    case NJ_MATCH_GT: return number > node->low;
    case NJ_MATCH_GE: return number >= node->low;
    case NJ_MATCH_LT: return number < node->low;
    case NJ_MATCH_LE: return number <= node->low;
    case NJ_MATCH_EXISTS: return !isnan(number);
    default: return false;
    }
}

static bool truth_holds(bool truth, const nj_match_node *node) {
    return node->op == NJ_MATCH_EXISTS || (node->op == NJ_MATCH_TRUE && truth) || (node->op == NJ_MATCH_FALSE && !truth);
}

static bool attribute_holds(const nj_attribute *rows, uint32_t count, const nj_match_node *node) {
    // A key that no sender had used when the rule was loaded may have come since.
    int32_t symbol = node->symbol >= 0 ? node->symbol : nj_symbol_find(node->key.bytes, node->key.length);
    for (uint32_t i = 0; i < count; i++) {
        const nj_attribute *row = &rows[i];
        if (row->key != symbol) continue;
        if (symbol < 0 && (row->key_length != node->key.length || memcmp(row->key_bytes, node->key.bytes, node->key.length) != 0))
            continue;
        switch (row->tag) {
        case NJ_STRING: return text_holds((nj_text){row->value.bytes ? row->value.bytes : "", row->length}, node);
        case NJ_INT: return number_holds((double)row->value.integer, node);
        case NJ_DOUBLE: return number_holds(row->value.number, node);
        case NJ_BOOL: return truth_holds(row->value.integer != 0, node);
        default: return node->op == NJ_MATCH_EXISTS && row->tag != NJ_NONE;
        }
    }
    return false;
}

static bool id_holds(uint64_t high, uint64_t low, bool is_trace, const nj_match_node *node) {
    static const char digits[] = "0123456789abcdef";
    char text[32];
    int count = 0;
    if ((high | low) == 0) return false;
    if (is_trace)
        for (int shift = 60; shift >= 0; shift -= 4) text[count++] = digits[high >> shift & 15];
    for (int shift = 60; shift >= 0; shift -= 4) text[count++] = digits[low >> shift & 15];
    return text_holds((nj_text){text, (uint32_t)count}, node);
}

static bool kind_holds(int kind, const nj_match_node *node) {
    static const char *const kinds[] = {"internal", "internal", "server", "client", "producer", "consumer"};
    const char *name = kinds[kind < 6 ? kind : 1];
    return text_holds((nj_text){name, (uint32_t)strlen(name)}, node);
}

static bool field_holds(const nj_match_node *node, const nj_span_ref *ref) {
    const nj_span *span = ref->span;
    switch (node->field) {
    case NJ_F_ID: return id_holds(0, span->id, false, node);
    case NJ_F_TRACE_ID: return id_holds(span->trace_high, span->trace_low, true, node);
    case NJ_F_PARENT_SPAN_ID: return id_holds(0, span->parent_id, false, node);
    case NJ_F_DUPLICATE_OF: return id_holds(0, span->duplicate_of, false, node);
    case NJ_F_KIND: return kind_holds(span->kind, node);
    case NJ_F_START_TIME: return number_holds(span->start_nano ? nj_seconds(span->start_nano) : NAN, node);
    case NJ_F_END_TIME: return number_holds(span->end_nano ? nj_seconds(span->end_nano) : NAN, node);
    case NJ_F_DURATION_MS: return number_holds(nj_duration_ms(span), node);
    case NJ_F_TIME_TO_FIRST_TOKEN_MS: return number_holds(span->time_to_first_token_ms, node);
    case NJ_F_IS_ROOT: return truth_holds(span->parent_id == 0, node);
    case NJ_F_ERROR: return node->op == NJ_MATCH_EXISTS && span->status == NJ_STATUS_ERROR;
    case NJ_MATCH_INPUT_TOKENS: return number_holds(span->input_tokens, node);
    case NJ_MATCH_OUTPUT_TOKENS: return number_holds(span->output_tokens, node);
    case NJ_MATCH_CACHE_READ_TOKENS: return number_holds(span->cache_read_tokens, node);
    case NJ_MATCH_CACHE_WRITE_TOKENS: return number_holds(span->cache_write_tokens, node);
    case NJ_MATCH_REASONING_TOKENS: return number_holds(span->reasoning_tokens, node);
    case NJ_MATCH_COST: return number_holds(span->cost, node);
    case NJ_MATCH_ATTRIBUTE: return attribute_holds(ref->slab->attributes + span->first_attribute, span->attribute_count, node);
    case NJ_MATCH_RESOURCE: {
        if (span->context >= ref->slab->context_count) return false;
        const nj_context *context = &ref->slab->contexts[span->context];
        return attribute_holds(ref->slab->attributes + context->first_resource_attribute, context->resource_attribute_count, node);
    }
    default: return text_holds(nj_text_of(ref, node->field), node);
    }
}

static bool holds(const nj_match_node *nodes, const nj_match_node *node, const nj_span_ref *ref, nj_match_ask ask, void *context) {
    const nj_match_node *child = nodes + node->first, *end = child + node->count;
    switch (node->op) {
    case NJ_MATCH_ALL:
        for (; child < end; child++)
            if (!holds(nodes, child, ref, ask, context)) return false;
        return true;
    case NJ_MATCH_ANY:
        for (; child < end; child++)
            if (holds(nodes, child, ref, ask, context)) return true;
        return false;
    case NJ_MATCH_NOT: return !holds(nodes, child, ref, ask, context);
    case NJ_MATCH_TYPES: return ref->span->type < 64 && (node->bits >> ref->span->type & 1) != 0;
    case NJ_MATCH_STATUSES: return ref->span->status < 64 && (node->bits >> ref->span->status & 1) != 0;
    case NJ_MATCH_ASK: return ask != NULL && ask(context, node->bits, ref);
    default: return field_holds(node, ref);
    }
}

bool nj_match_span(const nj_match_node *nodes, const nj_span_ref *span, nj_match_ask ask, void *context) {
    // For all searches of a condition together, however many it has: some milliseconds.
    enum { SEARCH_STEPS = 2000000 };
    bool is_outermost = nj_search_steps < 0;
    if (is_outermost) nj_search_steps = SEARCH_STEPS;
    bool result = holds(nodes, nodes, span, ask, context);
    if (is_outermost) nj_search_steps = -1;
    return result;
}

// ---- gates

// The fields whose texts are compared by a digest.
static const int16_t probed[NJ_MATCH_PROBES] = {
    NJ_F_NAME, NJ_F_AGENT, NJ_F_MODEL, NJ_F_PROVIDER, NJ_F_TOOL, NJ_F_WORKFLOW, NJ_F_SERVICE, NJ_F_ENVIRONMENT,
};

static uint64_t digest_of(nj_text text) {
    uint64_t head, tail;
    nj_ends(text.bytes, text.length, &head, &tail);
    return nj_digest(head, tail, text.length);
}

// The values outside of which the condition at a node cannot hold, of what `op` compares.
static uint64_t possible(const nj_match_node *nodes, const nj_match_node *node, uint8_t op) {
    if (node->op == op) return node->bits;
    if (node->op != NJ_MATCH_ALL && node->op != NJ_MATCH_ANY) return ~0ULL;
    uint64_t bits = node->op == NJ_MATCH_ALL ? ~0ULL : 0;
    for (uint32_t i = 0; i < node->count; i++) {
        uint64_t child = possible(nodes, nodes + node->first + i, op);
        bits = node->op == NJ_MATCH_ALL ? bits & child : bits | child;
    }
    return bits;
}

// Has the gate compare the first text that has to be equal.
static bool require_text(const nj_match_node *nodes, const nj_match_node *node, nj_match_gate *gate) {
    if (node->op == NJ_MATCH_ALL) {
        for (uint32_t i = 0; i < node->count; i++)
            if (require_text(nodes, nodes + node->first + i, gate)) return true;
        return false;
    }
    if (node->op != NJ_MATCH_EQUALS || node->ignore_case) return false;
    for (int16_t place = 0; place < NJ_MATCH_PROBES; place++) {
        if (probed[place] != node->field) continue;
        gate->place = place;
        gate->digest = digest_of(node->text);
        return true;
    }
    return false;
}

nj_match_gate nj_match_gate_of(const nj_match_node *nodes, bool asks, bool takes_duplicates) {
    nj_match_gate gate = {
        .nodes = nodes, .types = ~0ULL, .statuses = ~0ULL, .place = -1, .asks = asks, .takes_duplicates = takes_duplicates};
    if (nodes == NULL) return gate;
    gate.types = possible(nodes, nodes, NJ_MATCH_TYPES);
    gate.statuses = possible(nodes, nodes, NJ_MATCH_STATUSES);
    require_text(nodes, nodes, &gate);
    return gate;
}

static bool has_digest(nj_match_probe *probe, int16_t place, uint64_t digest) {
    uint32_t bit = 1U << place;
    if ((probe->known & bit) == 0) {
        nj_text text = nj_text_of(&probe->span, probed[place]);
        probe->known |= bit;
        if (text.bytes != NULL) {
            probe->present |= bit;
            probe->digests[place] = digest_of(text);
        }
    }
    return (probe->present & bit) != 0 && probe->digests[place] == digest;
}

uint32_t nj_match_next(
    const nj_match_gate *gates, const uint32_t *places, uint32_t count, uint32_t from, nj_match_probe *probe) {
    const nj_span *span = probe->span.span;
    // What lies beyond the sets is the condition's to decide.
    uint64_t type = span->type < 64 ? 1ULL << span->type : ~0ULL, status = span->status < 64 ? 1ULL << span->status : ~0ULL;
    for (uint32_t i = from; i < count; i++) {
        const nj_match_gate *gate = &gates[places[i]];
        if (span->duplicate_of != 0 && !gate->takes_duplicates) continue;
        if (gate->nodes == NULL) return i;
        if ((gate->types & type) == 0 || (gate->statuses & status) == 0) continue;
        if (gate->place >= 0 && !has_digest(probe, gate->place, gate->digest)) continue;
        if (gate->asks || nj_match_span(gate->nodes, &probe->span, NULL, NULL)) return i;
    }
    return count;
}
