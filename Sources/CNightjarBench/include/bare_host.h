// The least that a C program needs to call a Lua rule on prebuilt rows: what the Lua host is compared with. No sandbox, no
// errors told, no limits, unless one of the protections below is asked for, to see what it costs.
#ifndef BARE_HOST_H
#define BARE_HOST_H

#include <nj_signals.h>

enum bare_protection {
    BARE_CAPPED = 1,   // memory is counted and capped
    BARE_TIMED = 2,    // the start and the end of a call are noted for a watchdog
    BARE_CHECKED = 4,  // an object is void after its event
    BARE_HELD = 8      // what a call emits is held back until the call has succeeded
};

typedef struct bare_host bare_host;

// A state with the script run in it; NULL where that fails. Knows nightjar.counter, counter:add and nightjar.on.
bare_host *bare_open(const char *script, int protections);
void bare_close(bare_host *host);
// Calls the rule with a span, if its type is the wanted one; false where it raised.
bool bare_call(bare_host *host, nj_span_ref span, int type);
// What the script's counter has counted.
double bare_total(const bare_host *host);

#endif
