/* A disk that fails on command, under the real server: preloaded, it stands before the system's calls on one database file and
 * its log. Built by the tests with cc. Everything else passes untouched.
 *
 * FAULTY_DISK_FILE   the database; PATH-wal is its log. Must be the very path that the server is given.
 * FAULTY_DISK_RULES  a file with a rule a line, read before each call, so that a test changes its mind at any time:
 *                        fail FILE CALL ERROR        FILE db or wal; CALL write or sync; ERROR ENOSPC, EIO or EROFS
 *                        fail FILE CALL ERROR N      only the next N calls; counted from when this process first saw the line
 *                        short FILE write            every write takes half of what it is given, and then fails with EIO
 *                        kill FILE CALL N WHEN       SIGKILL at the Nth call of this process, at the next where N is 0; WHEN
 *                                                    before, half or after
 *                      Words behind make it another line.
 * FAULTY_DISK_LOG    what happens, a line each, in order: writes and syncs of the two files, requests read and answers
 *                        written; with the mark that a test put into them, mark- and four digits
 * FAULTY_DISK_SHADOW a folder for what a power cut leaves of the two files, db and wal: a sync that succeeds copies there what
 *                        was written since, one that fails forgets it, as the kernel marks pages clean that it could not write.
 *                        What is written and not synced is in db.dirty and wal.dirty, pairs of offset and length, 8 bytes each. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NONE, DB, WAL, FILES };
static const char *const names[FILES] = {"", "db", "wal"};

#define DESCRIPTORS 65536
static unsigned char kinds[DESCRIPTORS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

#define REAL(type, name, ...)                                   \
    static type (*real)(__VA_ARGS__);                           \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static ssize_t real_pwrite(int fd, const void *bytes, size_t count, off_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
    return real(fd, bytes, count, at);
}
static ssize_t real_write(int fd, const void *bytes, size_t count) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return real(fd, bytes, count);
}
static int real_open(const char *path, int flags, mode_t mode) {
    REAL(int, "open64", const char *, int, ...);
    return real(path, flags, mode);
}
static int real_close(int fd) {
    REAL(int, "close", int);
    return real(fd);
}
static int real_unlink(const char *path) {
    REAL(int, "unlink", const char *);
    return real(path);
}
static int real_truncate(int fd, off_t size) {
    REAL(int, "ftruncate64", int, off_t);
    return real(fd, size);
}

/* MARK: what happened */

static void say(const char *format, ...) {
    const char *path = setting("FAULTY_DISK_LOG");
    if (!path) return;
    static int log = -1;
    if (log < 0) log = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    char line[256];
    va_list list;
    va_start(list, format);
    int count = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (log >= 0 && count > 0 && real_write(log, line, (size_t)count) < 0) abort();
}

static void mark(const void *bytes, size_t count, char out[16]) {
    const char *found = memmem(bytes, count, "mark-", 5);
    out[0] = 0;
    if (found && (size_t)(found - (const char *)bytes) + 9 <= count) snprintf(out, 16, " %.9s", found);
}

/* MARK: the shadow */

static int shadow_file(int kind, const char *suffix, int flags) {
    const char *folder = setting("FAULTY_DISK_SHADOW");
    if (!folder) return -1;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", folder, names[kind], suffix);
    return real_open(path, flags | O_CREAT | O_CLOEXEC, 0644);
}

static void shadow_dirty(int kind, off_t at, size_t count) {
    int file = shadow_file(kind, ".dirty", O_WRONLY | O_APPEND);
    if (file < 0) return;
    int64_t range[2] = {at, (int64_t)count};
    if (real_write(file, range, sizeof range) != sizeof range) abort();
    real_close(file);
}

static void shadow_synced(int kind, int fd, int isGood) {
    int dirty = shadow_file(kind, ".dirty", O_RDWR);
    if (dirty < 0) return;
    int shadow = isGood ? shadow_file(kind, "", O_WRONLY) : -1;
    int64_t range[2];
    static char bytes[1 << 16];
    while (isGood && read(dirty, range, sizeof range) == sizeof range) {
        for (int64_t done = 0; done < range[1];) {
            size_t part = (size_t)(range[1] - done) < sizeof bytes ? (size_t)(range[1] - done) : sizeof bytes;
            ssize_t got = pread(fd, bytes, part, range[0] + done);
            if (got <= 0) break;
            if (real_pwrite(shadow, bytes, (size_t)got, range[0] + done) != got) abort();
            done += got;
        }
    }
    if (real_truncate(dirty, 0)) abort();
    real_close(dirty);
    if (shadow >= 0) real_close(shadow);
}

static void shadow_truncated(int kind, off_t size) {
    int shadow = shadow_file(kind, "", O_WRONLY);
    if (shadow < 0) return;
    off_t now = lseek(shadow, 0, SEEK_END);
    if (now > size && real_truncate(shadow, size)) abort();
    real_close(shadow);
}

static void shadow_removed(int kind) {
    const char *folder = setting("FAULTY_DISK_SHADOW");
    if (!folder) return;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, names[kind]);
    real_unlink(path);
    snprintf(path, sizeof path, "%s/%s.dirty", folder, names[kind]);
    real_unlink(path);
}

/* MARK: the rules */

enum { PASS, FAIL, SHORT, KILL_BEFORE, KILL_HALF, KILL_AFTER };
static unsigned long calls[FILES][2];
/* How many calls a counted line has failed so far, by the line. */
static struct { char line[128]; unsigned long done; } counted[256];

static int is_spent(const char *line, unsigned long limit) {
    for (int i = 0; i < 256; i++) {
        if (!counted[i].line[0]) snprintf(counted[i].line, sizeof counted[i].line, "%s", line);
        if (!strcmp(counted[i].line, line)) return counted[i].done >= limit || !++counted[i].done;
    }
    return 1;
}

static int verdict(int kind, int isSync, int *code) {
    unsigned long number = ++calls[kind][isSync];
    const char *path = setting("FAULTY_DISK_RULES");
    FILE *rules = path ? fopen(path, "re") : NULL;
    if (!rules) return PASS;
    const char *call = isSync ? "sync" : "write";
    char line[128], verb[16], file[16], what[16], first[16], second[16];
    int result = PASS;
    while (result == PASS && fgets(line, sizeof line, rules)) {
        first[0] = second[0] = 0;
        if (sscanf(line, "%15s %15s %15s %15s %15s", verb, file, what, first, second) < 3) continue;
        if (strcmp(file, names[kind]) || strcmp(what, call)) continue;
        if (!strcmp(verb, "short")) result = SHORT;
        if (!strcmp(verb, "fail") && (!second[0] || !is_spent(line, strtoul(second, NULL, 10)))) {
            *code = !strcmp(first, "ENOSPC") ? ENOSPC : !strcmp(first, "EROFS") ? EROFS : EIO;
            result = FAIL;
        }
        unsigned long at = strtoul(first, NULL, 10);
        if (!strcmp(verb, "kill") && (at == number || !at))
            result = !strcmp(second, "before") ? KILL_BEFORE : !strcmp(second, "half") ? KILL_HALF : KILL_AFTER;
    }
    fclose(rules);
    return result;
}

static int kind_of(int fd) { return fd >= 0 && fd < DESCRIPTORS ? kinds[fd] : NONE; }

static void opened(int fd, const char *path) {
    const char *file = setting("FAULTY_DISK_FILE");
    if (fd < 0 || fd >= DESCRIPTORS) return;
    kinds[fd] = NONE;
    if (!file || !path) return;
    size_t length = strlen(file);
    if (!strcmp(path, file)) kinds[fd] = DB;
    if (!strncmp(path, file, length) && !strcmp(path + length, "-wal")) kinds[fd] = WAL;
}

static ssize_t written(int kind, int fd, const void *bytes, size_t count, off_t at) {
    pthread_mutex_lock(&lock);
    int code = 0, what = verdict(kind, 0, &code);
    if (what == KILL_BEFORE) raise(SIGKILL);
    ssize_t result = -1;
    if (what == FAIL) {
        errno = code;
    } else if (what == SHORT && count < 2) {
        errno = code = EIO;
    } else {
        size_t part = what == SHORT || what == KILL_HALF ? count / 2 : count;
        shadow_dirty(kind, at, part);
        result = real_pwrite(fd, bytes, part, at);
        if (what == KILL_HALF || what == KILL_AFTER) raise(SIGKILL);
    }
    int kept = errno;
    char found[16];
    mark(bytes, count, found);
    say("write %s %s%s\n", names[kind], result < 0 ? "failed" : "done", found);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return result;
}

static int synced(int kind, int fd, int (*real)(int)) {
    pthread_mutex_lock(&lock);
    int code = 0, what = verdict(kind, 1, &code);
    if (what == KILL_BEFORE || what == KILL_HALF) raise(SIGKILL);
    int result = what == FAIL ? -1 : real(fd);
    int kept = what == FAIL ? code : errno;
    shadow_synced(kind, fd, result == 0);
    if (what == KILL_AFTER) raise(SIGKILL);
    say("sync %s %s\n", names[kind], result < 0 ? "failed" : "done");
    pthread_mutex_unlock(&lock);
    errno = kept;
    return result;
}

/* MARK: the calls */

int open64(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
    va_end(list);
    int fd = real_open(path, flags, mode);
    int kept = errno;
    opened(fd, path);
    errno = kept;
    return fd;
}

int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
    va_end(list);
    return open64(path, flags, mode);
}

int close(int fd) {
    if (fd >= 0 && fd < DESCRIPTORS) kinds[fd] = NONE;
    return real_close(fd);
}

int unlink(const char *path) {
    const char *file = setting("FAULTY_DISK_FILE");
    int result = real_unlink(path), kept = errno;
    if (!result && file && !strncmp(path, file, strlen(file)) && !strcmp(path + strlen(file), "-wal"))
        shadow_removed(WAL);
    errno = kept;
    return result;
}

int ftruncate64(int fd, off_t size) {
    int result = real_truncate(fd, size), kept = errno, kind = kind_of(fd);
    if (kind && !result) {
        pthread_mutex_lock(&lock);
        shadow_truncated(kind, size);
        pthread_mutex_unlock(&lock);
    }
    errno = kept;
    return result;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t at) {
    int kind = kind_of(fd);
    return kind ? written(kind, fd, bytes, count, at) : real_pwrite(fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return pwrite64(fd, bytes, count, at); }

int fsync(int fd) {
    REAL(int, "fsync", int);
    int kind = kind_of(fd);
    return kind ? synced(kind, fd, real) : real(fd);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    int kind = kind_of(fd);
    return kind ? synced(kind, fd, real) : real(fd);
}

/* A request that came and an answer that goes, as the server reads and writes them on its sockets. */

static void heard(const void *bytes, ssize_t count) {
    char found[16];
    if (count < 9) return;
    mark(bytes, (size_t)count, found);
    if (found[0]) say("request%s\n", found);
}

static void answered(const void *bytes, size_t count) {
    if (count > 12 && !memcmp(bytes, "HTTP/1.1 ", 9)) say("answer %.3s\n", (const char *)bytes + 9);
}

ssize_t read(int fd, void *bytes, size_t count) {
    REAL(ssize_t, "read", int, void *, size_t);
    ssize_t result = real(fd, bytes, count);
    int kept = errno;
    if (setting("FAULTY_DISK_LOG") && !kind_of(fd)) heard(bytes, result);
    errno = kept;
    return result;
}

ssize_t recv(int fd, void *bytes, size_t count, int flags) {
    REAL(ssize_t, "recv", int, void *, size_t, int);
    ssize_t result = real(fd, bytes, count, flags);
    int kept = errno;
    if (setting("FAULTY_DISK_LOG")) heard(bytes, result);
    errno = kept;
    return result;
}

/* Logged before the bytes go: whoever reads the answer finds the line. */
ssize_t write(int fd, const void *bytes, size_t count) {
    answered(bytes, count);
    return real_write(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    if (count > 0) answered(parts[0].iov_base, parts[0].iov_len);
    return real(fd, parts, count);
}

ssize_t send(int fd, const void *bytes, size_t count, int flags) {
    REAL(ssize_t, "send", int, const void *, size_t, int);
    answered(bytes, count);
    return real(fd, bytes, count, flags);
}
