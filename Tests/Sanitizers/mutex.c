/* Tells the thread sanitizer what `Synchronization.Mutex` does on Linux, for scripts/soak.
 *
 * The fast path of that lock is compiled into its callers, where the sanitizer sees it; the two functions below are what a
 * contended lock calls, and sit in the standard library, which is not built with the sanitizer. It then sees neither that
 * a waiter has come to hold the lock nor that its holder has let go, and reports every contended access as a race, in a
 * program of ten lines as much as here. Preloaded, these stand before the library's own and add what is missing.
 *
 * The names are the mangled ones of `_MutexHandle._lockSlow(_: UInt32)` and `_unlockSlow()`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *

/* Absent in programs without the sanitizer, such as the tool that starts the tests. */
extern void __tsan_acquire(void *) __attribute__((weak));
extern void __tsan_release(void *) __attribute__((weak));

SWIFT void lock_slow(uint32_t thread, SELF handle) __asm__(LOCK);
SWIFT void unlock_slow(SELF handle) __asm__(UNLOCK);

typedef SWIFT void Lock(uint32_t, SELF);
typedef SWIFT void Unlock(SELF);

static void *library_function(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function) {
        fprintf(stderr, "mutex.c: this Swift has no %s; its Mutex works in another way\n", name);
        abort();
    }
    return function;
}

SWIFT void lock_slow(uint32_t thread, SELF handle) {
    static _Atomic(Lock *) known;
    Lock *lock = known;
    if (!lock) known = lock = (Lock *)library_function(LOCK);
    lock(thread, handle);
    if (__tsan_acquire) __tsan_acquire(handle);
}

SWIFT void unlock_slow(SELF handle) {
    static _Atomic(Unlock *) known;
    Unlock *unlock = known;
    if (!unlock) known = unlock = (Unlock *)library_function(UNLOCK);
    if (__tsan_release) __tsan_release(handle);
    unlock(handle);
}
