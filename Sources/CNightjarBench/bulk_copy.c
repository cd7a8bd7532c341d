#include "include/bulk_copy.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLES = 64, SQL = 256, LOG_BYTES = 32 << 20 };

typedef struct table {
    char *name, *create;
    int columns;
    int64_t rows, room;
    sqlite3_value **values;
    sqlite3_stmt *insert;
} table;

struct bulk_copy {
    table tables[TABLES];
    int count;
    char *indexes;
    int page_bytes, vacuum;
    sqlite3 *target;
};

static int number(sqlite3 *db, const char *sql, int64_t *found) {
    sqlite3_stmt *query;
    int code = sqlite3_prepare_v2(db, sql, -1, &query, NULL);
    if (code != SQLITE_OK) return code;
    code = sqlite3_step(query);
    *found = code == SQLITE_ROW ? sqlite3_column_int64(query, 0) : 0;
    return sqlite3_finalize(query);
}

static int append(table *into, sqlite3_stmt *row) {
    if (into->rows == into->room) {
        int64_t room = into->room ? into->room * 2 : 1024;
        void *values = realloc(into->values, (size_t)(room * into->columns) * sizeof(sqlite3_value *));
        if (values == NULL) return SQLITE_NOMEM;
        into->values = values;
        into->room = room;
    }
    for (int i = 0; i < into->columns; i++) {
        sqlite3_value *value = sqlite3_value_dup(sqlite3_column_value(row, i));
        if (value == NULL) return SQLITE_NOMEM;
        into->values[into->rows * into->columns + i] = value;
    }
    into->rows++;
    return SQLITE_OK;
}

static int read_table(sqlite3 *db, table *into) {
    char sql[SQL];
    sqlite3_stmt *rows;
    snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"", into->name);
    int code = sqlite3_prepare_v2(db, sql, -1, &rows, NULL);
    if (code != SQLITE_OK) return code;
    into->columns = sqlite3_column_count(rows);
    while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
        if ((code = append(into, rows)) != SQLITE_OK) break;
    }
    sqlite3_finalize(rows);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int read_all(sqlite3 *db, bulk_copy *copy) {
    // The full-text index and its own tables hold what others hold already.
    static const char *const sql =
        "SELECT type, name, sql FROM sqlite_schema WHERE sql NOTNULL AND name NOT LIKE 'sqlite_%' "
        "AND name NOT LIKE 'logs_text%' AND type IN ('table', 'index') ORDER BY type DESC, name";
    sqlite3_stmt *schema;
    int64_t page, vacuum;
    int code = number(db, "PRAGMA page_size", &page);
    if (code == SQLITE_OK) code = number(db, "PRAGMA auto_vacuum", &vacuum);
    if (code == SQLITE_OK) code = sqlite3_prepare_v2(db, sql, -1, &schema, NULL);
    if (code != SQLITE_OK) return code;
    copy->page_bytes = (int)page;
    copy->vacuum = (int)vacuum;
    while ((code = sqlite3_step(schema)) == SQLITE_ROW) {
        const char *type = (const char *)sqlite3_column_text(schema, 0);
        if (strcmp(type, "index") == 0) {
            char *longer = sqlite3_mprintf("%z%s;", copy->indexes, sqlite3_column_text(schema, 2));
            if (longer == NULL) return SQLITE_NOMEM;
            copy->indexes = longer;
            continue;
        }
        if (copy->count == TABLES) break;
        table *next = &copy->tables[copy->count++];
        next->name = sqlite3_mprintf("%s", sqlite3_column_text(schema, 1));
        next->create = sqlite3_mprintf("%s", sqlite3_column_text(schema, 2));
        if (next->name == NULL || next->create == NULL) break;
        if ((code = read_table(db, next)) != SQLITE_OK) break;
    }
    sqlite3_finalize(schema);
    return code == SQLITE_DONE ? SQLITE_OK : SQLITE_ERROR;
}

bulk_copy *bulk_read(const char *path) {
    bulk_copy *copy = calloc(1, sizeof *copy);
    sqlite3 *db = NULL;
    int code = copy == NULL ? SQLITE_NOMEM : sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK) code = read_all(db, copy);
    sqlite3_close(db);
    if (code == SQLITE_OK) return copy;
    bulk_free(copy);
    return NULL;
}

void bulk_free(bulk_copy *copy) {
    if (copy == NULL) return;
    for (int t = 0; t < copy->count; t++) {
        table *one = &copy->tables[t];
        for (int64_t i = 0; i < one->rows * one->columns; i++) sqlite3_value_free(one->values[i]);
        free(one->values);
        sqlite3_free(one->name);
        sqlite3_free(one->create);
    }
    sqlite3_free(copy->indexes);
    free(copy);
}

int64_t bulk_rows(const bulk_copy *copy) {
    int64_t rows = 0;
    for (int t = 0; t < copy->count; t++) rows += copy->tables[t].rows;
    return rows;
}

static int prepare(sqlite3 *db, table *into) {
    char *sql = sqlite3_mprintf("INSERT INTO \"%w\" VALUES (?", into->name);
    for (int i = 1; i < into->columns; i++) sql = sqlite3_mprintf("%z, ?", sql);
    sql = sqlite3_mprintf("%z)", sql);
    int code = sql == NULL ? SQLITE_NOMEM : sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &into->insert, NULL);
    sqlite3_free(sql);
    return code;
}

int bulk_create(bulk_copy *copy, const char *path) {
    char sql[2 * SQL];
    int code = sqlite3_open(path, &copy->target);
    if (code != SQLITE_OK) return code;
    snprintf(
        sql, sizeof sql,
        "PRAGMA page_size = %d; PRAGMA auto_vacuum = %d; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
        "PRAGMA cache_size = -65536; PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = %d",
        copy->page_bytes, copy->vacuum, LOG_BYTES / copy->page_bytes);
    code = sqlite3_exec(copy->target, sql, NULL, NULL, NULL);
    for (int t = 0; t < copy->count && code == SQLITE_OK; t++) {
        code = sqlite3_exec(copy->target, copy->tables[t].create, NULL, NULL, NULL);
    }
    if (code == SQLITE_OK && copy->indexes) code = sqlite3_exec(copy->target, copy->indexes, NULL, NULL, NULL);
    for (int t = 0; t < copy->count && code == SQLITE_OK; t++) code = prepare(copy->target, &copy->tables[t]);
    return code;
}

static int insert_some(table *from, int64_t start, int64_t end) {
    for (int64_t row = start; row < end; row++) {
        for (int i = 0; i < from->columns; i++) {
            const sqlite3_value *value = from->values[row * from->columns + i];
            // Without a copy where SQLite lets the caller keep the bytes.
            switch (sqlite3_value_type((sqlite3_value *)value)) {
            case SQLITE_BLOB:
                sqlite3_bind_blob(
                    from->insert, i + 1, sqlite3_value_blob((sqlite3_value *)value),
                    sqlite3_value_bytes((sqlite3_value *)value), SQLITE_STATIC);
                break;
            case SQLITE_TEXT:
                sqlite3_bind_text(
                    from->insert, i + 1, (const char *)sqlite3_value_text((sqlite3_value *)value),
                    sqlite3_value_bytes((sqlite3_value *)value), SQLITE_STATIC);
                break;
            default: sqlite3_bind_value(from->insert, i + 1, value);
            }
        }
        int code = sqlite3_step(from->insert);
        sqlite3_reset(from->insert);
        if (code != SQLITE_DONE) return code;
    }
    return SQLITE_OK;
}

int bulk_insert(bulk_copy *copy, int transactions) {
    for (int64_t n = 0; n < transactions; n++) {
        int code = sqlite3_exec(copy->target, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        for (int t = 0; t < copy->count && code == SQLITE_OK; t++) {
            int64_t rows = copy->tables[t].rows;
            code = insert_some(&copy->tables[t], rows * n / transactions, rows * (n + 1) / transactions);
        }
        if (code == SQLITE_OK) code = sqlite3_exec(copy->target, "COMMIT", NULL, NULL, NULL);
        if (code != SQLITE_OK) return code;
    }
    return SQLITE_OK;
}

int64_t bulk_close(bulk_copy *copy) {
    char sql[SQL];
    int64_t all = 0;
    for (int t = 0; t < copy->count; t++) {
        int64_t rows = 0;
        snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\"", copy->tables[t].name);
        if (number(copy->target, sql, &rows) == SQLITE_OK) all += rows;
        sqlite3_finalize(copy->tables[t].insert);
        copy->tables[t].insert = NULL;
    }
    sqlite3_close(copy->target);
    copy->target = NULL;
    return all;
}
