// JSON to Lua values and back. Whole numbers of 64 bits stay exact; null is a value of its own.
#include "nj_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_LIMIT = 64 };

const char nj_null;

// ---- reading

typedef struct reader {
    lua_State *L;
    const char *start, *at, *end;
    int depth;
} reader;

static int malformed(reader *in, const char *what) {
    return luaL_error(in->L, "malformed JSON at byte %d: %s", (int)(in->at - in->start), what);
}

static void skip_space(reader *in) {
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\n' || *in->at == '\r' || *in->at == '\t')) in->at++;
}

static bool take(reader *in, char byte) {
    skip_space(in);
    if (in->at >= in->end || *in->at != byte) return false;
    in->at++;
    return true;
}

static bool take_word(reader *in, const char *word, size_t length) {
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0) return false;
    in->at += length;
    return true;
}

static int hex_quad(reader *in) {
    int value = 0;
    if (in->end - in->at < 4) return -1;
    for (int i = 0; i < 4; i++) {
        char digit = *in->at++;
        int nibble = digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
            : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
        if (nibble < 0) return -1;
        value = value << 4 | nibble;
    }
    return value;
}

static void add_scalar(nj_buffer *out, uint32_t scalar) {
    char bytes[4];
    size_t size;
    if (scalar < 0x80) {
        bytes[0] = (char)scalar;
        size = 1;
    } else if (scalar < 0x800) {
        bytes[0] = (char)(0xC0 | scalar >> 6);
        size = 2;
    } else if (scalar < 0x10000) {
        bytes[0] = (char)(0xE0 | scalar >> 12);
        size = 3;
    } else {
        bytes[0] = (char)(0xF0 | scalar >> 18);
        size = 4;
    }
    for (size_t i = 1; i < size; i++) bytes[i] = (char)(0x80 | (scalar >> 6 * (size - 1 - i) & 0x3F));
    nj_buffer_add(out, bytes, size);
}

static void read_escape(reader *in, nj_buffer *out) {
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (in->at >= in->end) malformed(in, "unfinished escape");
    char letter = *in->at++;
    if (letter == 'u') {
        int first = hex_quad(in);
        if (first < 0) malformed(in, "malformed escape");
        uint32_t scalar = (uint32_t)first;
        if (first >= 0xD800 && first < 0xDC00 && in->end - in->at >= 6 && in->at[0] == '\\' && in->at[1] == 'u') {
            const char *back = in->at;
            in->at += 2;
            int second = hex_quad(in);
            if (second >= 0xDC00 && second < 0xE000) scalar = 0x10000 + ((uint32_t)(first - 0xD800) << 10) + (uint32_t)(second - 0xDC00);
            else in->at = back;
        }
        if (scalar >= 0xD800 && scalar < 0xE000) scalar = 0xFFFD;
        add_scalar(out, scalar);
        return;
    }
    const char *place = letter != 0 ? strchr(letters, letter) : NULL;
    if (place == NULL) malformed(in, "malformed escape");
    nj_buffer_add(out, &meant[place - letters], 1);
}

static void read_string(reader *in) {
    const char *start = in->at;
    while (in->at < in->end && *in->at != '"' && *in->at != '\\') in->at++;
    if (in->at < in->end && *in->at == '"') {
        nj_text text = {start, (uint32_t)(in->at - start)};
        nj_push_bytes(in->L, text);
        in->at++;
        return;
    }
    nj_buffer out;
    nj_buffer_start(&out, in->L, (size_t)(in->at - start));
    nj_buffer_add(&out, start, (size_t)(in->at - start));
    for (;;) {
        if (in->at >= in->end) malformed(in, "string without an end");
        char byte = *in->at++;
        if (byte == '"') break;
        if (byte == '\\') read_escape(in, &out);
        else nj_buffer_add(&out, &byte, 1);
    }
    lua_pushlstring(in->L, out.bytes, out.size);
    lua_replace(in->L, out.slot);
}

static void read_number(reader *in) {
    char text[64];
    size_t size = 0;
    bool whole = true;
    while (in->at < in->end && size < sizeof text - 1 && strchr("0123456789+-.eE", *in->at) != NULL && *in->at != 0) {
        if (strchr(".eE", *in->at) != NULL) whole = false;
        text[size++] = *in->at++;
    }
    text[size] = 0;
    char *end;
    errno = 0;
    long long integer = whole ? strtoll(text, &end, 10) : 0;
    if (whole && errno == 0 && end == text + size && size > 0) {
        lua_pushinteger(in->L, integer);
        return;
    }
    double number = strtod(text, &end);
    if (size == 0 || end != text + size) malformed(in, "expected a value");
    lua_pushnumber(in->L, number);
}

static void read_value(reader *in);

static void read_array(reader *in) {
    lua_newtable(in->L);
    lua_Integer count = 0;
    if (take(in, ']')) return;
    do {
        read_value(in);
        lua_rawseti(in->L, -2, ++count);
    } while (take(in, ','));
    if (!take(in, ']')) malformed(in, "expected ',' or ']'");
}

static void read_object(reader *in) {
    lua_newtable(in->L);
    if (take(in, '}')) return;
    do {
        if (!take(in, '"')) malformed(in, "expected a key");
        read_string(in);
        if (!take(in, ':')) malformed(in, "expected ':'");
        read_value(in);
        lua_rawset(in->L, -3);
    } while (take(in, ','));
    if (!take(in, '}')) malformed(in, "expected ',' or '}'");
}

static void read_value(reader *in) {
    luaL_checkstack(in->L, 8, "JSON nested too deep");
    if (++in->depth > DEPTH_LIMIT) malformed(in, "nested too deep");
    skip_space(in);
    if (in->at >= in->end) malformed(in, "unexpected end");
    if (take(in, '"')) read_string(in);
    else if (take(in, '[')) read_array(in);
    else if (take(in, '{')) read_object(in);
    else if (take_word(in, "null", 4)) lua_pushlightuserdata(in->L, (void *)&nj_null);
    else if (take_word(in, "true", 4)) lua_pushboolean(in->L, 1);
    else if (take_word(in, "false", 5)) lua_pushboolean(in->L, 0);
    else read_number(in);
    in->depth--;
}

void nj_push_json(lua_State *L, const char *bytes, size_t length) {
    nj_spend(L, length + 1);
    reader in = {L, bytes, bytes, bytes + length, 0};
    read_value(&in);
    skip_space(&in);
    if (in.at != in.end) malformed(&in, "text after the value");
}

// ---- writing

static void write_value(nj_buffer *out, int index, int depth);

static void write_string(nj_buffer *out, const char *bytes, size_t length) {
    nj_spend(out->L, length + 1);
    nj_buffer_add(out, "\"", 1);
    size_t from = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
        char escaped[8];
        int size = byte == '"' || byte == '\\' ? snprintf(escaped, sizeof escaped, "\\%c", byte)
            : byte == '\n' ? snprintf(escaped, sizeof escaped, "\\n") : snprintf(escaped, sizeof escaped, "\\u%04x", byte);
        nj_buffer_add(out, bytes + from, i - from);
        nj_buffer_add(out, escaped, (size_t)size);
        from = i + 1;
    }
    nj_buffer_add(out, bytes + from, length - from);
    nj_buffer_add(out, "\"", 1);
}

static void write_number(nj_buffer *out, int index) {
    char text[64];
    int size;
    if (lua_isinteger(out->L, index)) {
        size = snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(out->L, index));
    } else {
        double number = lua_tonumber(out->L, index);
        if (!isfinite(number)) {
            nj_buffer_add(out, "null", 4);
            return;
        }
        size = snprintf(text, sizeof text, "%.15g", number);
        if (strtod(text, NULL) != number) size = snprintf(text, sizeof text, "%.17g", number);
        if (strpbrk(text, ".e") == NULL) size = snprintf(text, sizeof text, "%.0f.0", number);
    }
    nj_buffer_add(out, text, (size_t)size);
}

// The number of items where the table is a list, -1 where it is not.
static lua_Integer list_size(lua_State *L, int index) {
    lua_Integer size = (lua_Integer)lua_rawlen(L, index), seen = 0;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        nj_spend(L, 1);
        lua_pop(L, 1);
        if (!lua_isinteger(L, -1) || ++seen > size) {
            lua_pop(L, 1);
            return -1;
        }
    }
    return seen > 0 && seen == size ? size : -1;
}

static void write_table(nj_buffer *out, int index, int depth) {
    lua_State *L = out->L;
    lua_Integer size = list_size(L, index);
    if (size >= 0) {
        nj_buffer_add(out, "[", 1);
        for (lua_Integer i = 1; i <= size; i++) {
            if (i > 1) nj_buffer_add(out, ",", 1);
            lua_rawgeti(L, index, i);
            write_value(out, lua_gettop(L), depth + 1);
            lua_pop(L, 1);
        }
        nj_buffer_add(out, "]", 1);
        return;
    }
    nj_buffer_add(out, "{", 1);
    bool first = true;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        if (!first) nj_buffer_add(out, ",", 1);
        first = false;
        char text[64];
        size_t length;
        if (lua_type(L, -2) == LUA_TSTRING) {
            const char *key = lua_tolstring(L, -2, &length);
            write_string(out, key, length);
        } else if (lua_type(L, -2) == LUA_TNUMBER) {
            write_string(out, text, (size_t)nj_number_text(L, -2, text, sizeof text));
        } else {
            luaL_error(L, "a %s cannot be a key in JSON", luaL_typename(L, -2));
        }
        nj_buffer_add(out, ":", 1);
        write_value(out, lua_gettop(L), depth + 1);
        lua_pop(L, 1);
    }
    nj_buffer_add(out, "}", 1);
}

static void write_value(nj_buffer *out, int index, int depth) {
    lua_State *L = out->L;
    if (depth > DEPTH_LIMIT) luaL_error(L, "table nested deeper than %d, or within itself", DEPTH_LIMIT);
    luaL_checkstack(L, 8, NULL);
    switch (lua_type(L, index)) {
    case LUA_TNIL: nj_buffer_add(out, "null", 4); return;
    case LUA_TBOOLEAN: nj_buffer_add(out, lua_toboolean(L, index) ? "true" : "false", lua_toboolean(L, index) ? 4 : 5); return;
    case LUA_TNUMBER: write_number(out, index); return;
    case LUA_TSTRING: {
        size_t length;
        const char *text = lua_tolstring(L, index, &length);
        write_string(out, text, length);
        return;
    }
    case LUA_TTABLE: write_table(out, index, depth); return;
    case LUA_TLIGHTUSERDATA: nj_buffer_add(out, "null", 4); return;
    default: luaL_error(L, "a %s has no JSON form", luaL_typename(L, index));
    }
}

nj_text nj_to_json(lua_State *L, int index) {
    index = lua_absindex(L, index);
    int top = lua_gettop(L);
    nj_buffer out;
    nj_buffer_start(&out, L, 256);
    write_value(&out, index, 1);
    nj_text text = nj_keep(L, out.bytes, out.size);
    lua_settop(L, top);
    return text;
}

static int encode(lua_State *L) {
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    nj_buffer out;
    nj_buffer_start(&out, L, 256);
    write_value(&out, 1, 1);
    lua_pushlstring(L, out.bytes, out.size);
    return 1;
}

static int decode(lua_State *L) {
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    nj_push_json(L, text, length);
    return 1;
}

void nj_open_json(lua_State *L) {
    static const luaL_Reg library[] = {{"encode", encode}, {"decode", decode}, {NULL, NULL}};
    luaL_newlib(L, library);
    lua_setfield(L, -2, "json");
}
