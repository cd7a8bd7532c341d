extension Schema {
    /// Step 2: what every signal belongs to, events in the journal, sampling, streams of OTLP metrics.
    static let second = correlation + tables

    /// The columns of a correlation as they were named in step 2. A table that had a column of that name for something of its
    /// own has the correlation's with `context_` in front.
    private static let correlation = {
        let facts = [
            "entity_type", "entity_id", "entity_name", "parent_entity_type", "parent_entity_id",
            "parent_entity_name", "root_entity_type", "root_entity_id", "root_entity_name", "user_id",
            "organization_id", "resource_id", "run_id", "session_id", "thread_id", "request_id", "experiment",
            "environment", "source", "service_name", "tags",
        ]
        let own: KeyValuePairs = [
            "logs": ["tags"], "scores": ["session_id", "experiment"],
            "scores_history": ["session_id", "experiment"],
            "feedback": ["session_id", "experiment", "source"],
            "feedback_history": ["session_id", "experiment", "source"],
        ]
        return own.map { table, taken in
            facts.map { fact in
                let column = taken.contains(fact) ? "context_\(fact)" : fact
                return "ALTER TABLE \(table) ADD COLUMN \(column) TEXT;\n"
            }.joined()
        }.joined()
    }()

    private static let tables = """
        ALTER TABLE logs ADD COLUMN tags TEXT;
        -- Lists come in the order of time, a page at a time, and have no other index: each costs every insert about 1 µs, and
        -- whoever filters a list wants its newest rows, which a walk back in time meets soon. What a walk does not meet within
        -- its patience ends it.
        CREATE INDEX logs_by_time ON logs (timestamp);
        CREATE INDEX scores_by_time ON scores (timestamp);
        CREATE INDEX feedback_by_time ON feedback (timestamp);
        -- So that what is deleted with a trace includes what was replaced; replacements are rare.
        CREATE INDEX scores_history_by_trace ON scores_history (trace_id) WHERE trace_id IS NOT NULL;
        CREATE INDEX feedback_history_by_trace ON feedback_history (trace_id) WHERE trace_id IS NOT NULL;

        -- The chunks of the journal that hold events: numbered with those of spans, gone when they are processed. A table of
        -- their own, so that they need no index and those of spans no rebuild.
        CREATE TABLE events (
            seq INTEGER PRIMARY KEY,
            trace_id BLOB,
            partition INTEGER NOT NULL,
            received_at INTEGER NOT NULL,
            event_count INTEGER NOT NULL,
            payload BLOB NOT NULL
        );
        -- One row: a number that was given to a chunk which somebody deleted before it was processed.
        CREATE TABLE issued (id INTEGER PRIMARY KEY CHECK (id = 0), seq INTEGER NOT NULL);

        ALTER TABLE traces ADD COLUMN sampled_out INTEGER NOT NULL DEFAULT 0;

        ALTER TABLE metrics ADD COLUMN origin TEXT NOT NULL DEFAULT 'nightjar';
        ALTER TABLE series ADD COLUMN updated INTEGER;
        ALTER TABLE series ADD COLUMN sketch BLOB;
        CREATE TABLE streams (id INTEGER PRIMARY KEY, state BLOB NOT NULL, time INTEGER NOT NULL);
        """
}
