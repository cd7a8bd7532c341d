// SQLite's own bulk insert: the rows of one database put into an empty one with the same tables and indexes, by prepared
// statements, in transactions. What the store's way of getting them there is compared with.
#ifndef BULK_COPY_H
#define BULK_COPY_H

#include <stdint.h>

typedef struct bulk_copy bulk_copy;

// Reads every row of a database into memory, but for virtual tables and what belongs to them; NULL where that fails.
bulk_copy *bulk_read(const char *path);
void bulk_free(bulk_copy *copy);
// How many rows there are.
int64_t bulk_rows(const bulk_copy *copy);
// Makes an empty database with the same tables, indexes and size of pages, written as the store writes: WAL, each commit
// synced. 0, or SQLite's code.
int bulk_create(bulk_copy *copy, const char *path);
// Inserts the rows in so many transactions, each with its share of every table, and writes the log back as often as the store
// does. 0, or SQLite's code.
int bulk_insert(bulk_copy *copy, int transactions);
// How many rows the new database has; closes it.
int64_t bulk_close(bulk_copy *copy);

#endif
