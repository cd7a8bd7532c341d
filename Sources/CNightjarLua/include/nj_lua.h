#ifndef NJ_LUA_H
#define NJ_LUA_H
#endif
