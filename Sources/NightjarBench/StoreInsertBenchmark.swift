import CNightjarBench
import Foundation
import NightjarBus
import NightjarOTLP
import NightjarSignals
import NightjarStore
import NightjarTesting
import Synchronization

/// What it costs to store spans that are decoded and processed already: the store's own way, and SQLite's bulk insert of the rows
/// that came of it.
enum StoreInsertBenchmark {
    /// So many requests wait for their commit at once, as so many connections would.
    private static let connections = 8

    static func run(_ options: BenchOptions) throws -> [BenchRow] {
        let load = Load(spans: options.scaled(60_000))
        let stock = try StoreStock(load)
        var (own, bulk, parts): ([Double], [Double], [Double]) = ([], [], [])
        var note = ""
        for run in 0...options.runs {
            let folder = try TemporaryFolder()
            let stored = try store(stock, load, in: folder.path("own.db"))
            let copied = try copy(folder.path("own.db"), to: folder.path("bulk.db"), stored.commits)
            guard run > 0 else { continue }
            let count = Double(load.spanCount)
            own.append(stored.spent / count)
            bulk.append(copied.spent / count)
            parts.append(stored.spent / copied.spent)
            let bytes = try FileManager.default.attributesOfItem(atPath: folder.path("own.db"))[.size] as? Int
            note =
                "\(load.spanCount) spans, \(stock.chunkCount) chunks, \(copied.rows) rows, "
                + "\(stored.commits) commits, \((bytes ?? 0) / load.spanCount) B/span"
        }
        return [
            BenchRow(name: "store-insert", unit: "µs/span", spread: Spread(own), note: note),
            BenchRow(
                name: "  SQLite's bulk insert of the rows",
                unit: "µs/span",
                spread: Spread(bulk),
                note: "in C, as many commits"
            ),
            BenchRow(name: "  ratio", unit: "", spread: Spread(parts)),
        ]
    }

    /// Stores everything; microseconds of processor time, and how many commits there were.
    private static func store(
        _ stock: StoreStock,
        _ load: Load,
        in path: String
    ) throws -> (spent: Double, commits: Int) {
        let ledger = SeriesLedger(table: stock.table)
        let store = try SQLiteStore(.file(path), ledger: ledger)
        _ = try store.recover()
        let start = processNanoseconds()
        try feed(stock, to: store)
        try store.flush()
        let spent = Double(processNanoseconds() - start) / 1000
        let commits = store.status.commits
        try store.close()
        let differences = LoadTotals(ledger.snapshot()).differences(
            from: load.totals.leavingOutPlugins(),
            times: 1
        )
        guard differences.isEmpty else {
            throw BenchFailure(description: "wrong counts:\n\(differences.joined(separator: "\n"))")
        }
        return (spent, commits)
    }

    /// Submits requests, some at once, and hands over the effects of each when it is on the disk.
    private static func feed(_ stock: StoreStock, to store: SQLiteStore) throws {
        let slots = DispatchSemaphore(value: 0)
        for _ in 0..<connections { slots.signal() }
        let done = Mutex<[Int]>([])
        let failures = Counter()
        func handOver() {
            let ready = done.withLock { done in
                defer { done = [] }
                return done
            }
            for index in ready { store.commit(stock.requests[index].effects) {} }
        }
        for (index, request) in stock.requests.enumerated() {
            slots.wait()
            handOver()
            try store.submit(
                Submission(chunks: request.chunks, receivedAt: Load.receivedAt) { outcome in
                    if case .failure = outcome { _ = failures.advance() }
                    done.withLock { $0.append(index) }
                    slots.signal()
                }
            )
        }
        for _ in 0..<connections { slots.wait() }
        handOver()
        store.commit(stock.ends) {}
        guard failures.value == 0 else {
            throw BenchFailure(description: "store-insert: \(failures.value) requests failed")
        }
    }

    /// Inserts the rows of a database into another; microseconds of processor time, and how many rows there are.
    private static func copy(
        _ source: String,
        to target: String,
        _ commits: Int
    ) throws -> (spent: Double, rows: Int64) {
        guard let copy = bulk_read(source) else {
            throw BenchFailure(description: "store-insert: the rows cannot be read")
        }
        defer { bulk_free(copy) }
        let created = bulk_create(copy, target)
        let start = processNanoseconds()
        let inserted = created == 0 ? bulk_insert(copy, Int32(clamping: commits)) : created
        let spent = Double(processNanoseconds() - start) / 1000
        let rows = bulk_close(copy)
        guard inserted == 0, rows == bulk_rows(copy) else {
            throw BenchFailure(
                description: "store-insert: \(rows) rows instead of \(bulk_rows(copy)), code \(inserted)"
            )
        }
        return (spent, rows)
    }
}

/// Requests as they reach the store: their chunks, and what processing makes of them.
private struct StoreStock {
    struct Request {
        var chunks: [JournalChunk]
        var effects: Effects
    }

    private(set) var requests: [Request] = []
    /// What the ends of the traces bring.
    private(set) var ends = Effects()
    /// The series that all of it counts for.
    let table: SeriesTable

    var chunkCount: Int { requests.reduce(0) { $0 + $1.chunks.count } }

    init(_ load: Load) throws {
        let pass = try CorePass(.effects)
        table = pass.table
        var made = Effects()
        pass.onEffects = { made = $0 }
        var sequence: Int64 = 0
        for request in try load.requests() {
            let chunks = request.chunks().map {
                JournalChunk(
                    traceID: $0.traceID,
                    partition: $0.partition,
                    spanCount: $0.spanCount,
                    payload: $0.payload
                )
            }
            pass.take(request.slabs.map(\.slab))
            for chunk in chunks {
                sequence += 1
                made.progress[chunk.partition] = sequence
            }
            requests.append(Request(chunks: chunks, effects: made))
        }
        pass.endTraces(after: Load.receivedAt)
        ends = made
    }
}
