extension Schema {
    /// Step 7: which chunks a trace has, by the numbers of both; totals that the rows of their series do not have yet.
    static let seventh = """
        -- In place of an index on the random ids of traces: each chunk dirtied a page of that somewhere, the more the more there
        -- were. Traces that go on are the last ones, so these rows lie together.
        CREATE TABLE trace_chunks (
            trace INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            PRIMARY KEY (trace, seq)
        ) WITHOUT ROWID;
        INSERT INTO trace_chunks (trace, seq)
            SELECT traces.row, journal.seq FROM traces CROSS JOIN journal ON journal.trace_id = traces.trace_id
            ORDER BY traces.row, journal.seq;
        DROP INDEX journal_by_trace;
        -- Whoever deletes a chunk; before its trace, whose number is needed for it.
        CREATE TRIGGER trace_chunks_delete AFTER DELETE ON journal BEGIN
            DELETE FROM trace_chunks
            WHERE trace = (SELECT row FROM traces WHERE trace_id = old.trace_id) AND seq = old.seq;
        END;

        -- The totals that commits have left and that are newer than those in `series`, a row for each commit.
        CREATE TABLE series_recent (row INTEGER PRIMARY KEY, totals BLOB NOT NULL);
        """
}
