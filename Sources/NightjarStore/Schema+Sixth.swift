extension Schema {
    /// Step 6: what was counted and is replaced has `counted` above 1 until the replacement is processed; after a crash it is found by these.
    static let sixth = """
        CREATE INDEX scores_unprocessed ON scores (id) WHERE counted > 1;
        CREATE INDEX feedback_unprocessed ON feedback (id) WHERE counted > 1;
        """
}
