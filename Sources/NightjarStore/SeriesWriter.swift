import GRDB
import NightjarBus
import NightjarSignals

/// Writes the totals of series and what their metrics are: of series that have a row what a commit changes of them as one row,
/// and once a minute what such rows have come to into the rows of the series, which take 20 times as long to write. Both in the
/// transaction of the progress that they belong to. Belongs to the writer.
final class SeriesWriter {
    /// The rows of series are written so often.
    private static let flushInterval = Duration.seconds(60)
    /// So many rows of totals are read at a start.
    private static let rowLimit = 256
    /// When so many series have other totals than their rows, these are written at once: some 40 ms of work.
    private static let seriesLimit = 16_384

    private let readRecent: PreparedStatement
    private let insertRecent: PreparedStatement
    private let deleteRecent: PreparedStatement
    private let readNumbers: PreparedStatement
    private let update: PreparedStatement
    private let insert: PreparedStatement
    private let delete: PreparedStatement
    private let keepPast: PreparedStatement
    private let forgetPast: PreparedStatement
    private let upsertMetric: PreparedStatement
    // Fields are unchecked as in TraceState: one thread at a time, and no access lasts over a call that comes back to it.
    /// The metrics as they are committed, so that each is written only when it changes.
    @exclusivity(unchecked) private var metrics: [String: InstrumentDescriptor]
    /// The metrics of the transaction under way.
    @exclusivity(unchecked) private var changed: [String: InstrumentDescriptor] = [:]
    /// The series that have a row.
    @exclusivity(unchecked) private var stored = SeriesNumbers()
    /// The totals that are newer than their rows.
    @exclusivity(unchecked) private var recent = SeriesTotals()
    /// How many rows of them there are.
    @exclusivity(unchecked) private var rows = 0
    /// Whether the three hold; they are read again after a transaction that failed.
    @exclusivity(unchecked) private var isKnown = false
    @exclusivity(unchecked) private var nextFlush = Timestamp(unixNano: .min)
    /// Histograms whose metric is known to be stored with its bounds.
    @exclusivity(unchecked) private var bounded = SeriesNumbers()
    /// A row under construction; kept for its memory.
    @exclusivity(unchecked) private var row = PackedWriter()

    init(_ db: Database) throws {
        readRecent = try PreparedStatement(db, Queries.recentTotals)
        insertRecent = try PreparedStatement(db, "INSERT INTO series_recent (totals) VALUES (?)")
        deleteRecent = try PreparedStatement(db, "DELETE FROM series_recent")
        readNumbers = try PreparedStatement(db, "SELECT id FROM series")
        update = try PreparedStatement(
            db,
            "UPDATE series SET sum = ?, count = ?, time = ?, buckets = ?, updated = ?, sketch = ? WHERE id = ?"
        )
        insert = try PreparedStatement(
            db,
            """
            INSERT INTO series (sum, count, time, buckets, updated, sketch, id, metric, labels)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        )
        delete = try PreparedStatement(db, "DELETE FROM series WHERE id = ?")
        keepPast = try PreparedStatement(
            db,
            """
            INSERT OR REPLACE INTO series_past (id, metric, labels, removed_at)
            SELECT id, metric, labels, ?2 FROM series WHERE id = ?1
            """
        )
        // The last number stays taken.
        forgetPast = try PreparedStatement(
            db,
            "DELETE FROM series_past WHERE removed_at < ? AND id < (SELECT max(id) FROM series_past)"
        )
        upsertMetric = try PreparedStatement(
            db,
            """
            INSERT INTO metrics (name, type, help, unit, bounds, value_range, origin)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (name) DO UPDATE SET type = excluded.type, help = excluded.help, unit = excluded.unit,
                bounds = excluded.bounds, value_range = excluded.value_range,
                origin = excluded.origin
            """
        )
        metrics = try readMetrics(db)
    }

    /// Writes the totals of series whole.
    func write(_ staged: SeriesLedger.Staged, at time: Timestamp) throws {
        try know()
        try remove(staged.removed.map(SeriesID.init(index:)), at: time)
        row.removeAll()
        try staged.totals.visit { index, total throws(StoreError) in
            guard stored.contains(index) else { return try insert(total, staged.series(index)) }
            if !total.buckets.isEmpty { try writeFirstBounds(staged, index) }
            recent.set(total, of: index)
            RecentTotals.append(total, of: index, to: &row)
        }
        if time >= nextFlush || recent.count > Self.seriesLimit || rows >= Self.rowLimit {
            nextFlush = time.advanced(by: Self.flushInterval)
            try flush()
        } else if !row.isEmpty {
            try row.withBytes { row throws(StoreError) in try insertRecent.run(binding: row, at: 1) }
            rows += 1
        }
    }

    private func insert(_ total: SeriesTotal, _ series: StoredSeries) throws(StoreError) {
        try write(series.instrument)
        bind(total, of: series.id.index, to: insert)
        insert.bind(8, series.instrument.name)
        var labels = Value.Object()
        for label in series.labels { labels[label.name] = .string(label.value) }
        insert.bind(9, labels)
        try insert.run()
        stored.insert(series.id.index)
    }

    /// Writes every total into its row.
    private func flush() throws {
        // In the order of their rows: those that lie together are found together.
        for index in recent.numbers {
            guard let total = recent[index] else { continue }
            bind(total, of: index, to: update)
            try update.run()
            // Somebody else deleted it: it is made again when it goes on.
            if update.changes == 0 { stored.remove(index) }
        }
        try deleteRecent.run()
        recent.removeAll()
        rows = 0
    }

    /// Reads what is stored, where that is not known.
    private func know() throws {
        guard !isKnown else { return }
        stored = SeriesNumbers(try readNumbers.rows { Int32(truncatingIfNeeded: $0.int64(0)) })
        let read = try readRecentTotals(readRecent)
        rows = read.rows
        recent.removeAll()
        for (index, total) in read.totals where stored.contains(index) { recent.set(total, of: index) }
        isKnown = true
    }

    /// Deletes the rows of series. What they were stays as long as their windows do.
    func remove(_ series: [SeriesID], at time: Timestamp) throws {
        guard !series.isEmpty else { return }
        try know()
        for id in series {
            stored.remove(id.index)
            recent.remove(id.index)
            keepPast.bind(1, Int64(id.index))
            keepPast.bind(2, time)
            try keepPast.run()
            delete.bind(1, Int64(id.index))
            try delete.run()
            bounded.remove(id.index)
        }
        forgetPast.bind(1, time.advanced(by: .zero - WindowResolution.coarse.age))
        try forgetPast.run()
    }

    /// Takes what was written for committed.
    func committed() {
        metrics.merge(changed) { $1 }
        changed = [:]
    }

    /// Forgets what was written.
    func rolledBack() {
        changed = [:]
        bounded = SeriesNumbers()
        isKnown = false
    }

    private func bind(_ total: SeriesTotal, of index: Int32, to statement: PreparedStatement) {
        statement.bind(1, total.sum)
        // Counts beyond 2^63 do not happen; the bits are kept all the same.
        statement.bind(2, Int64(bitPattern: total.count))
        statement.bind(3, total.time)
        if total.buckets.isEmpty {
            statement.bindNull(4)
        } else {
            statement.bind(4, packed(total.buckets))
        }
        statement.bind(5, total.updated)
        if let sketch = total.sketch { statement.bind(6, sketch.encoded) } else { statement.bindNull(6) }
        statement.bind(7, Int64(index))
    }

    /// Writes the metric of a series that was received without bounds first, and then with them.
    private func writeFirstBounds(_ staged: SeriesLedger.Staged, _ index: Int32) throws(StoreError) {
        guard bounded.insert(index) else { return }
        let instrument = staged.series(index).instrument
        guard instrument.origin == .otlp,
            (changed[instrument.name] ?? metrics[instrument.name])?.buckets == nil
        else { return }
        try write(instrument)
    }

    private func write(_ instrument: InstrumentDescriptor) throws(StoreError) {
        guard (changed[instrument.name] ?? metrics[instrument.name]) != instrument else { return }
        upsertMetric.bind(1, instrument.name)
        upsertMetric.bind(2, instrument.type.rawValue)
        upsertMetric.bind(3, instrument.help)
        upsertMetric.bind(4, instrument.unit)
        upsertMetric.bind(5, instrument.buckets.map(numbersJSON))
        upsertMetric.bind(6, instrument.range.map { numbersJSON([$0.lowerBound, $0.upperBound]) })
        upsertMetric.bind(7, instrument.origin.rawValue)
        try upsertMetric.run()
        changed[instrument.name] = instrument
    }
}

/// Every series with its metric and total, by number.
func readSeries(_ db: Database) throws -> [StoredSeries] {
    let metrics = try readMetrics(db)
    let statement = try PreparedStatement(
        db,
        "SELECT id, metric, labels, sum, count, time, buckets, updated, sketch FROM series ORDER BY id"
    )
    let recent = try readRecentTotals(PreparedStatement(db, Queries.recentTotals)).totals
    return try statement.rows { row in
        guard let id = Int32(exactly: row.int64(0)), let instrument = metrics[row.text(1)] else {
            throw StoreError(code: .corrupt, detail: "series \(row.int64(0)) has no metric")
        }
        var total = SeriesTotal()
        // NaN has no other form in a column.
        total.sum = row.optional(3, row.double) ?? .nan
        total.count = UInt64(bitPattern: row.int64(4))
        total.time = row.time(5)
        total.buckets = unpacked(row.bytes(6))
        total.updated = row.optional(7, row.time) ?? total.updated
        if let bytes = row.optional(8, row.bytes) {
            guard let sketch = QuantileSketch(encoded: bytes) else {
                throw StoreError(code: .corrupt, detail: "the sketch of series \(id) cannot be read")
            }
            total.sketch = sketch
        }
        let labels = row.object(2).entries.map { Label($0.key, $0.value.string ?? "") }
        return StoredSeries(
            id: SeriesID(index: id),
            instrument: instrument,
            labels: labels,
            total: recent[id] ?? total
        )
    }
}

/// The totals that are newer than the rows of their series, those of series that are no more among them, and in how many rows
/// they are.
private func readRecentTotals(
    _ statement: PreparedStatement
) throws -> (totals: [Int32: SeriesTotal], rows: Int) {
    var (totals, rows): ([Int32: SeriesTotal], Int) = ([:], 0)
    defer { statement.reset() }
    while try statement.next() {
        rows += 1
        guard statement.withBytes(0, { RecentTotals.forEach($0) { totals[$0] = $1 } }) else {
            throw StoreError(code: .corrupt, detail: "row \(rows) of the last totals cannot be read")
        }
    }
    return (totals, rows)
}

/// The number behind the last series that there is or was.
func readFirstFreeSeries(_ db: Database) throws -> Int32 {
    let last = try PreparedStatement(
        db,
        """
        SELECT max(ifnull((SELECT max(id) FROM series), -1), ifnull((SELECT max(id) FROM series_past), -1))
        """
    ).first { $0.int64(0) }
    return Int32(clamping: (last ?? -1) + 1)
}

private func readMetrics(_ db: Database) throws -> [String: InstrumentDescriptor] {
    let statement = try PreparedStatement(
        db,
        "SELECT name, type, help, unit, bounds, value_range, origin FROM metrics"
    )
    let metrics = try statement.rows { row in
        guard let type = MetricType(rawValue: row.text(1)), let origin = MetricOrigin(rawValue: row.text(6))
        else {
            throw StoreError(code: .corrupt, detail: "metric \(row.text(0)) is of no known type or origin")
        }
        let range = try row.optional(5, row.text).map(numbers) ?? []
        return InstrumentDescriptor(
            name: row.text(0),
            type: type,
            help: row.text(2),
            unit: row.text(3),
            buckets: try row.optional(4, row.text).map(numbers),
            range: range.count == 2 && range[0] <= range[1] ? range[0]...range[1] : nil,
            origin: origin
        )
    }
    return Dictionary(metrics.map { ($0.name, $0) }) { $1 }
}

private func numbersJSON(_ numbers: [Double]) -> String { Value.array(numbers.map(Value.double)).json }

private func numbers(_ json: String) throws -> [Double] {
    try Value(json: json).array?.compactMap(\.number) ?? []
}

/// The counts as 8 big-endian bytes each.
private func packed(_ counts: [UInt64]) -> [UInt8] {
    counts.map { $0.bigEndian }.withUnsafeBytes(Array.init)
}

private func unpacked(_ bytes: [UInt8]) -> [UInt64] {
    stride(from: 0, to: bytes.count / 8 * 8, by: 8).map { start in
        bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
