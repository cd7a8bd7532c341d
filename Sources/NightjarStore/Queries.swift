import GRDB
package import NightjarBus
import NightjarSignals

/// The statements that look things up by trace.
package enum Queries {
    /// The record of one trace.
    package static let trace = "SELECT \(Columns.trace) FROM traces WHERE trace_id = ?"
    /// The chunks of one trace.
    package static let chunks = "SELECT \(Columns.chunk) FROM journal WHERE \(chunksOfTrace) ORDER BY seq"
    /// The condition on chunks that they are of one trace. The id is asked for as well: it alone says whose a chunk is.
    static let chunksOfTrace = """
        seq IN (SELECT seq FROM trace_chunks WHERE trace = (SELECT row FROM traces WHERE trace_id = ?1)) \
        AND +trace_id = ?1
        """
    /// The scores of one trace.
    package static let scores =
        "SELECT \(SignalTable.scores.columns), created_at FROM scores WHERE trace_id = ? ORDER BY row"
    /// The feedback on one trace.
    package static let feedback =
        "SELECT \(SignalTable.feedback.columns), created_at FROM feedback WHERE trace_id = ? ORDER BY row"
    /// The logs of one trace.
    package static let logs = """
        SELECT \(SignalTable.logs.columns), created_at, row FROM logs WHERE trace_id = ? ORDER BY timestamp, row
        """
    /// The earlier versions of one score.
    package static let scoreHistory = """
        SELECT \(SignalTable.scores.columns), created_at, replaced_at FROM scores_history WHERE id = ? ORDER BY row
        """
    /// The earlier versions of one feedback.
    package static let feedbackHistory = """
        SELECT \(SignalTable.feedback.columns), created_at, replaced_at FROM feedback_history WHERE id = ?
        ORDER BY row
        """
    /// What is remembered of one stream.
    package static let stream = "SELECT id, state, time FROM streams WHERE id = ?"
    /// What is kept of each plugin.
    package static let plugins = "SELECT \(Columns.plugin) FROM plugins ORDER BY name"
    /// The contents of one plugin, the newest first.
    package static let pluginContents =
        "SELECT hash, loaded_at, packed FROM plugin_contents WHERE name = ? ORDER BY row DESC"
    /// What commits have added to windows and blocks do not have yet.
    package static let recentWindows = "SELECT windows FROM windows_recent ORDER BY row"
    /// What commits have changed of totals and the rows of series do not have yet; of two totals of a series the later one holds.
    package static let recentTotals = "SELECT totals FROM series_recent ORDER BY row"
    /// One block of windows of a series.
    package static func windows(_ resolution: WindowResolution) -> String {
        "SELECT windows FROM \(resolution.table) WHERE id = ?"
    }
    /// The first and the last key of blocks.
    package static func windowEnds(_ resolution: WindowResolution) -> String {
        "SELECT (SELECT min(id) FROM \(resolution.table)), (SELECT max(id) FROM \(resolution.table))"
    }
    /// The series of one metric, and those that it had.
    package static let seriesOfMetric = """
        SELECT id, labels FROM series WHERE metric = ?1
        UNION ALL
        SELECT id, labels FROM series_past WHERE metric = ?1
        """
    /// When the first input came that is not processed.
    package static let firstUnprocessed = """
        SELECT min(received_at) FROM (
            SELECT * FROM (
                SELECT received_at FROM journal WHERE seq > ifnull((SELECT seq FROM settled), 0) ORDER BY seq LIMIT 1
            )
            UNION ALL
            SELECT * FROM (
                SELECT received_at FROM events WHERE seq > ifnull((SELECT seq FROM settled), 0) ORDER BY seq LIMIT 1
            )
        )
        """
    /// When the first of the traces began that have spans which wait. Of traces that are open only those that came first are
    /// looked at: the others began later.
    package static let firstPending = """
        SELECT min(sort_time) FROM (
            SELECT sort_time, pending FROM traces WHERE is_open = 1 OR pending IS NOT NULL
            ORDER BY first_received LIMIT 10000
        ) WHERE pending IS NOT NULL
        """
    /// When the first annotation was made that waits for its trace.
    package static let firstUncounted = """
        SELECT min(timestamp) FROM (
            SELECT * FROM (SELECT timestamp FROM scores WHERE counted = 0 ORDER BY id LIMIT 10000)
            UNION ALL
            SELECT * FROM (SELECT timestamp FROM feedback WHERE counted = 0 ORDER BY id LIMIT 10000)
        )
        """
    /// Beyond the first number and up to the second, at most so many chunks of both kinds in order.
    package static let journal = """
        SELECT \(Columns.chunk), 0 FROM journal WHERE seq > ?1 AND seq <= ?2
        UNION ALL
        SELECT \(Columns.events), 1 FROM events WHERE seq > ?1 AND seq <= ?2
        ORDER BY 1 LIMIT ?3
        """
}

/// One page of traces. The statements are not kept: conditions combine in too many ways for a cache.
func readTraces(_ db: Database, _ query: TraceQuery, _ bounds: WalkBounds) throws -> WalkedPage<TraceRecord> {
    try walk(db, WalkedList(query), after: query.cursor, limit: held(query.limit), bounds) { try $0.trace() }
}
