// The string library with bounded work and without addresses.
#include "nj_internal.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void too_long(lua_State *L) {
    luaL_error(L, "resulting string longer than %d KiB", (int)(nj_host(L)->limits.string >> 10));
}

void nj_buffer_start(nj_buffer *out, lua_State *L, size_t room) {
    out->L = L;
    out->size = 0;
    out->room = room < 256 ? 256 : room;
    if (out->room > nj_host(L)->limits.string) too_long(L);
    out->bytes = lua_newuserdatauv(L, out->room, 0);
    out->slot = lua_gettop(L);
}

void nj_buffer_reserve(nj_buffer *out, size_t more) {
    if (out->room - out->size >= more) return;
    uint64_t limit = nj_host(out->L)->limits.string;
    size_t need = out->size + more;
    if (need > limit || need < more) too_long(out->L);
    size_t room = out->room * 2 > need ? out->room * 2 : need;
    if (room > limit) room = limit;
    char *bytes = lua_newuserdatauv(out->L, room, 0);
    memcpy(bytes, out->bytes, out->size);
    lua_replace(out->L, out->slot);
    out->bytes = bytes;
    out->room = room;
}

void nj_buffer_add(nj_buffer *out, const char *bytes, size_t length) {
    nj_buffer_reserve(out, length);
    memcpy(out->bytes + out->size, bytes, length);
    out->size += length;
}

static int buffer_return(nj_buffer *out) {
    lua_pushlstring(out->L, out->bytes, out->size);
    return 1;
}

static const char *check_text(lua_State *L, int index, size_t *length) {
    const char *text = luaL_checklstring(L, index, length);
    nj_spend(L, 1 + *length);
    return text;
}

// ---- plain functions

static int convert(lua_State *L, int (*byte)(int)) {
    size_t length;
    const char *text = check_text(L, 1, &length);
    nj_buffer out;
    nj_buffer_start(&out, L, length);
    for (size_t i = 0; i < length; i++) out.bytes[i] = (char)byte((unsigned char)text[i]);
    out.size = length;
    return buffer_return(&out);
}

static int upper(lua_State *L) { return convert(L, toupper); }
static int lower(lua_State *L) { return convert(L, tolower); }

static int reverse(lua_State *L) {
    size_t length;
    const char *text = check_text(L, 1, &length);
    nj_buffer out;
    nj_buffer_start(&out, L, length);
    for (size_t i = 0; i < length; i++) out.bytes[i] = text[length - 1 - i];
    out.size = length;
    return buffer_return(&out);
}

static int repeat(lua_State *L) {
    size_t length, gap;
    const char *text = luaL_checklstring(L, 1, &length);
    lua_Integer count = luaL_checkinteger(L, 2);
    const char *between = luaL_optlstring(L, 3, "", &gap);
    if (count <= 0 || length + gap == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    uint64_t limit = nj_host(L)->limits.string;
    if (length + gap > limit || (uint64_t)count > limit / (length + gap) + 1) too_long(L);
    size_t total = (size_t)count * (length + gap) - gap;
    if (total > limit) too_long(L);
    nj_spend(L, 1 + total);
    nj_buffer out;
    nj_buffer_start(&out, L, total);
    nj_buffer_add(&out, text, length);
    if (count > 1) nj_buffer_add(&out, between, gap);
    // What is there is doubled until it is enough; the last separator falls off the end.
    while (out.size < total) nj_buffer_add(&out, out.bytes, out.size < total - out.size ? out.size : total - out.size);
    return buffer_return(&out);
}

static int from_bytes(lua_State *L) {
    int count = lua_gettop(L);
    nj_spend(L, (uint64_t)count + 1);
    nj_buffer out;
    luaL_checkstack(L, 8, NULL);
    nj_buffer_start(&out, L, (size_t)count);
    for (int i = 1; i <= count; i++) {
        lua_Integer byte = luaL_checkinteger(L, i);
        luaL_argcheck(L, byte >= 0 && byte <= 255, i, "value out of range");
        out.bytes[out.size++] = (char)byte;
    }
    return buffer_return(&out);
}

// ---- patterns

static size_t start_position(lua_State *L, int index, size_t length) {
    lua_Integer at = luaL_optinteger(L, index, 1);
    if (at > 0) return (size_t)at - 1;
    lua_Unsigned back = 0 - (lua_Unsigned)at;
    return at == 0 || back > length ? 0 : length - (size_t)back;
}

static void push_capture(nj_matcher *matcher, int place, const char *start, const char *end) {
    lua_State *L = matcher->L;
    if (place >= matcher->captures) {
        if (place != 0) luaL_error(L, "invalid capture index %%%d", place + 1);
        lua_pushlstring(L, start, (size_t)(end - start));
        return;
    }
    nj_capture_range range = matcher->capture[place];
    if (range.length == NJ_CAPTURE_OPEN) luaL_error(L, "unfinished capture");
    if (range.length == NJ_CAPTURE_POSITION) lua_pushinteger(L, range.start - matcher->text + 1);
    else lua_pushlstring(L, range.start, (size_t)range.length);
}

// Pushes every capture, or the whole match where there are none and `whole`.
static int push_captures(nj_matcher *matcher, const char *start, const char *end, bool whole) {
    int count = matcher->captures == 0 && whole ? 1 : matcher->captures;
    luaL_checkstack(matcher->L, count + 4, "too many captures");
    for (int i = 0; i < count; i++) push_capture(matcher, i, start, end);
    return count;
}

// Finds bytes in bytes; the steps it takes are paid for beforehand, a run at a time.
static const char *find_plain(lua_State *L, const char *text, size_t length, const char *wanted, size_t size) {
    if (size == 0) return text;
    if (size > length) return NULL;
    const char *at = text, *last = text + (length - size);
    while (at <= last) {
        const char *hit = memchr(at, wanted[0], (size_t)(last - at) + 1);
        nj_spend(L, (uint64_t)((hit ? hit : last) - at) / 8 + 1);
        if (hit == NULL) return NULL;
        size_t same = 1;
        while (same < size && hit[same] == wanted[same]) same++;
        nj_spend(L, same);
        if (same == size) return hit;
        at = hit + 1;
    }
    return NULL;
}

static bool is_plain(const char *pattern, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (pattern[i] != 0 && strchr("^$*+?.([%-", pattern[i]) != NULL) return false;
    return true;
}

static int search(lua_State *L, bool find) {
    size_t length, size;
    const char *text = luaL_checklstring(L, 1, &length), *pattern = luaL_checklstring(L, 2, &size);
    size_t start = start_position(L, 3, length);
    nj_spend(L, 8);
    if (start > length) {
        lua_pushnil(L);
        return 1;
    }
    if (find && (lua_toboolean(L, 4) || is_plain(pattern, size))) {
        const char *hit = find_plain(L, text + start, length - start, pattern, size);
        if (hit == NULL) {
            lua_pushnil(L);
            return 1;
        }
        lua_pushinteger(L, hit - text + 1);
        lua_pushinteger(L, hit - text + (lua_Integer)size);
        return 2;
    }
    nj_matcher matcher;
    nj_matcher_start(&matcher, L, text, length, pattern, size);
    bool anchored = size > 0 && *pattern == '^';
    if (anchored) pattern++;
    const char *at = text + start;
    do {
        matcher.captures = 0;
        const char *end = nj_matcher_run(&matcher, at, pattern);
        if (end == NULL) continue;
        if (!find) return push_captures(&matcher, at, end, true);
        lua_pushinteger(L, at - text + 1);
        lua_pushinteger(L, end - text);
        return push_captures(&matcher, at, end, false) + 2;
    } while (at++ < matcher.text_end && !anchored);
    lua_pushnil(L);
    return 1;
}

static int find(lua_State *L) { return search(L, true); }
static int match(lua_State *L) { return search(L, false); }

// Upvalues: text, pattern, where to go on, where the last match ended.
static int next_match(lua_State *L) {
    size_t length, size;
    const char *text = lua_tolstring(L, lua_upvalueindex(1), &length);
    const char *pattern = lua_tolstring(L, lua_upvalueindex(2), &size);
    lua_Integer from = lua_tointeger(L, lua_upvalueindex(3)), last = lua_tointeger(L, lua_upvalueindex(4));
    nj_spend(L, 8);
    nj_matcher matcher;
    nj_matcher_start(&matcher, L, text, length, pattern, size);
    for (const char *at = text + from; at <= matcher.text_end; at++) {
        matcher.captures = 0;
        const char *end = nj_matcher_run(&matcher, at, pattern);
        if (end == NULL || end - text == last) continue;
        lua_pushinteger(L, end - text);
        lua_pushvalue(L, -1);
        lua_replace(L, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return push_captures(&matcher, at, end, true);
    }
    return 0;
}

static int all_matches(lua_State *L) {
    size_t length, size;
    luaL_checklstring(L, 1, &length);
    luaL_checklstring(L, 2, &size);
    size_t start = start_position(L, 3, length);
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)(start > length ? length + 1 : start));
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, next_match, 4);
    return 1;
}

static void add_template(nj_buffer *out, nj_matcher *matcher, const char *start, const char *end) {
    lua_State *L = matcher->L;
    size_t size;
    const char *template = lua_tolstring(L, 3, &size);
    nj_spend(L, size + 1);
    for (size_t i = 0; i < size; i++) {
        if (template[i] != '%') {
            nj_buffer_add(out, template + i, 1);
            continue;
        }
        i++;
        if (i < size && template[i] == '%') {
            nj_buffer_add(out, "%", 1);
        } else if (i < size && template[i] == '0') {
            nj_buffer_add(out, start, (size_t)(end - start));
        } else if (i < size && isdigit((unsigned char)template[i])) {
            size_t length;
            push_capture(matcher, template[i] - '1', start, end);
            const char *text = lua_tolstring(L, -1, &length);
            nj_spend(L, length);
            // The buffer may be replaced in its slot, below what was pushed.
            nj_buffer_add(out, text, length);
            lua_pop(L, 1);
        } else {
            luaL_error(L, "invalid use of '%%' in replacement string");
        }
    }
}

static bool add_replacement(nj_buffer *out, nj_matcher *matcher, const char *start, const char *end, int kind) {
    lua_State *L = matcher->L;
    if (kind == LUA_TFUNCTION) {
        nj_spend(L, 20);
        lua_pushvalue(L, 3);
        int count = push_captures(matcher, start, end, true);
        lua_call(L, count, 1);
    } else if (kind == LUA_TTABLE) {
        push_capture(matcher, 0, start, end);
        lua_gettable(L, 3);
    } else {
        add_template(out, matcher, start, end);
        return true;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        nj_buffer_add(out, start, (size_t)(end - start));
        return false;
    }
    if (!lua_isstring(L, -1)) luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    nj_spend(L, length);
    nj_buffer_add(out, text, length);
    lua_pop(L, 1);
    return true;
}

static int replace_all(lua_State *L) {
    size_t length, size;
    const char *text = luaL_checklstring(L, 1, &length), *pattern = luaL_checklstring(L, 2, &size);
    int kind = lua_type(L, 3);
    lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)length + 1), count = 0;
    luaL_argexpected(L, kind == LUA_TNUMBER || kind == LUA_TSTRING || kind == LUA_TFUNCTION || kind == LUA_TTABLE, 3,
                     "string/function/table");
    bool anchored = size > 0 && *pattern == '^', changed = false;
    if (kind == LUA_TNUMBER) lua_tolstring(L, 3, NULL);
    lua_settop(L, 3);
    nj_buffer out;
    nj_buffer_start(&out, L, length);
    nj_matcher matcher;
    nj_matcher_start(&matcher, L, text, length, pattern, size);
    if (anchored) pattern++;
    const char *at = text, *last = NULL;
    while (count < most) {
        matcher.captures = 0;
        nj_spend(L, 1);
        const char *end = nj_matcher_run(&matcher, at, pattern);
        if (end != NULL && end != last) {
            count++;
            changed |= add_replacement(&out, &matcher, at, end, kind);
            at = last = end;
        } else if (at < matcher.text_end) {
            nj_buffer_add(&out, at++, 1);
        } else {
            break;
        }
        if (anchored) break;
    }
    if (!changed) {
        lua_pushvalue(L, 1);
    } else {
        nj_buffer_add(&out, at, (size_t)(matcher.text_end - at));
        buffer_return(&out);
    }
    lua_pushinteger(L, count);
    return 2;
}

// ---- format

static void add_quoted(nj_buffer *out, const char *text, size_t length) {
    nj_buffer_add(out, "\"", 1);
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == '"' || byte == '\\' || byte == '\n') {
            char escaped[2] = {'\\', text[i]};
            nj_buffer_add(out, escaped, 2);
        } else if (iscntrl(byte)) {
            char escaped[8];
            bool digit_follows = i + 1 < length && isdigit((unsigned char)text[i + 1]);
            int size = snprintf(escaped, sizeof escaped, digit_follows ? "\\%03d" : "\\%d", byte);
            nj_buffer_add(out, escaped, (size_t)size);
        } else {
            nj_buffer_add(out, text + i, 1);
        }
    }
    nj_buffer_add(out, "\"", 1);
}

static void add_literal(nj_buffer *out, int argument) {
    lua_State *L = out->L;
    char text[64];
    int size = 0;
    switch (lua_type(L, argument)) {
    case LUA_TSTRING: {
        size_t length;
        const char *bytes = lua_tolstring(L, argument, &length);
        nj_spend(L, length * 2);
        add_quoted(out, bytes, length);
        return;
    }
    case LUA_TNUMBER:
        if (lua_isinteger(L, argument)) {
            lua_Integer value = lua_tointeger(L, argument);
            size = snprintf(text, sizeof text, value == LUA_MININTEGER ? "0x%llx" : "%lld", (long long)value);
        } else {
            double value = lua_tonumber(L, argument);
            if (isinf(value)) size = snprintf(text, sizeof text, value > 0 ? "1e9999" : "-1e9999");
            else if (isnan(value)) size = snprintf(text, sizeof text, "(0/0)");
            else size = snprintf(text, sizeof text, "%a", value);
        }
        break;
    case LUA_TNIL: size = snprintf(text, sizeof text, "nil"); break;
    case LUA_TBOOLEAN: size = snprintf(text, sizeof text, lua_toboolean(L, argument) ? "true" : "false"); break;
    default: luaL_argerror(L, argument, "value has no literal form");
    }
    nj_buffer_add(out, text, (size_t)size);
}

enum { SPEC_ROOM = 32, SPEC_LIMIT = 21 };

// Copies a conversion whole, from its '%' to its letter; `at` is behind the '%'. The end of it, where its letter is.
static const char *read_spec(lua_State *L, const char *at, char spec[SPEC_ROOM]) {
    // A text of Lua ends with a NUL, which is no letter.
    size_t span = strspn(at, "-+ #0123456789.");
    if (span >= SPEC_LIMIT) luaL_error(L, "invalid format (too long)");
    spec[0] = '%';
    memcpy(spec + 1, at, span + 1);
    spec[span + 2] = 0;
    return at + span;
}

// Raises where a conversion has flags that its letter does not take, or a width or precision of more than two digits.
static void check_spec(lua_State *L, const char *spec, const char *flags, bool takes_precision) {
    const char *at = spec + 1 + strspn(spec + 1, flags);
    if (*at != '0') {
        for (int digits = 0; digits < 2 && isdigit((unsigned char)*at); digits++) at++;
        if (*at == '.' && takes_precision) {
            at++;
            for (int digits = 0; digits < 2 && isdigit((unsigned char)*at); digits++) at++;
        }
    }
    if (!isalpha((unsigned char)*at)) luaL_error(L, "invalid conversion specification: '%s'", spec);
}

static void add_text(nj_buffer *out, int argument, const char *spec) {
    lua_State *L = out->L;
    size_t length;
    nj_push_text(L, argument);
    const char *text = lua_tolstring(L, -1, &length);
    nj_spend(L, length + 1);
    if (spec[2] == 0) {
        nj_buffer_add(out, text, length);
    } else {
        luaL_argcheck(L, strlen(text) == length, argument, "string contains zeros");
        check_spec(L, spec, "-", true);
        if (length >= 100 && strchr(spec, '.') == NULL) {
            nj_buffer_add(out, text, length);
        } else {
            char shown[256];
            int size = snprintf(shown, sizeof shown, spec, text);
            nj_buffer_add(out, shown, (size_t)size);
        }
    }
    lua_pop(L, 1);
}

static void add_number(nj_buffer *out, int argument, const char *spec, char letter) {
    lua_State *L = out->L;
    // The widest is %99.99f of 1e308: 309 digits, the point and 99 more.
    char with[SPEC_ROOM + 4], shown[512];
    int size;
    if (strchr("diuoxX", letter) != NULL) {
        long long value = luaL_checkinteger(L, argument);
        check_spec(L, spec, letter == 'u' ? "-0" : strchr("di", letter) != NULL ? "-+0 " : "-#0", true);
        snprintf(with, sizeof with, "%.*sll%c", (int)strlen(spec) - 1, spec, letter);
        size = snprintf(shown, sizeof shown, with, value);
    } else if (letter == 'c') {
        check_spec(L, spec, "-", false);
        size = snprintf(shown, sizeof shown, spec, (int)luaL_checkinteger(L, argument));
    } else if (letter == 'a' || letter == 'A') {
        check_spec(L, spec, "-+ #0", true);
        size = snprintf(shown, sizeof shown, spec, luaL_checknumber(L, argument));
    } else {
        double value = luaL_checknumber(L, argument);
        check_spec(L, spec, "-+ #0", true);
        size = snprintf(shown, sizeof shown, spec, value);
    }
    if (size > 0) nj_buffer_add(out, shown, (size_t)size < sizeof shown ? (size_t)size : sizeof shown - 1);
}

static int format(lua_State *L) {
    size_t length;
    const char *at = check_text(L, 1, &length), *end = at + length;
    int count = lua_gettop(L), argument = 1;
    luaL_checkstack(L, 8, NULL);
    nj_buffer out;
    nj_buffer_start(&out, L, length);
    while (at < end) {
        const char *stop = memchr(at, '%', (size_t)(end - at));
        if (stop == NULL) stop = end;
        nj_buffer_add(&out, at, (size_t)(stop - at));
        if ((at = stop) == end) break;
        at++;
        if (at < end && *at == '%') {
            nj_buffer_add(&out, at++, 1);
            continue;
        }
        char spec[SPEC_ROOM];
        if (++argument > count) luaL_argerror(L, argument, "no value");
        at = read_spec(L, at, spec);
        char letter = *at++;
        // %p is missing on purpose: it would write an address.
        if (letter == 0 || strchr("cdiuoxXaAeEfgGqs", letter) == NULL)
            luaL_error(L, "invalid conversion '%s' to 'format'", spec);
        nj_spend(L, 16);
        if (letter == 'q') {
            if (spec[2] != 0) luaL_error(L, "specifier '%%q' cannot have modifiers");
            add_literal(&out, argument);
        } else if (letter == 's') {
            add_text(&out, argument, spec);
        } else {
            add_number(&out, argument, spec, letter);
        }
    }
    return buffer_return(&out);
}

void nj_open_strings(lua_State *L) {
    static const char *const stock[] = {"byte", "len", "sub", "pack", "packsize", "unpack", NULL};
    static const luaL_Reg own[] = {
        {"upper", upper}, {"lower", lower}, {"reverse", reverse}, {"rep", repeat}, {"char", from_bytes}, {"find", find},
        {"match", match}, {"gmatch", all_matches}, {"gsub", replace_all}, {"format", format}, {NULL, NULL},
    };
    lua_newtable(L);
    lua_pushcfunction(L, luaopen_string);
    lua_call(L, 0, 1);
    for (const char *const *name = stock; *name != NULL; name++) {
        lua_getfield(L, -1, *name);
        lua_setfield(L, -3, *name);
    }
    // The metatable of strings is this state's; scripts cannot reach it. Arithmetic on text stays as it was.
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushvalue(L, -4);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 3);
    luaL_setfuncs(L, own, 0);
    lua_setfield(L, -2, "string");
}
