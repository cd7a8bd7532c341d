/// A database as the first version of the product left it: its tables, and a row or two in each.
enum StepOne {
    static let tables = """
        CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
        INSERT INTO grdb_migrations VALUES ('1');
        CREATE TABLE journal (
            seq INTEGER PRIMARY KEY,
            trace_id BLOB NOT NULL,
            partition INTEGER NOT NULL,
            received_at INTEGER NOT NULL,
            span_count INTEGER NOT NULL,
            payload BLOB NOT NULL
        );
        CREATE INDEX journal_by_trace ON journal (trace_id);
        CREATE TABLE progress (partition INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
        CREATE TABLE settled (id INTEGER PRIMARY KEY CHECK (id = 0), seq INTEGER NOT NULL);
        CREATE TABLE traces (
            row INTEGER PRIMARY KEY,
            trace_id BLOB NOT NULL UNIQUE,
            sort_time INTEGER NOT NULL,
            first_received INTEGER NOT NULL,
            last_received INTEGER NOT NULL,
            is_open INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            pending BLOB,
            is_partial INTEGER NOT NULL,
            name TEXT NOT NULL,
            type TEXT NOT NULL,
            status INTEGER NOT NULL,
            has_errors INTEGER NOT NULL,
            start_time INTEGER,
            end_time INTEGER,
            span_count INTEGER NOT NULL,
            input_tokens REAL,
            output_tokens REAL,
            cost REAL,
            service TEXT,
            environment TEXT,
            agent TEXT,
            workflow TEXT,
            user_id TEXT,
            session_id TEXT
        );
        CREATE INDEX traces_by_start ON traces (sort_time);
        CREATE INDEX traces_by_receipt ON traces (last_received);
        CREATE INDEX traces_open ON traces (first_received) WHERE is_open = 1 OR pending IS NOT NULL;
        CREATE INDEX traces_by_session ON traces (session_id, sort_time) WHERE session_id IS NOT NULL;
        CREATE TABLE scores (
            row INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            created_at INTEGER NOT NULL,
            counted INTEGER NOT NULL DEFAULT 0,
            timestamp INTEGER NOT NULL,
            trace_id BLOB,
            span_id BLOB,
            session_id TEXT,
            scorer_name TEXT NOT NULL,
            scorer_version TEXT,
            score REAL,
            label TEXT,
            reason TEXT,
            error TEXT,
            experiment TEXT,
            annotator_kind TEXT,
            metadata TEXT NOT NULL
        );
        CREATE INDEX scores_by_trace ON scores (trace_id) WHERE trace_id IS NOT NULL;
        CREATE INDEX scores_uncounted ON scores (id) WHERE counted = 0;
        CREATE TABLE scores_history (
            row INTEGER PRIMARY KEY,
            replaced_at INTEGER NOT NULL,
            id TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            timestamp INTEGER NOT NULL,
            trace_id BLOB,
            span_id BLOB,
            session_id TEXT,
            scorer_name TEXT NOT NULL,
            scorer_version TEXT,
            score REAL,
            label TEXT,
            reason TEXT,
            error TEXT,
            experiment TEXT,
            annotator_kind TEXT,
            metadata TEXT NOT NULL
        );
        CREATE INDEX scores_history_by_id ON scores_history (id);
        CREATE TABLE feedback (
            row INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            created_at INTEGER NOT NULL,
            counted INTEGER NOT NULL DEFAULT 0,
            timestamp INTEGER NOT NULL,
            trace_id BLOB,
            span_id BLOB,
            session_id TEXT,
            source TEXT NOT NULL,
            feedback_type TEXT NOT NULL,
            value,
            comment TEXT,
            experiment TEXT,
            metadata TEXT NOT NULL
        );
        CREATE INDEX feedback_by_trace ON feedback (trace_id) WHERE trace_id IS NOT NULL;
        CREATE INDEX feedback_uncounted ON feedback (id) WHERE counted = 0;
        CREATE TABLE feedback_history (
            row INTEGER PRIMARY KEY,
            replaced_at INTEGER NOT NULL,
            id TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            timestamp INTEGER NOT NULL,
            trace_id BLOB,
            span_id BLOB,
            session_id TEXT,
            source TEXT NOT NULL,
            feedback_type TEXT NOT NULL,
            value,
            comment TEXT,
            experiment TEXT,
            metadata TEXT NOT NULL
        );
        CREATE INDEX feedback_history_by_id ON feedback_history (id);
        CREATE TABLE logs (
            row INTEGER PRIMARY KEY,
            created_at INTEGER NOT NULL,
            timestamp INTEGER NOT NULL,
            level INTEGER NOT NULL,
            message TEXT NOT NULL,
            data TEXT NOT NULL,
            trace_id BLOB,
            span_id BLOB,
            metadata TEXT NOT NULL
        );
        CREATE INDEX logs_by_trace ON logs (trace_id) WHERE trace_id IS NOT NULL;
        CREATE TABLE metrics (
            name TEXT PRIMARY KEY,
            type TEXT NOT NULL,
            help TEXT NOT NULL,
            unit TEXT NOT NULL,
            bounds TEXT,
            value_range TEXT
        ) WITHOUT ROWID;
        CREATE TABLE series (
            id INTEGER PRIMARY KEY,
            metric TEXT NOT NULL,
            labels TEXT NOT NULL,
            sum REAL,
            count INTEGER NOT NULL,
            time INTEGER NOT NULL,
            buckets BLOB
        );
        """

    /// Of trace 1 what was processed, of trace 2 what was not.
    static let rows = """
        INSERT INTO journal VALUES
            (1, X'ABCD0000000000000000000000000001', 0, 1000, 2, X'010203'),
            (2, X'ABCD0000000000000000000000000002', 0, 1000, 2, X'010203');
        INSERT INTO progress VALUES (0, 1);
        INSERT INTO settled VALUES (0, 1);
        INSERT INTO traces VALUES
            (1, X'ABCD0000000000000000000000000001', 7, 1000, 1000, 0, 1, NULL, 0, 'n', 'agent_run', 2, 1, 7, 9, 2,
                1.5, 2, 0.25, 'svc', 'prod', 'planner', 'order', 'u', 's'),
            (2, X'ABCD0000000000000000000000000002', 1000, 1000, 1000, 1, 0, NULL, 1, '', 'generic', 0, 0, NULL, NULL,
                0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
        INSERT INTO scores VALUES
            (1, 'a', 5, 1, 10, X'ABCD0000000000000000000000000001', X'0000000000000003', NULL, 'helpful', '2', 0.5, 'good',
                'because', NULL, 'e', 'llm', '{"k":1}'),
            (2, 'b', 5, 0, 10, NULL, NULL, 's', 'helpful', NULL, 0.5, NULL, NULL, NULL, NULL, NULL, '{}');
        INSERT INTO scores_history VALUES
            (1, 6, 'a', 5, 9, X'ABCD0000000000000000000000000001', NULL, NULL, 'helpful', NULL, 0.1, NULL, NULL, NULL, NULL,
                NULL, '{}');
        INSERT INTO feedback VALUES
            (1, 'a', 5, 0, 10, X'ABCD0000000000000000000000000001', NULL, NULL, 'user', 'comment', 'good', 'c', 'e', '{}');
        INSERT INTO feedback_history VALUES
            (1, 6, 'a', 5, 10, X'ABCD0000000000000000000000000001', NULL, NULL, 'user', 'comment', 4, NULL, NULL, '{}');
        INSERT INTO logs VALUES
            (1, 5, 20, 2, 'slow', '{"ms":12}', X'ABCD0000000000000000000000000001', X'0000000000000009', '{"userId":"u"}');
        INSERT INTO metrics VALUES ('runs_total', 'counter', 'Runs.', '1', NULL, NULL);
        INSERT INTO series VALUES (0, 'runs_total', '{"agent":"planner"}', 3.0, 2, 77, NULL);
        """
}
