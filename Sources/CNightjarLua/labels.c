// The labels of metrics. Most have been given before: such a set is found by its bytes, needs no check and no copy, and has a
// number by which the host finds its series.
#include "nj_internal.h"

#include <stdlib.h>

// Sets of more or longer labels are not remembered. What is remembered counts towards the state's memory.
enum { LABEL_LIMIT = 64, VALUE_LIMIT = 4096, SET_BYTES = 1024, MEMORY_BYTES = 1 << 20, FIRST_ROOM = 32 };

struct nj_label_set {
    uint64_t hash;
    int32_t instrument;
    uint32_t count, size;
    nj_label labels[];  // their texts lie behind them
};

static bool is_label_name(const char *name, size_t length) {
    if (length == 0 || length > 128 || (name[0] >= '0' && name[0] <= '9')) return false;
    for (size_t i = 0; i < length; i++) {
        char byte = name[i];
        if (!((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '_'))
            return false;
    }
    return true;
}

// The value on top of the stack; text stays the script's.
static nj_text label_value(lua_State *L, const char *name) {
    size_t length;
    char text[64];
    switch (lua_type(L, -1)) {
    case LUA_TSTRING: {
        const char *bytes = lua_tolstring(L, -1, &length);
        // The policy cuts values to far less; what lies beyond is not worth a copy.
        return (nj_text){bytes, (uint32_t)(length < VALUE_LIMIT ? length : VALUE_LIMIT)};
    }
    case LUA_TNUMBER:
        if (lua_tonumber(L, -1) != lua_tonumber(L, -1)) luaL_error(L, "label '%s' is NaN", name);
        return nj_keep(L, text, (size_t)nj_number_text(L, -1, text, sizeof text));
    case LUA_TBOOLEAN: return lua_toboolean(L, -1) ? (nj_text){"true", 4} : (nj_text){"false", 5};
    case LUA_TLIGHTUSERDATA: return (nj_text){"", 0};
    default: luaL_error(L, "label '%s' is a %s; text, a number or a boolean is needed", name, luaL_typename(L, -1));
    }
    return (nj_text){NULL, 0};
}

static void check_name(lua_State *L, nj_text name) {
    if (is_label_name(name.bytes, name.length)) return;
    char shown[64];
    nj_printable(shown, sizeof shown, name.bytes, name.length, false);
    luaL_error(L, "invalid label name '%s'; use letters, digits and _, not starting with a digit", shown);
}

// ---- what is remembered

static bool same_text(nj_text one, nj_text other) {
    if (one.length != other.length) return false;
    uint64_t head, tail, other_head, other_tail;
    nj_ends(one.bytes, one.length, &head, &tail);
    nj_ends(other.bytes, other.length, &other_head, &other_tail);
    return head == other_head && tail == other_tail
        && (one.length <= 16 || memcmp(one.bytes + 8, other.bytes + 8, one.length - 16) == 0);
}

static bool same_set(const nj_label_set *set, uint64_t hash, int32_t instrument, const nj_label *labels, uint32_t count) {
    if (set->hash != hash || set->instrument != instrument || set->count != count) return false;
    for (uint32_t i = 0; i < count; i++)
        if (!same_text(set->labels[i].name, labels[i].name) || !same_text(set->labels[i].value, labels[i].value)) return false;
    return true;
}

// The place in the index that a set has or would have.
static uint16_t *find(
    const nj_label_memory *memory, uint64_t hash, int32_t instrument, const nj_label *labels, uint32_t count) {
    uint64_t mask = (uint64_t)memory->room * 2 - 1;
    for (uint64_t at = hash & mask;; at = (at + 1) & mask) {
        uint16_t *place = &memory->index[at];
        if (*place == 0 || same_set(memory->sets[*place - 1], hash, instrument, labels, count)) return place;
    }
}

// Makes room for one more set; false where there is none.
static bool grow(nj_lua *host) {
    nj_label_memory *memory = &host->labels;
    if (memory->count < memory->room) return true;
    uint32_t room = memory->room == 0 ? FIRST_ROOM : memory->room * 2;
    if (room > NJ_LABEL_SETS) return false;
    nj_label_set **sets = realloc(memory->sets, room * sizeof *sets);
    if (sets == NULL) return false;
    memory->sets = sets;
    uint16_t *index = calloc((size_t)room * 2, sizeof *index);
    if (index == NULL) return false;
    free(memory->index);
    memory->index = index;
    memory->room = room;
    for (uint32_t i = 0; i < memory->count; i++) {
        uint64_t at = sets[i]->hash & (room * 2 - 1);
        while (index[at] != 0) at = (at + 1) & (room * 2 - 1);
        index[at] = (uint16_t)(i + 1);
    }
    return true;
}

static char *copy_text(char *out, nj_text *text) {
    memcpy(out, text->bytes, text->length);
    text->bytes = out;
    return out + text->length;
}

// Copies labels to a place with room for them and their texts.
static void copy_labels(nj_label *out, char *texts, const nj_label *labels, uint32_t count) {
    memcpy(out, labels, count * sizeof *labels);
    for (uint32_t i = 0; i < count; i++) texts = copy_text(copy_text(texts, &out[i].name), &out[i].value);
}

// Remembers a set; NULL where that is not worth its memory.
static const nj_label_set *remember(
    nj_lua *host, uint64_t hash, int32_t instrument, const nj_label *labels, uint32_t count, size_t bytes) {
    nj_label_memory *memory = &host->labels;
    size_t size = sizeof(nj_label_set) + count * sizeof *labels + bytes;
    if (bytes > SET_BYTES) return NULL;
    if (memory->bytes + size > MEMORY_BYTES || !grow(host)) {
        memory->is_full = true;
        return NULL;
    }
    if (host->used + size > host->limits.memory) return NULL;
    nj_label_set *set = malloc(size);
    if (set == NULL) return NULL;
    *set = (nj_label_set){.hash = hash, .instrument = instrument, .count = count, .size = (uint32_t)size};
    copy_labels(set->labels, (char *)&set->labels[count], labels, count);
    *find(memory, hash, instrument, labels, count) = (uint16_t)(memory->count + 1);
    memory->sets[memory->count++] = set;
    memory->bytes += size;
    host->used += size;
    return set;
}

void nj_forget_labels(nj_lua *host) {
    nj_label_memory *memory = &host->labels;
    for (uint32_t i = 0; i < memory->count; i++) free(memory->sets[i]);
    free(memory->sets);
    free(memory->index);
    host->used -= memory->bytes;
    *memory = (nj_label_memory){.epoch = memory->epoch + 1};
}

// ---- reading

static uint64_t mix(uint64_t hash, nj_text text) {
    uint64_t head, tail;
    nj_ends(text.bytes, text.length, &head, &tail);
    return (hash ^ nj_digest(head, tail, text.length)) * 0xD6E8FEB86659FD93;
}

void nj_read_labels(lua_State *L, int index, nj_emission *emission) {
    nj_lua *host = nj_host(L);
    nj_label found[LABEL_LIMIT];  // filled as far as `count`; texts are the script's, held by the table
    uint32_t count = 0;
    size_t bytes = 0;
    uint64_t hash = (uint64_t)(uint32_t)emission->instrument * 0x9E3779B97F4A7C15;
    if (index > 0) {
        lua_pushnil(L);
        while (lua_next(L, index)) {
            if (lua_type(L, -2) != LUA_TSTRING)
                luaL_error(L, "the name of a label is a %s; text is needed", luaL_typename(L, -2));
            if (count == LABEL_LIMIT) luaL_error(L, "more than %d labels", LABEL_LIMIT);
            size_t length;
            const char *name = lua_tolstring(L, -2, &length);
            nj_label *label = &found[count++];
            label->name = (nj_text){name, (uint32_t)length};
            label->value = label_value(L, name);
            lua_pop(L, 1);
            bytes += length + label->value.length;
            hash = mix(mix(hash, label->name), label->value);
        }
    }
    hash ^= hash >> 32;
    const nj_label_memory *memory = &host->labels;
    if (memory->room > 0) {
        uint16_t place = *find(memory, hash, emission->instrument, found, count);
        if (place != 0) {
            emission->labels = memory->sets[place - 1]->labels;
            emission->label_count = count;
            emission->label_set = place - 1;
            return;
        }
    }
    for (uint32_t i = 0; i < count; i++) check_name(L, found[i].name);
    emission->label_count = count;
    const nj_label_set *set = remember(host, hash, emission->instrument, found, count, bytes);
    if (set != NULL) {
        emission->labels = set->labels;
        emission->label_set = (int32_t)(memory->count - 1);
    } else if (count > 0) {
        nj_label *labels = nj_arena(L, count * sizeof *labels + bytes);
        copy_labels(labels, (char *)&labels[count], found, count);
        emission->labels = labels;
    }
}
