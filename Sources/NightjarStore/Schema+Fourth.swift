extension Schema {
    /// Step 4: what lists of traces filter by beyond the first name, the words of logs, what sessions and summaries look up.
    static let fourth = """
        -- Sets of names, each between unit separators; NULL where there is none. Rows from before this step have none: `agent`
        -- still speaks for them, and the other sets hold what comes when the trace goes on.
        ALTER TABLE traces ADD COLUMN models TEXT;
        ALTER TABLE traces ADD COLUMN tools TEXT;
        ALTER TABLE traces ADD COLUMN agents TEXT;
        ALTER TABLE traces ADD COLUMN tags TEXT;

        -- Those that are about a session as a whole are few, and so are those that were replaced.
        CREATE INDEX scores_by_session ON scores (session_id) WHERE session_id IS NOT NULL;
        CREATE INDEX feedback_by_session ON feedback (session_id) WHERE session_id IS NOT NULL;
        CREATE INDEX scores_history_by_time ON scores_history (timestamp);

        -- The words of a line, or of its data where it has no message of its own. The text itself is not stored twice; the
        -- triggers keep the words with their rows, whoever writes or deletes them. A line of twelve words costs about 23 µs,
        -- beside 7 for its row; the sizes of columns serve ranking only, which no list asks for.
        CREATE VIEW logs_words AS
            SELECT row, CASE message WHEN '' THEN data ELSE message END AS words FROM logs;
        CREATE VIRTUAL TABLE logs_text USING fts5(
            words, content = 'logs_words', content_rowid = 'row', columnsize = 0
        );
        CREATE TRIGGER logs_text_insert AFTER INSERT ON logs BEGIN
            INSERT INTO logs_text (rowid, words)
            VALUES (new.row, CASE new.message WHEN '' THEN new.data ELSE new.message END);
        END;
        CREATE TRIGGER logs_text_delete AFTER DELETE ON logs BEGIN
            INSERT INTO logs_text (logs_text, rowid, words)
            VALUES ('delete', old.row, CASE old.message WHEN '' THEN old.data ELSE old.message END);
        END;
        INSERT INTO logs_text (logs_text) VALUES ('rebuild');
        """
}
