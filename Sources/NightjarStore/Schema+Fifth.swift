extension Schema {
    /// Step 5: metrics over time.
    static let fifth = """
        -- A row is a block of windows of one series. Its key is the block's number times 2^32, plus the series': those of one
        -- time lie together and are written one after the other, and what is old goes by a range of keys, without an index.
        CREATE TABLE windows_fine (id INTEGER PRIMARY KEY, windows BLOB NOT NULL);
        CREATE TABLE windows_coarse (id INTEGER PRIMARY KEY, windows BLOB NOT NULL);
        -- What commits have added to windows and blocks do not have yet, a row for each commit.
        CREATE TABLE windows_recent (row INTEGER PRIMARY KEY, windows BLOB NOT NULL);

        -- Series that are no more, whose windows may still be there.
        CREATE TABLE series_past (
            id INTEGER PRIMARY KEY,
            metric TEXT NOT NULL,
            labels TEXT NOT NULL,
            removed_at INTEGER NOT NULL
        );
        -- The series of a metric, for queries; written when a series is new.
        CREATE INDEX series_by_metric ON series (metric);
        CREATE INDEX series_past_by_metric ON series_past (metric);
        """
}
