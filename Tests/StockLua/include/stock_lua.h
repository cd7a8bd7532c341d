// Lua as it comes, for tests that compare the bounded libraries with it.
#ifndef STOCK_LUA_H
#define STOCK_LUA_H

#include <stdbool.h>
#include <stddef.h>

// The release of the library, such as "Lua 5.4.4".
const char *stock_lua_release(void);
// Runs a source in a fresh state with all of Lua's own libraries. The text that it returns, or that of its error with `*failed`
// set, for the caller to free; NULL where memory is lacking.
char *stock_lua_run(const char *source, size_t length, bool *failed);

#endif
