import GRDB
import NightjarBus
import NightjarSignals

/// Writes the effects of a group. Belongs to the writer.
final class EffectsWriter {
    /// What of the effects of a whole group is written once: the last record of a trace, the furthest position of a partition,
    /// the last state of a stream.
    private struct Merged {
        var progress: [Int: Int64] = [:]
        /// The batch and place of the last record of each trace, by first mention.
        var traces: [(batch: Int, place: Int)] = []
        var places: [TraceID: Int] = [:]
        var streams: [UInt64: StreamState] = [:]
        var deltas: [SeriesDelta] = []

        mutating func add(_ effects: Effects, batch: Int) {
            for place in effects.traces.indices {
                let known = places[effects.traces[place].id, default: traces.count]
                if known < traces.count {
                    traces[known] = (batch, place)
                } else {
                    places[effects.traces[place].id] = known
                    traces.append((batch, place))
                }
            }
            progress.merge(effects.progress) { max($0, $1) }
            for stream in effects.streams { streams[stream.id] = stream }
            deltas += effects.deltas
        }
    }

    private let traces: TraceWriter
    private let journal: JournalWriter
    private let scores: AnnotationWriter
    private let feedback: AnnotationWriter
    private let eraser: TraceEraser
    private let series: SeriesWriter
    private let windows: WindowWriter
    private let streams: StreamWriter
    private let ledger: SeriesLedger
    private let insertLog: PreparedStatement
    private let logs: LogCompletion
    private let knows: PreparedStatement
    private let isLeftOut: PreparedStatement
    private let logCreatedAt = SignalTable.logs.count + 1
    /// The traces that had signals written or counted in the transaction under way.
    private var touched: Set<TraceID> = []
    /// What was deleted lately: effects that were on their way must not bring it back.
    private var deleted = Recent<TraceID>(limit: 10_000)

    init(_ db: Database, _ writers: Writers, ledger: SeriesLedger) throws {
        traces = writers.traces
        journal = writers.journal
        scores = writers.scores
        feedback = writers.feedback
        eraser = writers.eraser
        series = writers.series
        windows = writers.windows
        streams = writers.streams
        self.ledger = ledger
        logs = try LogCompletion(db)
        let columns = SignalTable.logs.columns
        insertLog = try PreparedStatement(
            db,
            "INSERT INTO logs (\(columns), created_at) VALUES (\(Columns.marks(columns)), ?)"
        )
        knows = try PreparedStatement(db, "SELECT 1 FROM traces WHERE trace_id = ?")
        isLeftOut = try PreparedStatement(
            db,
            "SELECT sampled_out = 1 AND is_open = 0 AND pending IS NULL FROM traces WHERE trace_id = ?"
        )
    }

    /// Writes everything; the totals that are to be published once it is committed.
    func write(_ effects: [Effects], at time: Timestamp) throws -> SeriesLedger.Staged? {
        touched.removeAll(keepingCapacity: true)
        var merged = Merged()
        merged.deltas.reserveCapacity(effects.reduce(0) { $0 + $1.deltas.count })
        for (batch, effects) in effects.enumerated() {
            merged.add(effects, batch: batch)
            try writeSignals(effects, at: time)
            merged.deltas += try count(effects.counts)
            for found in effects.correlations { try complete(found) }
            for found in effects.logCorrelations { try logs.complete(found) }
            try journal.apply(effects.rewrites)
        }
        for (batch, place) in merged.traces {
            let trace = effects[batch].traces[place]
            guard try !isDeleted(trace.id) else { continue }
            try traces.write(trace)
            if trace.isSampledOut { touched.insert(trace.id) }
        }
        // What is deleted depends on how far processing got.
        try journal.advance(merged.progress)
        for trace in touched where try isSampledOutForNow(trace) { try eraser.empty(trace) }
        try streams.write(merged.streams.values)
        let staged = merged.deltas.isEmpty ? nil : ledger.stage(merged.deltas, now: time)
        if let staged {
            try series.write(staged, at: time)
            try windows.write(staged, at: time)
        }
        for effects in effects { try series.remove(effects.seriesRemovals, at: time) }
        return staged
    }

    /// Takes note that somebody deleted a trace.
    func noteDeleted(_ trace: TraceID) { deleted.insert(trace) }

    /// Writes a score; what became of it. `isCounted`: where it is new, nobody will count it.
    func write(_ score: Score, at time: Timestamp, isCounted: Bool = false) throws -> AnnotationReceipt {
        let receipt = try scores.write(
            id: score.id,
            trace: score.traceID,
            at: time,
            isAwaited: !isCounted
        ) { $0.bind(score) }
        if isCounted, !receipt.replaced { _ = try scores.count(score.id) }
        return receipt
    }

    /// Writes feedback; what became of it.
    func write(_ feedback: Feedback, at time: Timestamp) throws -> AnnotationReceipt {
        try self.feedback.write(id: feedback.id, trace: feedback.traceID, at: time) { $0.bind(feedback) }
    }

    private func writeSignals(_ effects: Effects, at time: Timestamp) throws {
        for score in effects.scores where try touch(score.traceID) { _ = try write(score, at: time) }
        for feedback in effects.feedback where try touch(feedback.traceID) {
            _ = try write(feedback, at: time)
        }
        for log in effects.logs where try touch(log.traceID) {
            insertLog.bind(log)
            insertLog.bind(logCreatedAt, time)
            try insertLog.run()
        }
    }

    private func count(_ counts: [Effects.AnnotationCount]) throws -> [SeriesDelta] {
        try counts.compactMap { wanted in
            let count =
                switch wanted.kind {
                case .score: try scores.count(wanted.id)
                case .feedback: try feedback.count(wanted.id)
                }
            if let trace = count.trace { touched.insert(trace) }
            return count.isFirst ? wanted.first : wanted.again
        }
    }

    private func complete(_ found: AnnotationCorrelation) throws {
        switch found.kind {
        case .score: try scores.complete(found)
        case .feedback: try feedback.complete(found)
        }
    }

    /// Takes note of a signal of a trace; whether it is to be written.
    private func touch(_ trace: TraceID?) throws -> Bool {
        guard let trace else { return true }
        guard try !isDeleted(trace) else { return false }
        touched.insert(trace)
        return true
    }

    /// Whether a trace was deleted and nothing of it has come since.
    private func isDeleted(_ trace: TraceID) throws -> Bool {
        guard deleted.contains(trace) else { return false }
        knows.bind(1, trace)
        return try knows.first { _ in true } == nil
    }

    /// Whether sampling left a trace out and, as far as is known, it is over.
    private func isSampledOutForNow(_ trace: TraceID) throws -> Bool {
        isLeftOut.bind(1, trace)
        return try isLeftOut.first { $0.bool(0) } ?? false
    }
}

/// The last members that were noted; beyond the limit the oldest is forgotten.
struct Recent<Member: Hashable> {
    private let limit: Int
    private var members: Set<Member> = []
    private var order = Queue<Member>()

    init(limit: Int) {
        self.limit = limit
    }

    func contains(_ member: Member) -> Bool { !members.isEmpty && members.contains(member) }

    mutating func insert(_ member: Member) {
        guard members.insert(member).inserted else { return }
        order.append(member)
        guard members.count > limit, let oldest = order.first else { return }
        members.remove(oldest)
        order.removeFirst()
    }
}
