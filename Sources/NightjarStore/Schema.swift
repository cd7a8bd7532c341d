import GRDB

/// The tables, by the steps in which they came about. A step that was released never changes: a new one follows it.
package enum Schema {
    /// All steps, the oldest first.
    package static let steps: [(name: String, sql: String)] = [
        ("1", first), ("2", second), ("3", third), ("4", fourth), ("5", fifth), ("6", sixth), ("7", seventh),
    ]

    /// Which steps a database has; under this name since the first version.
    private static let record = "grdb_migrations"

    /// Brings a database to the newest step, all steps at once: one that fails leaves the database as it was.
    /// - Throws: ``StoreError`` `newerSchema` when it has steps that this program does not know.
    static func migrate(_ database: any DatabaseWriter) throws {
        guard try !database.read(missing).isEmpty else { return }
        try database.writeWithoutTransaction { db in
            try db.inTransaction(.immediate) {
                try db.execute(
                    sql: "CREATE TABLE IF NOT EXISTS \(record) (identifier TEXT NOT NULL PRIMARY KEY)"
                )
                // Another process may have been faster.
                for step in try missing(db) {
                    do {
                        try db.execute(sql: step.sql)
                    } catch {
                        let cause = StoreError(error)
                        throw StoreError(
                            code: cause.code,
                            detail:
                                "step \(step.name) of its tables failed, nothing was changed: \(cause.detail)"
                        )
                    }
                    try db.execute(sql: "INSERT INTO \(record) VALUES (?)", arguments: [step.name])
                }
                return .commit
            }
        }
    }

    /// Checks that a database that may not be changed is at the newest step.
    /// - Throws: ``StoreError`` `newerSchema` or `failed` where it is not.
    static func checkIsCurrent(_ db: Database) throws {
        guard try missing(db).isEmpty else {
            throw StoreError(
                code: .failed,
                detail:
                    "this is no database of Nightjar, or one of an earlier version; start a server on it once"
            )
        }
    }

    /// The steps that a database does not have yet.
    private static func missing(_ db: Database) throws -> [(name: String, sql: String)] {
        guard try db.tableExists(record) else { return steps }
        let found = Set(try String.fetchAll(db, sql: "SELECT identifier FROM \(record)"))
        guard found.isSubset(of: steps.map(\.name)) else {
            throw StoreError(
                code: .newerSchema,
                detail: "a newer version wrote this database; use that version, or another file"
            )
        }
        return steps.filter { !found.contains($0.name) }
    }

    // Ids are big-endian blobs, times are nanoseconds since 1970. A rowid table with an index on a random id appends its
    // rows; one clustered by that id writes a page of its own for each: measured over 400,000 traces 21 to 27 µs against 39.
    private static let first = """
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
        -- One row: up to this number no chunk of any partition is unprocessed.
        CREATE TABLE settled (id INTEGER PRIMARY KEY CHECK (id = 0), seq INTEGER NOT NULL);

        CREATE TABLE traces (
            row INTEGER PRIMARY KEY,
            trace_id BLOB NOT NULL UNIQUE,
            -- The start, or the first receipt while no start is known.
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
            -- No type: a number stays a number, text stays text, anything else is JSON in a blob.
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
}
