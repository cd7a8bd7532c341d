// The three budgets of a call: memory through the allocator, work inside C through fuel, time through a watchdog thread.
//
// A standing count hook doubles the interpreter's cost, and reading the CPU clock costs more than a small rule. So entering a
// call only stores its number; the watchdog looks every 5 ms, and when one call has used up its time it signals that thread.
// The handler runs there, compares the number, and hooks every coroutine that is running: their next instruction ends the call.
#include "nj_internal.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

// SIGURG is ignored by default: a stray one harms nobody.
enum { DEADLINE_SIGNAL = SIGURG, TICK_NANO = 5000000, IDLE_TICKS = 40, IDLE_NANO = 50000000 };

typedef struct nj_worker {
    pthread_t thread;
    clockid_t clock;
    _Atomic uint64_t call, kill_call;  // odd while a call runs
    _Atomic uint32_t limit_ms;
    nj_lua *volatile host;
    uint64_t seen_call;  // the watchdog's own
    int64_t seen_cpu;
    struct nj_worker *next;
} nj_worker;

static __thread nj_worker *mine __attribute__((tls_model("initial-exec")));
static pthread_mutex_t workers_lock = PTHREAD_MUTEX_INITIALIZER;
static nj_worker *workers;
static pthread_once_t started = PTHREAD_ONCE_INIT;
static pthread_key_t leaving;
static sem_t waking;
static _Atomic int asleep;
static const char kill_mark;

// ---- time

static void end_call(lua_State *L, lua_Debug *record) {
    (void)record;
    nj_check(L);
}

static void on_signal(int signal_number, siginfo_t *info, void *context) {
    (void)signal_number, (void)info, (void)context;
    nj_worker *worker = mine;
    if (worker == NULL) return;
    uint64_t call = atomic_load_explicit(&worker->call, memory_order_relaxed);
    if ((call & 1) == 0 || atomic_load_explicit(&worker->kill_call, memory_order_acquire) != call) return;
    nj_lua *host = worker->host;
    int none = 0;
    atomic_compare_exchange_strong(&host->killed, &none, NJ_OUTCOME_TIME);
    int length = host->chain_length;
    for (int i = 0; i < length; i++)
        lua_sethook(host->chain[i], end_call, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static int64_t cpu_nano(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) return 0;
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// Looks at every worker once; true where one is in a call.
static bool look(void) {
    bool busy = false;
    pthread_mutex_lock(&workers_lock);
    for (nj_worker *worker = workers; worker != NULL; worker = worker->next) {
        uint64_t call = atomic_load_explicit(&worker->call, memory_order_acquire);
        if ((call & 1) == 0) continue;
        busy = true;
        int64_t now = cpu_nano(worker->clock);
        if (worker->seen_call != call) {
            worker->seen_call = call;
            worker->seen_cpu = now;
        } else if (now - worker->seen_cpu >= (int64_t)atomic_load(&worker->limit_ms) * 1000000) {
            atomic_store_explicit(&worker->kill_call, call, memory_order_release);
            pthread_kill(worker->thread, DEADLINE_SIGNAL);
        }
    }
    pthread_mutex_unlock(&workers_lock);
    return busy;
}

static void *watch(void *unused) {
    (void)unused;
    int quiet = 0;
    for (;;) {
        quiet = look() ? 0 : quiet + 1;
        if (quiet < IDLE_TICKS) {
            struct timespec tick = {0, TICK_NANO};
            nanosleep(&tick, NULL);
            continue;
        }
        // A call that begins between these two lines is seen at the end of the wait.
        atomic_store(&asleep, 1);
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += IDLE_NANO;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (sem_timedwait(&waking, &until) == 0) quiet = 0;
        atomic_store(&asleep, 0);
    }
    return NULL;
}

static void forget_worker(void *pointer) {
    nj_worker *worker = pointer;
    pthread_mutex_lock(&workers_lock);
    for (nj_worker **at = &workers; *at != NULL; at = &(*at)->next) {
        if (*at != worker) continue;
        *at = worker->next;
        break;
    }
    pthread_mutex_unlock(&workers_lock);
    mine = NULL;
    free(worker);
}

static void start_watchdog(void) {
    sem_init(&waking, 0, 0);
    pthread_key_create(&leaving, forget_worker);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(DEADLINE_SIGNAL, &action, NULL);
    // The watchdog takes no signals: they belong to whoever runs the process.
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch, NULL) == 0) pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static nj_worker *register_worker(void) {
    pthread_once(&started, start_watchdog);
    nj_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) abort();  // a hundred bytes: the process is lost without them
    worker->thread = pthread_self();
    if (pthread_getcpuclockid(worker->thread, &worker->clock) != 0) worker->clock = CLOCK_MONOTONIC;
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, DEADLINE_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &only, NULL);
    pthread_mutex_lock(&workers_lock);
    worker->next = workers;
    workers = worker;
    pthread_mutex_unlock(&workers_lock);
    pthread_setspecific(leaving, worker);
    mine = worker;
    return worker;
}

void nj_enter(nj_lua *host, uint32_t limit_ms) {
    nj_worker *worker = mine != NULL ? mine : register_worker();
    host->fuel = host->limits.fuel;
    host->denied = 0;
    host->refusals = 0;
    host->place[0] = 0;
    host->chain[0] = host->L;
    host->chain_length = 1;
    atomic_store_explicit(&host->killed, 0, memory_order_relaxed);
    uint64_t call = atomic_load_explicit(&worker->call, memory_order_relaxed);
    host->outer = NULL;
    if (call & 1) {
        // A test's call that makes a plugin's: the outer one goes on when this one has ended, with its time anew.
        host->outer = worker->host;
        host->outer_ms = atomic_load_explicit(&worker->limit_ms, memory_order_relaxed);
        atomic_store_explicit(&worker->call, ++call, memory_order_release);
        atomic_signal_fence(memory_order_seq_cst);
    }
    worker->host = host;
    atomic_store_explicit(&worker->limit_ms, limit_ms, memory_order_relaxed);
    atomic_store_explicit(&worker->call, call + 1, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&asleep, memory_order_relaxed)) {
        if (atomic_exchange(&asleep, 0)) sem_post(&waking);
    }
}

void nj_leave(nj_lua *host) {
    nj_worker *worker = mine;
    atomic_signal_fence(memory_order_seq_cst);
    uint64_t call = atomic_load_explicit(&worker->call, memory_order_relaxed);
    atomic_store_explicit(&worker->call, call + 1, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
    // From here on no signal touches the state.
    host->chain_length = 0;
    if (host->outer != NULL) {
        worker->host = host->outer;
        atomic_store_explicit(&worker->limit_ms, host->outer_ms, memory_order_relaxed);
        atomic_store_explicit(&worker->call, call + 2, memory_order_release);
    }
    if (!nj_killed(host)) return;
    lua_sethook(host->L, NULL, 0, 0);
    nj_resume_cover(host);
}

int nj_kill(lua_State *L, int outcome) {
    nj_lua *host = nj_host(L);
    int none = 0;
    atomic_compare_exchange_strong(&host->killed, &none, outcome);
    if (host->place[0] == 0) nj_note_place(L);
    lua_pushlightuserdata(L, (void *)&kill_mark);
    return lua_error(L);
}

void nj_check(lua_State *L) {
    if (nj_killed(nj_host(L))) nj_kill(L, NJ_OUTCOME_TIME);
}

void nj_spend(lua_State *L, uint64_t amount) {
    nj_lua *host = nj_host(L);
    if (amount >= (uint64_t)host->fuel) {
        host->fuel = 0;
        nj_kill(L, NJ_OUTCOME_FUEL);
    }
    host->fuel -= (int64_t)amount;
    nj_check(L);
}

// ---- memory

// Lua answers a refusal with a full collection and asks once more: the same size refused twice in a row has no other way out.
static void *refuse(nj_lua *host, uint64_t size) {
    // A script that lives at its limit makes each allocation a full collection: that is as good as none left.
    enum { REFUSALS = 4 };
    if (host->entered && (host->denied == size || ++host->refusals > REFUSALS)) {
        int none = 0;
        atomic_compare_exchange_strong(&host->killed, &none, NJ_OUTCOME_MEMORY);
    }
    host->denied = size;
    return NULL;
}

// Small blocks come from a pool with a list of free ones per size: most rules make and drop a few objects per event. The pool is
// one region, so that an address tells where a block belongs, and is touched only as far as it was ever needed.
static inline bool in_pool(const nj_lua *host, const void *block) {
    return NJ_SHARES_BLOCKS && (size_t)((const char *)block - host->pool) < NJ_POOL_SIZE;
}

static void *take(nj_lua *host, size_t size) {
    if (size <= NJ_POOL_BLOCK) {
        size_t place = (size - 1) / 16;
        void *block = host->pool_free[place];
        if (block != NULL) {
            memcpy(&host->pool_free[place], block, sizeof block);
            return block;
        }
        size_t room = (place + 1) * 16;
        if (host->pool != NULL && host->pool_used + room <= NJ_POOL_SIZE) {
            block = host->pool + host->pool_used;
            host->pool_used += room;
            return block;
        }
    }
    return malloc(size);
}

static void give_back(nj_lua *host, void *block, size_t size) {
    if (!in_pool(host, block)) {
        free(block);
        return;
    }
    size_t place = (size - 1) / 16;
    memcpy(block, &host->pool_free[place], sizeof block);
    host->pool_free[place] = block;
}

static void *resize(nj_lua *host, void *block, size_t old_size, size_t size) {
    if (!in_pool(host, block) && size > NJ_POOL_BLOCK) return realloc(block, size);
    if (in_pool(host, block) && (old_size - 1) / 16 == (size - 1) / 16) return block;
    void *moved = take(host, size);
    if (moved == NULL) return NULL;
    memcpy(moved, block, old_size < size ? old_size : size);
    give_back(host, block, old_size);
    return moved;
}

void *nj_allocate(void *context, void *block, size_t old_size, size_t size) {
    nj_lua *host = context;
    if (size == 0) {
        if (block == NULL) return NULL;
        host->used -= old_size;
        give_back(host, block, old_size);
        return NULL;
    }
    if (block == NULL) {
        // For a new block `old_size` is the kind of object.
        uint64_t most = old_size == LUA_TSTRING ? host->limits.string + 64 : host->limits.block;
        if (size > most || host->used + size > host->limits.memory) return refuse(host, size);
        void *fresh = take(host, size);
        if (fresh == NULL) return refuse(host, size);
        host->used += size;
        host->denied = 0;
        return fresh;
    }
    if (size > old_size) {
        if (size > host->limits.block || host->used + (size - old_size) > host->limits.memory) return refuse(host, size);
        host->denied = 0;
    }
    void *moved = resize(host, block, old_size, size);
    if (moved == NULL) return size <= old_size ? block : refuse(host, size);
    host->used = host->used - old_size + size;
    return moved;
}
