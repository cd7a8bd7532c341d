// Which lines of a plugin ran: a line hook, for tests only, because it slows every instruction.
#include "nj_internal.h"

#include <stdlib.h>

enum { SOURCES = 32, WORDS = NJ_SOURCE_LIMIT / 64 + 1 };

typedef struct nj_cover {
    int count;
    struct { char name[96]; uint64_t bits[WORDS]; } sources[SOURCES];
} nj_cover;

void nj_cover_line(lua_State *L, lua_Debug *record) {
    nj_lua *host = nj_host(L);
    nj_check(L);
    nj_cover *cover = host->cover;
    if (cover == NULL || record->currentline < 1 || record->currentline >= WORDS * 64) return;
    int line = record->currentline;
    lua_getinfo(L, "S", record);
    int place = 0;
    while (place < cover->count && strncmp(cover->sources[place].name, record->source, sizeof cover->sources[0].name - 1) != 0) place++;
    if (place == SOURCES) return;
    if (place == cover->count) {
        strncpy(cover->sources[place].name, record->source, sizeof cover->sources[0].name - 1);
        cover->count++;
    }
    cover->sources[place].bits[line / 64] |= (uint64_t)1 << line % 64;
}

void nj_resume_cover(nj_lua *host) {
    if (host->cover != NULL) lua_sethook(host->L, nj_cover_line, LUA_MASKLINE, 0);
}

void nj_lua_cover(nj_lua *host) {
    if (host->cover == NULL) host->cover = calloc(1, sizeof *host->cover);
    nj_resume_cover(host);
}

void nj_lua_covered(nj_lua *host, void *context, void (*report)(void *, nj_text, const uint64_t *, uint32_t)) {
    if (host->cover == NULL) return;
    for (int place = 0; place < host->cover->count; place++) {
        const char *name = host->cover->sources[place].name;
        report(context, (nj_text){name, (uint32_t)strlen(name)}, host->cover->sources[place].bits, WORDS);
    }
}

void nj_close_cover(nj_lua *host) { free(host->cover); }
