import GRDB
package import NightjarBus
package import NightjarSignals

extension SQLiteStore {
    /// What a metric was: what is committed of it, in one view of the database.
    /// - Throws: ``StoreError``, `timeout` after ``StoreSettings/queryPatience`` among others.
    package func metric(_ plan: MetricPlan, now: Timestamp) throws(StoreError) -> MetricAnswer {
        let end = ContinuousClock.now + settings.queryPatience
        return try look { db in try MetricReading(db, plan, until: end).answer(now: now) }
    }
}

/// Reads the windows of one metric. Made for one query.
private struct MetricReading {
    private struct Series {
        let id: Int32
        let labels: [String: String]

        var isOverflow: Bool {
            labels == [SeriesTable.overflowLabel.name: SeriesTable.overflowLabel.value]
        }
    }

    private let db: Database
    private let plan: MetricPlan
    private let end: ContinuousClock.Instant
    private let block: PreparedStatement

    init(_ db: Database, _ plan: MetricPlan, until end: ContinuousClock.Instant) throws {
        (self.db, self.plan, self.end) = (db, plan, end)
        block = try PreparedStatement(cached: db, Queries.windows(plan.resolution))
    }

    func answer(now: Timestamp) throws -> MetricAnswer {
        let groups = Dictionary(grouping: try series(), by: groupLabels)
        let recent = try recentWindows(of: Set(groups.values.joined().lazy.map(\.id)))
        let blocks = try storedBlocks()
        var tally = MetricTally(plan)
        for (labels, series) in groups {
            for one in series {
                try add(one.id, blocks, to: &tally)
                for (window, values) in recent[one.id] ?? [:] {
                    tally.add(window: window) { sum, _ in sum.add(values) }
                }
                tally.endSeries()
            }
            tally.endGroup(labels)
        }
        return tally.answer(completeUntil: try completeUntil(now))
    }

    /// The series of the metric that pass the filters.
    private func series() throws -> [Series] {
        let statement = try PreparedStatement(cached: db, Queries.seriesOfMetric)
        statement.bind(1, plan.instrument.name)
        let all = try statement.rows { row in
            let labels = row.object(1).entries.map { ($0.key, $0.value.string ?? "") }
            return Series(id: Int32(truncatingIfNeeded: row.int64(0)), labels: Dictionary(labels) { $1 })
        }
        return all.filter { series in
            plan.query.filters.allSatisfy { $0.value.contains(series.labels[$0.key] ?? "") }
        }
    }

    /// The labels of a series that make its group. The overflow series is a group of its own: its labels are not known.
    private func groupLabels(_ series: Series) -> [Label] {
        if series.isOverflow, !plan.query.groupBy.isEmpty { return [SeriesTable.overflowLabel] }
        return plan.query.groupBy.compactMap { name in series.labels[name].map { Label(name, $0) } }
    }

    /// What is not in blocks yet, by series and window.
    private func recentWindows(of series: Set<Int32>) throws -> [Int32: [Int64: WindowValues]] {
        let statement = try PreparedStatement(cached: db, Queries.recentWindows)
        defer { statement.reset() }
        var windows: [Int32: [Int64: WindowValues]] = [:]
        while try statement.next() {
            try checkTime()
            statement.withBytes(0) { bytes in
                RecentWindows.forEach(bytes) { key, add in
                    let window = plan.resolution.window(ofFine: key.window)
                    guard series.contains(key.series),
                        plan.windows.contains(window) || plan.before.contains(window)
                    else { return }
                    add(&windows[key.series, default: [:]][window, default: WindowValues()], true)
                }
            }
        }
        return windows
    }

    /// The blocks that may hold windows of both periods.
    private func storedBlocks() throws -> ClosedRange<Int64>? {
        let ends = try PreparedStatement(cached: db, Queries.windowEnds(plan.resolution)).first { row in
            row.isNull(0) ? nil : (row.int64(0) >> 32, row.int64(1) >> 32)
        }
        guard case (let first, let last)?? = ends else { return nil }
        let oldest = plan.query.compares ? plan.before.lowerBound : plan.windows.lowerBound
        let low = max(first, plan.resolution.block(of: oldest))
        let high = min(last, plan.resolution.block(of: plan.windows.upperBound - 1))
        return low <= high ? low...high : nil
    }

    private func add(_ series: Int32, _ blocks: ClosedRange<Int64>?, to tally: inout MetricTally) throws {
        guard let blocks else { return }
        try checkTime()
        for number in blocks {
            block.bind(1, plan.resolution.key(block: number, series: series))
            guard try block.next() else { continue }
            block.withBytes(0) { bytes in
                WindowBlock(plan.resolution, block: number).forEach(bytes) { window, add in
                    tally.add(window: window, add)
                }
            }
            block.reset()
        }
    }

    /// Until when nothing known of is still to be counted: inputs that are not processed, traces with spans that wait for an
    /// ancestor, and annotations that wait for their trace. What is received is counted where it is received.
    private func completeUntil(_ now: Timestamp) throws -> Timestamp {
        var sources = [Queries.firstUnprocessed]
        if plan.instrument.origin == .nightjar { sources += [Queries.firstPending, Queries.firstUncounted] }
        let waiting = try sources.compactMap { sql in
            try PreparedStatement(cached: db, sql).first { $0.optional(0, $0.time) } ?? nil
        }
        return (waiting + [now]).min() ?? now
    }

    private func checkTime() throws {
        guard ContinuousClock.now < end else {
            throw StoreError(
                code: .timeout,
                detail: "the query reads too much; ask for a shorter range, a longer step or fewer series"
            )
        }
    }
}
