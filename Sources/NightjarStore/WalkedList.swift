import GRDB
import NightjarBus
import NightjarSignals

/// A list that is read along an index, newest first unless it says otherwise, a bounded number of rows at a time.
struct WalkedList {
    /// By what the walk goes.
    enum Order {
        /// A column of time, then the row.
        case time(String)
        /// The row alone, as an expression, and another that gives its time.
        case row(String, time: String)
    }

    /// Where a page is read from.
    let source: String
    /// Where the walk goes on without reading whole rows; the same index serves both.
    let path: String
    /// What is read of a row; behind it come its time and its row.
    let columns: String
    let order: Order
    /// What the index itself is looked up by.
    var fixed = Conditions()
    /// What each row on the way is held to.
    var filters = Conditions()
    /// Not before; for walks along a time.
    var from: Timestamp?
    /// Before; for walks along a time.
    var to: Timestamp?
    /// Whether it goes from the oldest to the newest; for walks along a time.
    var isAscending = false

    init(_ table: String, columns: String, order: Order, path: String? = nil) {
        source = table
        self.path = path ?? table
        self.columns = columns
        self.order = order
    }

    private var time: String {
        switch order {
        case .time(let column): column
        case .row(_, let time): time
        }
    }

    private var row: String {
        switch order {
        case .time: "row"
        case .row(let row, _): row
        }
    }

    private var range: [String] {
        switch order {
        case .time(let column) where isAscending:
            ["(\(column), row) > (?, ?)", "(\(column), row) <= (?, ?)"]
        case .time(let column): ["(\(column), row) < (?, ?)", "(\(column), row) >= (?, ?)"]
        case .row(let row, _): ["\(row) < ?", "\(row) >= ?"]
        }
    }

    private var sorting: String {
        switch order {
        case .time(let column) where isAscending: "\(column), row"
        case .time(let column): "\(column) DESC, row DESC"
        case .row(let row, _): "\(row) DESC"
        }
    }

    /// One page between two places: the columns, the time and the row.
    var page: String {
        let clauses = (fixed.clauses + filters.clauses + range).joined(separator: " AND ")
        return
            "SELECT \(columns), \(time), \(row) FROM \(source) WHERE \(clauses) ORDER BY \(sorting) LIMIT ?"
    }

    /// The place so many rows on, whatever is filtered.
    var edge: String {
        let clauses = (fixed.clauses + range).joined(separator: " AND ")
        return "SELECT \(time), \(row) FROM \(path) WHERE \(clauses) ORDER BY \(sorting) LIMIT 1 OFFSET ?"
    }

    /// The column of the time, in what a page reads.
    var timeColumn: Int32 { Int32(columns.split(separator: ",").count) }

    /// Where a walk begins that goes on behind a place.
    func start(after cursor: PageCursor?) -> PageCursor {
        if isAscending { return max(cursor ?? .start, lower) }
        let end = to.map { PageCursor(time: $0.unixNano, row: .min) } ?? .end
        return cursor.map { min($0, end) } ?? end
    }

    /// Where it ends.
    var stop: PageCursor {
        guard isAscending else { return lower }
        return to.map { PageCursor(time: $0.unixNano, row: .min) } ?? .end
    }

    private var lower: PageCursor { from.map { PageCursor(time: $0.unixNano, row: .min) } ?? .start }

    /// Binds a place; the number of the next.
    func bind(_ place: PageCursor, to statement: PreparedStatement, at index: Int32) -> Int32 {
        guard case .time = order else {
            statement.bind(index, place.row)
            return index + 1
        }
        statement.bind(index, place.time)
        statement.bind(index + 1, place.row)
        return index + 2
    }
}

extension PageCursor: Comparable {
    /// Before everything.
    static let start = PageCursor(time: .min, row: .min)
    /// Behind everything.
    static let end = PageCursor(time: .max, row: .max)

    /// By time, then by row.
    package static func < (left: PageCursor, right: PageCursor) -> Bool {
        (left.time, left.row) < (right.time, right.row)
    }
}

/// What a walk came to.
struct WalkedPage<Record> {
    /// The records that fit, newest first, each with its place.
    var records: [(record: Record, place: PageCursor)] = []
    /// Where to go on; nil at the end.
    var next: PageCursor?
    /// Where a walk ended that went as far as it may without filling its page.
    var scannedUntil: Timestamp?
}

/// How far one answer may walk.
struct WalkBounds {
    /// How many rows.
    let rows: Int
    /// How long; the step at hand is done.
    let patience: Duration

    init(_ settings: StoreSettings) {
        self.init(rows: settings.walkedRows, patience: settings.walkPatience)
    }

    init(rows: Int, patience: Duration) {
        self.rows = rows
        self.patience = patience
    }
}

/// As many rows as a page of a list may hold.
func held(_ limit: Int) -> Int { min(max(limit, 1), TraceQuery.largestLimit) }

/// Walks until a page is full, the list ends or the bounds are met. Steps grow, so that a page whose rows lie together costs few
/// looks ahead and a search far back few statements.
func walk<Record>(
    _ db: Database,
    _ list: WalkedList,
    after cursor: PageCursor?,
    limit: Int,
    _ bounds: WalkBounds,
    _ read: (PreparedStatement) throws -> Record
) throws -> WalkedPage<Record> {
    let (edges, rows) = (try PreparedStatement(db, list.edge), try PreparedStatement(db, list.page))
    let started = ContinuousClock.now
    var page = WalkedPage<Record>()
    var (place, walked, step) = (list.start(after: cursor), 0, min(1_000, bounds.rows))
    while true {
        let edge = try list.edge(edges, from: place, step: step)
        page.records += try list.rows(
            rows,
            from: place,
            to: edge ?? list.stop,
            // One more than the page holds, to know whether there is another.
            limit: limit + 1 - page.records.count,
            read
        )
        if page.records.count > limit {
            page.records.removeLast()
            page.next = page.records.last?.place
            return page
        }
        guard let edge else { return page }
        walked += step
        if walked >= bounds.rows || ContinuousClock.now - started >= bounds.patience {
            page.next = edge
            page.scannedUntil = Timestamp(unixNano: edge.time)
            return page
        }
        place = edge
        step = min(step * 8, 64_000, bounds.rows - walked)
    }
}

extension WalkedList {
    /// The last of so many rows behind a place; nil where there are no more than that.
    fileprivate func edge(
        _ statement: PreparedStatement,
        from place: PageCursor,
        step: Int
    ) throws -> PageCursor? {
        var index = fixed.bind(to: statement)
        index = bind(place, to: statement, at: index)
        index = bind(stop, to: statement, at: index)
        statement.bind(index, max(step, 1) - 1)
        return try statement.first { PageCursor(time: $0.int64(0), row: $0.int64(1)) }
    }

    fileprivate func rows<Record>(
        _ statement: PreparedStatement,
        from place: PageCursor,
        to edge: PageCursor,
        limit: Int,
        _ read: (PreparedStatement) throws -> Record
    ) throws -> [(record: Record, place: PageCursor)] {
        var index = fixed.bind(to: statement)
        index = filters.bind(to: statement, at: index)
        index = bind(place, to: statement, at: index)
        index = bind(edge, to: statement, at: index)
        statement.bind(index, limit)
        let time = timeColumn
        return try statement.rows {
            (try read($0), PageCursor(time: $0.int64(time), row: $0.int64(time + 1)))
        }
    }
}
