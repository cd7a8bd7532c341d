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

    private let readRecent: PreparedStatement
    private let insertRecent: PreparedStatement
    private let deleteRecent: PreparedStatement
    private let blocks: [BlockTable]
    // Fields are unchecked as in TraceState: one thread at a time, and no access lasts over a call that comes back to it.
    /// What is in rows and not in blocks, with what the transaction under way changes of it.
    @exclusivity(unchecked) private var recent = WindowTable()
    /// How many rows that is.
    @exclusivity(unchecked) private var rows = 0
    /// Whether both hold; they are read again after a transaction that failed.
    @exclusivity(unchecked) private var isKnown = false
    /// Whether the transaction under way has changed them.
    @exclusivity(unchecked) private var isChanged = false
    /// A row under construction; kept for its memory.
    @exclusivity(unchecked) private var row = PackedWriter()
    @exclusivity(unchecked) private var nextMerge = Timestamp(unixNano: .min)

    init(_ db: Database) throws {
        readRecent = try PreparedStatement(db, Queries.recentWindows)
        insertRecent = try PreparedStatement(db, "INSERT INTO windows_recent (windows) VALUES (?)")
        deleteRecent = try PreparedStatement(db, "DELETE FROM windows_recent")
        blocks = try WindowResolution.allCases.map { try BlockTable(db, $0) }
        try know()
    }

    /// Adds what was observed to its windows.
    func write(_ staged: SeriesLedger.Staged, at time: Timestamp) throws {
        try know()
        row.removeAll()
        staged.forEachDestination { delta, series in
            guard delta.pointee.count > 0 else { return }
            isChanged = true
            recent.add(delta, to: series)
            RecentWindows.append(delta, of: series, to: &row)
        }
        guard !row.isEmpty else { return }
        if time >= nextMerge || recent.count > Self.windowLimit {
            nextMerge = time.advanced(by: Self.mergeInterval)
            try moveOldest(max(Self.windowsAtOnce, recent.count / 2))
            try rewrite()
        } else if rows >= Self.rowLimit {
            try rewrite()
        } else {
            try row.withBytes { row throws(StoreError) in try insertRecent.run(binding: row, at: 1) }
            rows += 1
        }
    }

    /// Takes what was written for committed.
    func committed() { isChanged = false }

    /// Forgets what was written.
    func rolledBack() {
        if isChanged { (isKnown, isChanged) = (false, false) }
    }

    /// Reads what the rows hold, where that is not known.
    private func know() throws {
        guard !isKnown else { return }
        recent.removeAll()
        rows = 0
        defer { readRecent.reset() }
        while try readRecent.next() {
            rows += 1
            readRecent.withBytes(0) { bytes in
                RecentWindows.forEach(bytes) { key, add in recent.add(to: key) { add(&$0, true) } }
            }
        }
        isKnown = true
    }

    /// Writes so many of the oldest windows into blocks.
    private func moveOldest(_ limit: Int) throws {
        let oldest = recent.removeOldest(limit)
        for table in blocks { try table.add(oldest) }
    }

    /// Leaves what is not in blocks in one row.
    private func rewrite() throws {
        try deleteRecent.run()
        rows = 0
        guard !recent.isEmpty else { return }
        row.removeAll()
        RecentWindows.append(recent, to: &row)
        try row.withBytes { row throws(StoreError) in try insertRecent.run(binding: row, at: 1) }
        rows = 1
    }
}

/// The blocks of one resolution.
private final class BlockTable {
    private let resolution: WindowResolution
    private let read: PreparedStatement
    private let upsert: PreparedStatement
    /// A row under construction; kept for its memory.
    @exclusivity(unchecked) private var row = PackedWriter()

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

    /// Adds fine windows, those of a series in the order of their time, to their blocks.
    func add(_ windows: [(key: WindowKey, values: WindowValues)]) throws {
        var places = windows.indices.map { place in
            let key = windows[place].key
            let window = resolution.window(ofFine: key.window)
            let block = resolution.key(block: resolution.block(of: window), series: key.series)
            return (block: block, window: window, place: place)
        }
        places.sort { ($0.block, $0.place) < ($1.block, $1.place) }
        var (at, own) = (0, [(window: Int64, values: WindowValues)]())
        while at < places.count {
            let block = places[at].block
            own.removeAll(keepingCapacity: true)
            while at < places.count, places[at].block == block {
                let (_, window, place) = places[at]
                if let last = own.indices.last, own[last].window == window {
                    own[last].values.add(windows[place].values)
                } else {
                    own.append((window, windows[place].values))
                }
                at += 1
            }
            try add(own, to: block)
        }
    }

    private func add(_ windows: [(window: Int64, values: WindowValues)], to block: Int64) throws {
        row.removeAll()
        let merging = WindowBlock(resolution, block: block >> 32)
        read.bind(1, block)
        let isStored =
            try read.first { found in
                found.withBytes(0) { merging.merge($0, windows, into: &row) }
            } != nil
        if !isStored { merging.merge(UnsafeRawBufferPointer(start: nil, count: 0), windows, into: &row) }
        upsert.bind(2, block)
        try row.withBytes { row throws(StoreError) in try upsert.run(binding: row, at: 1) }
    }
}

extension WindowResolution {
    /// The table of its blocks.
    var table: String { self == .fine ? "windows_fine" : "windows_coarse" }
}
