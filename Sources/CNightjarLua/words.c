// Texts of which there are few, such as names of models and agents: kept as Lua strings, because making a string anew hashes
// every byte of it.
#include "nj_internal.h"

// Keeps the string on top of the stack in a slot.
static void keep(lua_State *L, nj_word_slot *slot, uint64_t head, uint64_t tail, uint32_t length) {
    slot->bytes = NULL;  // until it is done: keeping may run out of memory
    lua_pushvalue(L, -1);
    if (slot->reference == 0) slot->reference = luaL_ref(L, LUA_REGISTRYINDEX);
    else lua_rawseti(L, LUA_REGISTRYINDEX, slot->reference);
    slot->head = head;
    slot->tail = tail;
    slot->length = length;
    slot->bytes = lua_tostring(L, -1);
}

void nj_push_word(lua_State *L, nj_text text) {
    nj_lua *host = nj_host(L);
    if (text.length > NJ_WORD_LENGTH || text.length == 0 || text.bytes == NULL || text.length > host->limits.string) {
        nj_push_bytes(L, text);
        return;
    }
    uint64_t head, tail;
    nj_ends(text.bytes, text.length, &head, &tail);
    uint64_t digest = nj_digest(head, tail, text.length);
    nj_word_slot *slot = &host->words[digest % NJ_WORD_SLOTS];
    if (slot->head == head && slot->tail == tail && slot->length == text.length && slot->bytes != NULL
        && (text.length <= 16 || memcmp(slot->bytes + 8, text.bytes + 8, text.length - 16) == 0)) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, slot->reference);
        return;
    }
    lua_pushlstring(L, text.bytes, text.length);
    // One that comes once, like an id, is not worth a place.
    if (slot->seen == digest) keep(L, slot, head, tail, text.length);
    slot->seen = digest;
}
