import GRDB
import NightjarStore

/// Databases as each version of the product left them.
enum SchemaRows {
    /// What the version of a step wrote beyond what earlier ones did.
    private static let rows = [
        "1": StepOne.rows,
        "2": """
        INSERT INTO events VALUES (3, X'ABCD0000000000000000000000000002', 0, 1000, 1, X'7B7D');
        INSERT INTO issued VALUES (0, 4);
        INSERT INTO streams VALUES (7, X'0102', 70);
        UPDATE logs SET tags = '["a"]', user_id = 'u', context_tags = '["b"]';
        UPDATE scores SET entity_type = 'agent', context_session_id = 'c' WHERE id = 'a';
        UPDATE feedback SET context_source = 'api';
        UPDATE series SET updated = 78;
        """,
        "3": """
        INSERT INTO plugins VALUES (1, 'tone', 1, 'hash', 'mark', X'01', '1', 'h');
        INSERT INTO plugin_contents VALUES (1, 'tone', 'hash', 5, X'0102');
        """,
        "7": """
        INSERT INTO series_recent VALUES (1, X'000500000000000022409A019C010000');
        """,
    ]

    /// Makes a database of the first so many steps with rows in every table; of tables that are not filled above one row each, of
    /// some value that fits.
    static func make(_ db: Database, steps count: Int) throws {
        try db.execute(sql: "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)")
        for step in Schema.steps.prefix(count) {
            try db.execute(sql: step.sql)
            try db.execute(sql: "INSERT INTO grdb_migrations VALUES (?)", arguments: [step.name])
            if let rows = rows[step.name] { try db.execute(sql: rows) }
        }
        for table in try tables(db) where try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table)") == 0 {
            let types = try String.fetchAll(db, sql: "SELECT upper(type) FROM pragma_table_info('\(table)')")
            let values = types.map { type in
                switch type {
                case "INTEGER": "0"
                case "REAL": "0.5"
                case "BLOB": "X'00'"
                default: "'x'"
                }
            }
            try db.execute(sql: "INSERT INTO \(table) VALUES (\(values.joined(separator: ", ")))")
        }
    }

    /// The tables that hold rows of their own: those behind an index of words follow what they are made from.
    static func tables(_ db: Database) throws -> [String] {
        let virtual = try String.fetchAll(
            db,
            sql: "SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL%'"
        )
        return try String.fetchAll(
            db,
            sql: """
                SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'
                    AND name <> 'grdb_migrations' ORDER BY name
                """
        ).filter { name in !virtual.contains { name == $0 || name.hasPrefix("\($0)_") } }
    }

    /// Every row of some columns of a table, as text.
    static func contents(_ db: Database, _ table: String, _ columns: [String]) throws -> [String] {
        let list = columns.map { "quote(\($0))" }.joined(separator: " || ',' || ")
        return try String.fetchAll(db, sql: "SELECT \(list) FROM \(table) ORDER BY 1")
    }

    /// The columns of a table.
    static func columns(_ db: Database, _ table: String) throws -> [String] {
        try String.fetchAll(db, sql: "SELECT name FROM pragma_table_info('\(table)') ORDER BY cid")
    }

    /// How the database is built, and which steps it has.
    static func shape(_ db: Database) throws -> [String] {
        try String.fetchAll(db, sql: "SELECT ifnull(sql, name) FROM sqlite_schema ORDER BY 1")
            + String.fetchAll(db, sql: "SELECT identifier FROM grdb_migrations ORDER BY 1")
    }
}
