// What is kept of an error: text that can be shown and logged, never the script's objects.
#include "nj_internal.h"

#include <stdio.h>

// The length of the UTF-8 sequence at `at`, 0 where it is malformed; its value in `*scalar`.
static size_t sequence(const unsigned char *at, size_t left, uint32_t *scalar) {
    unsigned char lead = at[0];
    size_t length = lead < 0x80 ? 1 : lead >= 0xC2 && lead < 0xE0 ? 2 : (lead & 0xF0) == 0xE0 ? 3 : lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
    if (length == 0 || length > left) return 0;
    uint32_t value = length == 1 ? lead : lead & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) return 0;
        value = value << 6 | (at[i] & 0x3F);
    }
    if (length == 3 && (value < 0x800 || (value >= 0xD800 && value < 0xE000))) return 0;
    if (length == 4 && (value < 0x10000 || value > 0x10FFFF)) return 0;
    *scalar = value;
    return length;
}

// Control characters move cursors and forge lines; the bidirectional ones turn text round.
static bool is_control(uint32_t scalar, bool lines) {
    if (scalar == '\n') return !lines;
    return scalar < 0x20 || (scalar >= 0x7F && scalar < 0xA0) || (scalar >= 0x200E && scalar <= 0x200F)
        || (scalar >= 0x2028 && scalar <= 0x202E) || (scalar >= 0x2066 && scalar <= 0x2069) || scalar == 0xFEFF;
}

void nj_printable(char *out, size_t room, const char *bytes, size_t length, bool lines) {
    size_t written = 0, at = 0;
    while (at < length) {
        uint32_t scalar = 0;
        size_t size = sequence((const unsigned char *)bytes + at, length - at, &scalar);
        bool shown = size > 0 && !is_control(scalar, lines);
        size_t need = shown ? size : 1;
        if (written + need >= room) break;
        if (shown) memcpy(out + written, bytes + at, size);
        else out[written] = size > 0 && scalar == '\t' ? ' ' : '?';
        written += need;
        at += size > 0 ? size : 1;
    }
    out[written] = 0;
}

void nj_note_place(lua_State *L) {
    nj_lua *host = nj_host(L);
    lua_Debug record;
    for (int level = 0; level < 8 && lua_getstack(L, level, &record); level++) {
        lua_getinfo(L, "Sl", &record);
        if (record.currentline < 0) continue;
        char raw[LUA_IDSIZE + 24];
        int size = snprintf(raw, sizeof raw, "%s:%d", record.short_src, record.currentline);
        nj_printable(host->place, sizeof host->place, raw, size > 0 ? (size_t)size : 0, false);
        return;
    }
}

void nj_write_traceback(lua_State *L, char *out, size_t room, int level) {
    enum { LEVELS = 12 };
    size_t used = 0;
    out[0] = 0;
    lua_Debug record;
    for (int shown = 0; shown < LEVELS && lua_getstack(L, level, &record); level++, shown++) {
        // Names of callers need stack of their own, and looking them up is slow in long functions: places suffice.
        lua_getinfo(L, "Slt", &record);
        char raw[LUA_IDSIZE * 2 + 64], line[LUA_IDSIZE * 2 + 64];
        int size;
        if (*record.what == 'C') size = snprintf(raw, sizeof raw, "[C]");
        else if (*record.what == 'm') size = snprintf(raw, sizeof raw, "%s:%d: in main chunk", record.short_src, record.currentline);
        else
            size = snprintf(
                raw, sizeof raw, "%s:%d: in function of line %d", record.short_src, record.currentline, record.linedefined);
        nj_printable(line, sizeof line, raw, size > 0 ? (size_t)size : 0, false);
        int put = snprintf(out + used, room - used, "%s%s", used > 0 ? "\n" : "", line);
        if (put < 0 || (size_t)put >= room - used) break;
        used += (size_t)put;
    }
}

void nj_fail(nj_lua *host, int outcome, const char *message) {
    host->failure.outcome = outcome;
    nj_printable(host->failure.message, NJ_MESSAGE_LIMIT + 1, message, strlen(message), false);
}

// The text of a limit that was hit, with the place where the script was.
static void describe_limit(nj_lua *host, int outcome) {
    char text[NJ_MESSAGE_LIMIT];
    const char *place = host->place[0] ? host->place : host->name;
    switch (outcome) {
    case NJ_OUTCOME_TIME:
        snprintf(text, sizeof text, "%s: ran longer than %u ms of CPU time", place,
                 host->loading ? host->limits.load_ms : host->limits.call_ms);
        break;
    case NJ_OUTCOME_FUEL:
        snprintf(text, sizeof text, "%s: more than %lld steps of work inside library functions", place,
                 (long long)host->limits.fuel);
        break;
    case NJ_OUTCOME_EMISSIONS:
        snprintf(text, sizeof text, "%s: more than %u emissions for one event", place, host->limits.emissions);
        break;
    default:
        snprintf(text, sizeof text,
                 "%s: out of memory (a state may use %llu MiB, a string %llu KiB, a table or stack %llu KiB in one piece)", place,
                 (unsigned long long)(host->limits.memory >> 20), (unsigned long long)(host->limits.string >> 10),
                 (unsigned long long)(host->limits.block >> 10));
    }
    nj_fail(host, outcome, text);
}

int nj_capture(lua_State *L) {
    nj_lua *host = nj_host(L);
    int killed = nj_killed(host);
    if (killed) {
        describe_limit(host, killed);
    } else if (lua_type(L, 1) == LUA_TSTRING) {
        size_t length;
        const char *text = lua_tolstring(L, 1, &length);
        if (length == 0) text = "(error without a message)", length = strlen(text);
        host->failure.outcome = NJ_OUTCOME_ERROR;
        nj_printable(host->failure.message, NJ_MESSAGE_LIMIT + 1, text, length, false);
    } else if (lua_type(L, 1) == LUA_TNUMBER) {
        char text[64];
        snprintf(text, sizeof text, LUA_NUMBER_FMT, lua_tonumber(L, 1));
        nj_fail(host, NJ_OUTCOME_ERROR, text);
    } else {
        // Asking the object for its text would run the script once more, without a budget.
        char text[64];
        snprintf(text, sizeof text, "(error object is a %s)", lua_typename(L, lua_type(L, 1)));
        nj_fail(host, NJ_OUTCOME_ERROR, text);
    }
    nj_write_traceback(L, host->failure.traceback, NJ_TRACEBACK_LIMIT, 1);
    return 1;
}

// The number of edits between two words, as far as it is at most `most`.
static int distance(const char *left, const char *right, int most) {
    enum { LONGEST = 48 };
    size_t rows = strlen(left), columns = strlen(right);
    if (rows > LONGEST || columns > LONGEST) return most + 1;
    int line[LONGEST + 1];
    for (size_t j = 0; j <= columns; j++) line[j] = (int)j;
    for (size_t i = 1; i <= rows; i++) {
        int diagonal = line[0];
        line[0] = (int)i;
        for (size_t j = 1; j <= columns; j++) {
            int above = line[j];
            int best = diagonal + (left[i - 1] != right[j - 1]);
            if (above + 1 < best) best = above + 1;
            if (line[j - 1] + 1 < best) best = line[j - 1] + 1;
            line[j] = best;
            diagonal = above;
        }
    }
    return line[columns];
}

const char *nj_nearest(const char *word, const char *const *names, int count) {
    const char *nearest = NULL;
    int best = (int)strlen(word) / 2 + 1;
    for (int i = 0; i < count; i++) {
        int edits = distance(word, names[i], best);
        if (edits < best) {
            best = edits;
            nearest = names[i];
        }
    }
    return nearest;
}
