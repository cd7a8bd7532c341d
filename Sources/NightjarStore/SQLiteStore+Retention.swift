import GRDB
import NightjarBus
import NightjarSignals

extension SQLiteStore {
    /// Keeps everything for so long from now on, whatever was said at the start; nil: for ever.
    package func setRetention(_ retention: Retention?) { writer.set(retention) }

    /// Deletes what a plan says, in steps between what the writer does for others, until all is done or the time is over. What it
    /// deleted; its `sweeps` is 0 where there is more, and a further call goes on. Blocks.
    /// - Throws: ``StoreError``; what was done before it stays done.
    package func sweep(_ plan: SweepPlan, atMost limit: Duration) throws(StoreError) -> SweepCount {
        let answer = Answer<SweepCount>()
        try writer.sweep(plan, until: .now + limit, completion: answer.give)
        return try answer.wait(atMost: limit + settings.flushPatience)
    }

    /// Writes the database anew without what is free, and so that later it can give pages back by itself. By how many bytes it
    /// became smaller. Nothing else is done meanwhile. Blocks.
    /// - Throws: ``StoreError``, `full` where there is no room for both.
    package func compact() throws(StoreError) -> Int {
        try storeErrors {
            try database.writeWithoutTransaction { db in
                let before = try Int.fetchOne(db, sql: Self.fileBytes) ?? 0
                try db.execute(
                    sql: "PRAGMA auto_vacuum = INCREMENTAL; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)"
                )
                return try before - (Int.fetchOne(db, sql: Self.fileBytes) ?? 0)
            }
        }
    }

    private static var fileBytes: String {
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    }

    /// What a sweep would delete now; nothing of it is done. Bytes are not counted.
    /// - Throws: ``StoreError``, `timeout` where it takes longer than `limit`.
    package func forecast(_ plan: SweepPlan, atMost limit: Duration) throws(StoreError) -> SweepCount {
        try storeErrors {
            try database.read { db in
                try interrupting(db, by: ReadWatch(patience: limit)) { try readForecast(db, plan) }
            }
        }
    }
}

private func readForecast(_ db: Database, _ plan: SweepPlan) throws -> SweepCount {
    func count(_ sql: String, _ times: Timestamp?...) throws -> Int {
        let statement = try PreparedStatement(db, "SELECT count(*) FROM " + sql)
        for (index, time) in times.enumerated() {
            statement.bind(Int32(index) + 1, time ?? Timestamp(unixNano: .min))
        }
        return try statement.first { $0.int(0) } ?? 0
    }
    let expired = "traces WHERE last_received < ? AND is_open = 0 AND pending IS NULL"
    let isOfExpired = "trace_id IN (SELECT trace_id FROM \(expired))"
    func annotations(_ table: String) throws -> Int {
        let isOld = """
            created_at < ?1
            AND NOT EXISTS (SELECT 1 FROM \(table)_history AS h WHERE h.id = \(table).id AND h.replaced_at >= ?1)
            """
        guard !plan.keepsScores else {
            return try count("\(table) WHERE counted = 1 AND \(isOld)", plan.scores)
        }
        return try count(
            "\(table) WHERE counted = 1 AND (\(isOld) OR \(isOfExpired))",
            plan.scores,
            plan.traces
        )
    }
    var found = SweepCount()
    found.traces = try count(expired, plan.traces)
    found.logs = try count("logs WHERE created_at < ? OR \(isOfExpired)", plan.logs, plan.traces)
    found.scores = try annotations("scores")
    found.feedback = try annotations("feedback")
    for windows in ExpiringWindows.all {
        guard let time = windows.cutoff(plan) else { continue }
        let key = Timestamp(unixNano: windows.resolution.keys(before: time))
        found.windows += try count("\(windows.table) WHERE id < ?", key)
    }
    return found
}
