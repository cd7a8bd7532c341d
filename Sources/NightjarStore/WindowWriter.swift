import GRDB
import NightjarBus
import NightjarSignals

/// Writes windows of series: what a commit adds as one row, and once a minute what such rows have come to into the blocks of
/// the series. Both in the transaction of the progress that they belong to, so that nothing is lost or doubled by a crash.
/// Belongs to the writer.
final class WindowWriter {
    /// Blocks are written so often: a block of 5 min is then read and written some five times, at about 10 µs.
    private static let mergeInterval = Duration.seconds(60)
    /// So many rows become one, so that a query does not read what a series had of each commit.
    private static let rowLimit = 256
    /// More windows are not kept for it, some 15 MB; then the oldest are written at once.
    private static let windowLimit = 65_536
    /// So many windows go into blocks in one transaction, some 20 ms of work, or half of all where those are more.
    private static let windowsAtOnce = 1024

    private let insertRecent: PreparedStatement
    private let deleteRecent: PreparedStatement
    private let blocks: [BlockTable]
    /// What is in rows and not in blocks.
    private var recent: [WindowKey: WindowValues] = [:]
    /// What the transaction under way adds.
    private var added: [WindowKey: WindowValues] = [:]
    /// What it leaves in rows, where it writes blocks.
    private var left: [WindowKey: WindowValues]?
    private var nextMerge = Timestamp(unixNano: .min)
    /// How many rows there are, as far as is known; those of transactions that were rolled back do no harm.
    private var rows = 0

    init(_ db: Database) throws {
        insertRecent = try PreparedStatement(db, "INSERT INTO windows_recent (windows) VALUES (?)")
        deleteRecent = try PreparedStatement(db, "DELETE FROM windows_recent")
        blocks = try WindowResolution.allCases.map { try BlockTable(db, $0) }
        let rows = try PreparedStatement(db, Queries.recentWindows)
        _ = try rows.rows { row in
            row.withBytes(0) { bytes in
                RecentWindows.forEach(bytes) { key, add in add(&recent[key, default: WindowValues()], true) }
            }
        }
    }

    /// Adds what was observed to its windows.
    func write(_ staged: SeriesLedger.Staged, at time: Timestamp) throws {
        for delta in staged.deltas where delta.count > 0 {
            guard let series = staged.destination(of: delta) else { continue }
            let window = WindowResolution.fine.window(of: delta.time)
            added[WindowKey(series: series, window: window), default: WindowValues()].add(delta.values)
        }
        guard !added.isEmpty else { return }
        if time >= nextMerge || recent.count + added.count > Self.windowLimit {
            nextMerge = time.advanced(by: Self.mergeInterval)
            try merge(windows: Self.windowsAtOnce)
        } else if rows >= Self.rowLimit {
            try merge(windows: 0)
        } else {
            try insertRecent.run(binding: RecentWindows.encoded(added), at: 1)
            rows += 1
        }
    }

    /// Takes what was written for committed.
    func committed() {
        if let left { recent = left } else { recent.merge(added) { $0.adding($1) } }
        rolledBack()
    }

    /// Forgets what was written.
    func rolledBack() {
        left = nil
        if !added.isEmpty { added = [:] }
    }

    /// Writes so many of the oldest of everything that is in rows into blocks, or half of it where that is more, and leaves the
    /// rest in one row.
    private func merge(windows: Int) throws {
        var rest = recent.merging(added) { $0.adding($1) }
        if windows > 0 {
            let keys = rest.keys.sorted { ($0.window, $0.series) < ($1.window, $1.series) }
                .prefix(max(windows, rest.count / 2))
            for table in blocks { try table.add(keys.map { ($0, rest[$0] ?? WindowValues()) }) }
            for key in keys { rest[key] = nil }
        }
        try deleteRecent.run()
        if !rest.isEmpty { try insertRecent.run(binding: RecentWindows.encoded(rest), at: 1) }
        left = rest
        rows = 1
    }
}

/// The blocks of one resolution.
private final class BlockTable {
    private let resolution: WindowResolution
    private let read: PreparedStatement
    private let upsert: PreparedStatement

    init(_ db: Database, _ resolution: WindowResolution) throws {
        self.resolution = resolution
        read = try PreparedStatement(db, Queries.windows(resolution))
        upsert = try PreparedStatement(
            db,
            """
            INSERT INTO \(resolution.table) (windows, id) VALUES (?, ?)
            ON CONFLICT (id) DO UPDATE SET windows = excluded.windows
            """
        )
    }

    /// Adds fine windows to their blocks.
    func add(_ windows: [(key: WindowKey, values: WindowValues)]) throws {
        var blocks: [Int64: [Int64: WindowValues]] = [:]
        for (key, values) in windows {
            let window = resolution.window(ofFine: key.window)
            let block = resolution.key(block: resolution.block(of: window), series: key.series)
            blocks[block, default: [:]][window, default: WindowValues()].add(values)
        }
        for (key, windows) in blocks.sorted(by: { $0.key < $1.key }) {
            read.bind(1, key)
            let stored = try read.first { $0.bytes(0) } ?? []
            let block = WindowBlock(resolution, block: key >> 32)
            upsert.bind(2, key)
            try upsert.run(
                binding: block.merged(
                    stored,
                    windows.sorted { $0.key < $1.key }.map { (window: $0.key, values: $0.value) }
                ),
                at: 1
            )
        }
    }
}

extension WindowResolution {
    /// The table of its blocks.
    var table: String { self == .fine ? "windows_fine" : "windows_coarse" }
}

extension WindowValues {
    fileprivate func adding(_ other: WindowValues) -> WindowValues {
        var sum = self
        sum.add(other)
        return sum
    }
}
