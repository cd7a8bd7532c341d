extension Schema {
    /// Step 3: what plugins keep beyond the process.
    static let third = """
        CREATE TABLE plugins (
            row INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            disabled INTEGER NOT NULL,
            pin_hash TEXT,
            pin_mark TEXT,
            state BLOB,
            state_version TEXT,
            state_hash TEXT
        );
        -- The newest of a plugin is the row with the highest number.
        CREATE TABLE plugin_contents (
            row INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            hash TEXT NOT NULL,
            loaded_at INTEGER NOT NULL,
            packed BLOB NOT NULL,
            UNIQUE (name, hash)
        );
        """
}
