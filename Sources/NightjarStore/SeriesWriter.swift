import GRDB
import NightjarBus
import NightjarSignals

/// Writes the totals of series and what their metrics are. Belongs to the writer.
final class SeriesWriter {
    private let update: PreparedStatement
    private let insert: PreparedStatement
    private let delete: PreparedStatement
    private let keepPast: PreparedStatement
    private let forgetPast: PreparedStatement
    private let upsertMetric: PreparedStatement
    /// The metrics as they are committed, so that each is written only when it changes.
    private var metrics: [String: InstrumentDescriptor]
    /// The metrics of the transaction under way.
    private var changed: [String: InstrumentDescriptor] = [:]

    init(_ db: Database) throws {
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
        try remove(staged.removed.map(SeriesID.init(index:)), at: time)
        for (index, total) in staged.totals {
            bind(total, of: index, to: update)
            try update.run()
            guard update.changes == 0 else {
                if !total.buckets.isEmpty { try writeFirstBounds(staged, index) }
                continue
            }
            let series = staged.series(index)
            try write(series.instrument)
            bind(total, of: index, to: insert)
            insert.bind(8, series.instrument.name)
            var labels = Value.Object()
            for label in series.labels { labels[label.name] = .string(label.value) }
            insert.bind(9, labels)
            try insert.run()
        }
    }

    /// Deletes the rows of series. What they were stays as long as their windows do.
    func remove(_ series: [SeriesID], at time: Timestamp) throws {
        guard !series.isEmpty else { return }
        for id in series {
            keepPast.bind(1, Int64(id.index))
            keepPast.bind(2, time)
            try keepPast.run()
            delete.bind(1, Int64(id.index))
            try delete.run()
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
    func rolledBack() { changed = [:] }

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
    private func writeFirstBounds(_ staged: SeriesLedger.Staged, _ index: Int32) throws {
        let instrument = staged.series(index).instrument
        guard instrument.origin == .otlp,
            (changed[instrument.name] ?? metrics[instrument.name])?.buckets == nil
        else { return }
        try write(instrument)
    }

    private func write(_ instrument: InstrumentDescriptor) throws {
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
        return StoredSeries(id: SeriesID(index: id), instrument: instrument, labels: labels, total: total)
    }
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
    var bytes: [UInt8] = []
    bytes.reserveCapacity(counts.count * 8)
    for count in counts { withUnsafeBytes(of: count.bigEndian) { bytes += $0 } }
    return bytes
}

private func unpacked(_ bytes: [UInt8]) -> [UInt64] {
    stride(from: 0, to: bytes.count / 8 * 8, by: 8).map { start in
        bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
