// Lua patterns, by backtracking, with every step counted: the reference manual's section 6.4.1 is what they mean.
#include "nj_internal.h"

#include <ctype.h>

// A recursion costs about 100 bytes of C stack; Lua's own limit is as large.
enum { DEPTH_LIMIT = 200, FUEL_CHUNK = 4096 };

static const char *give_up(nj_matcher *matcher, const char *fault) {
    if (matcher->L != NULL) luaL_error(matcher->L, "%s", fault);
    if (matcher->fault == NULL) matcher->fault = fault;
    return NULL;
}

// One step of work; false where there may be no more.
static inline bool step(nj_matcher *matcher, int64_t amount) {
    matcher->steps -= amount;
    if (matcher->steps >= 0) return matcher->fault == NULL;
    if (matcher->L == NULL) {
        matcher->fault = "the pattern takes too long";
        return false;
    }
    nj_spend(matcher->L, (uint64_t)(FUEL_CHUNK - matcher->steps));
    matcher->steps = FUEL_CHUNK;
    return true;
}

static bool in_class(int byte, int letter) {
    bool holds;
    switch (tolower(letter)) {
    case 'a': holds = isalpha(byte); break;
    case 'c': holds = iscntrl(byte); break;
    case 'd': holds = isdigit(byte); break;
    case 'g': holds = isgraph(byte); break;
    case 'l': holds = islower(byte); break;
    case 'p': holds = ispunct(byte); break;
    case 's': holds = isspace(byte); break;
    case 'u': holds = isupper(byte); break;
    case 'w': holds = isalnum(byte); break;
    case 'x': holds = isxdigit(byte); break;
    case 'z': holds = byte == 0; break;  // from the days when a pattern could not hold a NUL
    default: return letter == byte;
    }
    return isupper(letter) ? !holds : holds;
}

// The end of the single-character class that starts at `pattern`; NULL where it is malformed.
static const char *class_end(nj_matcher *matcher, const char *pattern) {
    const char *end = matcher->pattern_end;
    if (*pattern == '%') return pattern + 1 < end ? pattern + 2 : give_up(matcher, "malformed pattern (ends with '%')");
    if (*pattern != '[') return pattern + 1;
    const char *at = pattern + 1;
    if (at < end && *at == '^') at++;
    // A bracket that comes first stands for itself.
    for (bool first = true; at < end; first = false) {
        if (*at == ']' && !first) return at + 1;
        if (*at == '%' && ++at == end) break;
        at++;
    }
    return give_up(matcher, "malformed pattern (missing ']')");
}

// Whether a byte is in the set between `pattern` ('[') and `end` (behind ']').
static bool in_set(nj_matcher *matcher, int byte, const char *pattern, const char *end) {
    const unsigned char *at = (const unsigned char *)pattern + 1, *last = (const unsigned char *)end - 1;
    bool wanted = true;
    if (*at == '^') {
        wanted = false;
        at++;
    }
    const unsigned char *start = at;
    bool found = false;
    while (at < last && !found) {
        if (*at == '%') {
            found = in_class(byte, at[1]);
            at += 2;
        } else if (at + 2 < last && at[1] == '-') {
            found = at[0] <= byte && byte <= at[2];
            at += 3;
        } else {
            found = *at++ == byte;
        }
    }
    step(matcher, (at - start) / 4);
    return found ? wanted : !wanted;
}

static bool matches_one(nj_matcher *matcher, const char *at, const char *pattern, const char *end) {
    if (at >= matcher->text_end || !step(matcher, 1)) return false;
    int byte = (unsigned char)*at;
    switch (*pattern) {
    case '.': return true;
    case '%': return in_class(byte, (unsigned char)pattern[1]);
    case '[': return in_set(matcher, byte, pattern, end);
    default: return (unsigned char)*pattern == byte;
    }
}

static const char *match_balance(nj_matcher *matcher, const char *at, const char *pattern) {
    if (pattern + 1 >= matcher->pattern_end) return give_up(matcher, "malformed pattern (missing arguments to '%b')");
    if (at >= matcher->text_end || *at != pattern[0]) return NULL;
    int open = 1;
    for (const char *next = at + 1; next < matcher->text_end; next++) {
        if (!step(matcher, 1)) return NULL;
        if (*next == pattern[1]) {
            if (--open == 0) return next + 1;
        } else if (*next == pattern[0]) {
            open++;
        }
    }
    return NULL;
}

static const char *match_greedy(nj_matcher *matcher, const char *at, const char *pattern, const char *end) {
    ptrdiff_t count = 0;
    while (matches_one(matcher, at + count, pattern, end)) count++;
    for (; count >= 0; count--) {
        const char *result = nj_matcher_run(matcher, at + count, end + 1);
        if (result != NULL) return result;
        if (matcher->fault != NULL) return NULL;
    }
    return NULL;
}

static const char *match_lazy(nj_matcher *matcher, const char *at, const char *pattern, const char *end) {
    for (;; at++) {
        const char *result = nj_matcher_run(matcher, at, end + 1);
        if (result != NULL) return result;
        if (matcher->fault != NULL || !matches_one(matcher, at, pattern, end)) return NULL;
    }
}

static const char *open_capture(nj_matcher *matcher, const char *at, const char *pattern, ptrdiff_t kind) {
    if (matcher->captures >= NJ_CAPTURES) return give_up(matcher, "too many captures");
    matcher->capture[matcher->captures++] = (nj_capture_range){at, kind};
    const char *result = nj_matcher_run(matcher, at, pattern);
    if (result == NULL) matcher->captures--;
    return result;
}

static const char *close_capture(nj_matcher *matcher, const char *at, const char *pattern) {
    int place = matcher->captures - 1;
    while (place >= 0 && matcher->capture[place].length != NJ_CAPTURE_OPEN) place--;
    if (place < 0) return give_up(matcher, "invalid pattern capture");
    matcher->capture[place].length = at - matcher->capture[place].start;
    const char *result = nj_matcher_run(matcher, at, pattern);
    if (result == NULL) matcher->capture[place].length = NJ_CAPTURE_OPEN;
    return result;
}

static const char *match_again(nj_matcher *matcher, const char *at, int digit) {
    int place = digit - '1';
    if (place < 0 || place >= matcher->captures || matcher->capture[place].length == NJ_CAPTURE_OPEN) {
        if (matcher->L != NULL) luaL_error(matcher->L, "invalid capture index %%%d", place + 1);
        return give_up(matcher, "invalid capture index in pattern");
    }
    ptrdiff_t length = matcher->capture[place].length;
    if (length == NJ_CAPTURE_POSITION) return NULL;  // a place is no text that could come again
    if (!step(matcher, length) || matcher->text_end - at < length) return NULL;
    return memcmp(matcher->capture[place].start, at, (size_t)length) == 0 ? at + length : NULL;
}

static bool at_frontier(nj_matcher *matcher, const char *at, const char *set, const char *end) {
    int before = at == matcher->text ? 0 : (unsigned char)at[-1];
    int here = at < matcher->text_end ? (unsigned char)*at : 0;
    return !in_set(matcher, before, set, end) && in_set(matcher, here, set, end);
}

// Matches what starts at `pattern`; where the match ends, or NULL. Loops where the rest needs no way back.
static const char *run(nj_matcher *matcher, const char *at, const char *pattern) {
    while (pattern < matcher->pattern_end) {
        if (!step(matcher, 1)) return NULL;
        if (*pattern == '(') {
            bool is_position = pattern + 1 < matcher->pattern_end && pattern[1] == ')';
            return open_capture(matcher, at, pattern + (is_position ? 2 : 1), is_position ? NJ_CAPTURE_POSITION : NJ_CAPTURE_OPEN);
        }
        if (*pattern == ')') return close_capture(matcher, at, pattern + 1);
        if (*pattern == '$' && pattern + 1 == matcher->pattern_end) return at == matcher->text_end ? at : NULL;
        if (*pattern == '%' && pattern + 1 < matcher->pattern_end) {
            char kind = pattern[1];
            if (kind == 'b') {
                if ((at = match_balance(matcher, at, pattern + 2)) == NULL) return NULL;
                pattern += 4;
                continue;
            }
            if (kind == 'f') {
                const char *set = pattern + 2;
                if (set >= matcher->pattern_end || *set != '[') return give_up(matcher, "missing '[' after '%f' in pattern");
                const char *end = class_end(matcher, set);
                if (end == NULL || !at_frontier(matcher, at, set, end)) return NULL;
                pattern = end;
                continue;
            }
            if (isdigit((unsigned char)kind)) {
                if ((at = match_again(matcher, at, kind)) == NULL) return NULL;
                pattern += 2;
                continue;
            }
        }
        const char *end = class_end(matcher, pattern);
        if (end == NULL) return NULL;
        char suffix = end < matcher->pattern_end ? *end : 0;
        if (suffix == '*') return match_greedy(matcher, at, pattern, end);
        if (suffix == '-') return match_lazy(matcher, at, pattern, end);
        bool one = matches_one(matcher, at, pattern, end);
        if (suffix == '+') return one ? match_greedy(matcher, at + 1, pattern, end) : NULL;
        if (suffix == '?') {
            if (one) {
                const char *result = nj_matcher_run(matcher, at + 1, end + 1);
                if (result != NULL) return result;
            }
            pattern = end + 1;
            continue;
        }
        if (!one) return NULL;
        at++;
        pattern = end;
    }
    return at;
}

const char *nj_matcher_run(nj_matcher *matcher, const char *at, const char *pattern) {
    if (matcher->fault != NULL) return NULL;
    if (matcher->depth == 0) return give_up(matcher, "pattern too complex");
    matcher->depth--;
    const char *result = run(matcher, at, pattern);
    matcher->depth++;
    return result;
}

void nj_matcher_start(nj_matcher *matcher, lua_State *L, const char *text, size_t length, const char *pattern, size_t size) {
    matcher->text = text;
    matcher->text_end = text + length;
    matcher->pattern_end = pattern + size;
    matcher->L = L;
    matcher->steps = FUEL_CHUNK;
    matcher->depth = DEPTH_LIMIT;
    matcher->fault = NULL;
    matcher->captures = 0;
}

__thread int64_t nj_search_steps __attribute__((tls_model("initial-exec"))) = -1;

bool nj_pattern_matches(nj_text text, nj_text pattern) {
    nj_matcher matcher;
    const char *start = pattern.bytes, *at = text.bytes;
    if (at == NULL || start == NULL) return false;
    nj_matcher_start(&matcher, NULL, text.bytes, text.length, pattern.bytes, pattern.length);
    // A text of some kilobytes against a sane pattern; a filter must not be slower than the rule.
    int64_t most = 200000;
    if (nj_search_steps >= 0 && nj_search_steps < most) most = nj_search_steps;
    matcher.steps = most;
    bool anchored = pattern.length > 0 && *start == '^', found = false;
    if (anchored) start++;
    do {
        matcher.captures = 0;
        found = nj_matcher_run(&matcher, at, start) != NULL;
    } while (!found && !anchored && matcher.fault == NULL && at++ < matcher.text_end);
    if (nj_search_steps >= 0) nj_search_steps -= most - (matcher.steps > 0 ? matcher.steps : 0);
    return found;
}

const char *nj_pattern_fault(nj_text pattern) {
    // Walks the items without a text: what `run` would only find where a match gets that far.
    nj_matcher matcher;
    nj_matcher_start(&matcher, NULL, "", 0, pattern.bytes, pattern.length);
    int open = 0, captures = 0;
    for (const char *at = pattern.bytes; at < matcher.pattern_end;) {
        if (*at == '(') {
            open++, captures++, at++;
        } else if (*at == ')') {
            if (open-- == 0) return "invalid pattern capture";
            at++;
        } else if (*at == '%' && at + 1 < matcher.pattern_end && at[1] == 'b') {
            if (at + 3 >= matcher.pattern_end) return "malformed pattern (missing arguments to '%b')";
            at += 4;
        } else if (*at == '%' && at + 1 < matcher.pattern_end && at[1] == 'f') {
            at += 2;
            if (at >= matcher.pattern_end || *at != '[') return "missing '[' after '%f' in pattern";
        } else if ((at = class_end(&matcher, at)) == NULL) {
            return matcher.fault;
        }
    }
    if (open != 0) return "unfinished capture";
    return captures > NJ_CAPTURES ? "too many captures" : NULL;
}
