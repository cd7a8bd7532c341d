import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Synchronization

/// A store on a file in a folder of its own, with the metrics that it counts for.
struct Fixture {
    let folder: TemporaryFolder
    let registry = MetricRegistry()
    let table = SeriesTable()
    let ledger: SeriesLedger
    let store: SQLiteStore

    init(
        _ folder: TemporaryFolder? = nil,
        inMemory: Bool = false,
        _ change: (inout StoreSettings) -> Void = { _ in }
    ) throws {
        let folder = try folder ?? TemporaryFolder()
        self.folder = folder
        var settings = StoreSettings()
        settings.now = { Timestamp(unixNano: 5_000) }
        // A test that waits so long has failed.
        settings.flushPatience = .seconds(20)
        change(&settings)
        ledger = SeriesLedger(table: table)
        store = try SQLiteStore(
            inMemory ? .memory : .file(folder.path("nightjar.sqlite")),
            ledger: ledger,
            settings: settings
        )
    }

    /// Another connection to the same file: another process, or an operator with a shell.
    func other() throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        return try DatabaseQueue(path: folder.path("nightjar.sqlite"), configuration: configuration)
    }

    /// The first column of a query by another connection.
    func numbers(_ sql: String) throws -> [Double] { try other().read { try Double.fetchAll($0, sql: sql) } }

    /// Makes every insert into a table fail until `mend`.
    func breakTable(_ table: String) throws {
        try other().write {
            try $0.execute(
                sql:
                    "CREATE TRIGGER broken_\(table) BEFORE INSERT ON \(table) BEGIN SELECT RAISE(ABORT, 'broken'); END"
            )
        }
    }

    func mend(_ table: String) throws {
        try other().write { try $0.execute(sql: "DROP TRIGGER broken_\(table)") }
    }

    /// Submits and waits for the outcome.
    @discardableResult
    func submit(
        chunks: [JournalChunk] = [],
        scores: [Score] = [],
        feedback: [Feedback] = [],
        at time: Int64 = 1_000
    ) throws -> SubmissionReceipt {
        let outcome = Outcome()
        try store.submit(
            Submission(
                chunks: chunks,
                scores: scores,
                feedback: feedback,
                receivedAt: Timestamp(unixNano: time),
                completion: outcome.add
            )
        )
        try store.flush()
        guard let result = outcome.results.first else {
            throw StoreError(code: .failed, detail: "the completion was not called")
        }
        return try result.get()
    }

    /// Keeps something of plugins, and waits.
    func keep(_ changes: PluginChange...) throws {
        let outcome = Outcome()
        try store.submit(
            Submission(plugins: changes, receivedAt: Timestamp(unixNano: 1_000), completion: outcome.add)
        )
        try store.flush()
        _ = try outcome.results.first?.get()
    }

    /// Commits and waits.
    func commit(_ make: (inout Effects) -> Void) throws {
        var effects = Effects()
        make(&effects)
        store.commit(effects) {}
        try store.flush()
    }

    /// A series of a counter or histogram.
    func series(_ name: String, _ type: MetricType = .counter, _ labels: [Label] = []) throws -> SeriesID {
        var descriptor = InstrumentDescriptor(name: name, type: type, help: "What \(name) is.", unit: "1")
        if type == .histogram { descriptor.buckets = [0.1, 1, 2.5] }
        let instrument = try registry.instrument(descriptor)
        return table.admit(instrument, registry.descriptor(instrument), labels: labels, limit: 100).id
    }

    func delta(_ series: SeriesID, _ sum: Double = 1, buckets: [UInt64] = []) -> SeriesDelta {
        SeriesDelta(
            series: series,
            sum: sum,
            count: 1,
            time: Timestamp(unixNano: 77),
            buckets: buckets
        )
    }

    /// What a replay gives.
    func replayed() throws -> [StoredChunk] {
        var chunks: [StoredChunk] = []
        try store.replay { chunks.append($0) }
        return chunks
    }
}

/// Collects what completions are called with.
final class Outcome: Sendable {
    private let state = Mutex<[Result<SubmissionReceipt, StoreError>]>([])

    var results: [Result<SubmissionReceipt, StoreError>] { state.withLock { $0 } }
    var errors: [StoreError.Code] {
        results.compactMap { if case .failure(let error) = $0 { error.code } else { nil } }
    }

    func add(_ result: Result<SubmissionReceipt, StoreError>) { state.withLock { $0.append(result) } }
}

func traceID(_ number: UInt64) -> TraceID { TraceID(high: 0xABCD_0000_0000_0000, low: number) }

func chunk(_ trace: UInt64, partition: Int = 0, _ payload: [UInt8] = [1, 2, 3]) -> JournalChunk {
    JournalChunk(traceID: traceID(trace), partition: partition, spanCount: 2, payload: payload)
}

func score(_ id: String, trace: UInt64? = 1, _ value: Double = 0.5) -> Score {
    var score = Score(id: id, timestamp: Timestamp(unixNano: 10), scorerName: "helpful")
    score.traceID = trace.map(traceID)
    score.score = value
    return score
}

func feedback(_ id: String, trace: UInt64? = 1, _ value: Value = "good") -> Feedback {
    var feedback = Feedback(
        id: id,
        timestamp: Timestamp(unixNano: 10),
        source: "user",
        feedbackType: "comment",
        value: value
    )
    feedback.traceID = trace.map(traceID)
    return feedback
}

func record(_ trace: UInt64, receivedAt: Int64 = 1_000, start: Int64? = nil) -> TraceRecord {
    var record = TraceRecord(id: traceID(trace), receivedAt: Timestamp(unixNano: receivedAt))
    record.start = start.map { Timestamp(unixNano: $0) }
    return record
}
