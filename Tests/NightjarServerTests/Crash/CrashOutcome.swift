import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting

/// What a server left: all that must be the same whether it was killed or not.
struct CrashOutcome: Equatable {
    /// `/metrics` but for what the host says of itself, which tells of requests and not of what is in them, and of observations
    /// without an id.
    var metrics: [String: Double] = [:]
    /// The records of traces, but for receipt times and revisions.
    var traces: [String: TraceRecord] = [:]
    /// Scores and feedback, but for their times.
    var scores: [String: Score] = [:]
    var feedback: [String: Feedback] = [:]
    /// The totals of received metrics.
    var received: [String: Double] = [:]

    /// How often each trace ended.
    var revisions: [String: Int] = [:]
    /// How often each log line is there.
    var logs: [String: Int] = [:]
    /// How many observations without an id counted.
    var orders = 0.0

    init(metrics: [String: Double], in store: SQLiteStore) throws {
        self.metrics = metrics.filter { !$0.key.hasPrefix("nightjar_") && !$0.key.hasPrefix("crash_orders") }
        orders = CrashTotals.Place("crash_orders").value(in: metrics)
        try readTraces(store)
        try readAnnotations(store)
        for series in try store.recover().series where series.instrument.origin == .otlp {
            received[series.instrument.shownName, default: 0] += series.total.sum
        }
        var query = LogQuery()
        query.limit = TraceQuery.largestLimit
        repeat {
            let page = try store.logs(query)
            for record in page.records { logs[record.log.message, default: 0] += 1 }
            query.cursor = page.next
        } while query.cursor != nil
    }

    private mutating func readTraces(_ store: SQLiteStore) throws {
        var query = TraceQuery()
        query.limit = TraceQuery.largestLimit
        repeat {
            let page = try store.traces(query)
            for var record in page.traces {
                let id = record.id.description
                revisions[id] = record.revision
                (record.firstReceived, record.lastReceived) = (Timestamp(unixNano: 0), Timestamp(unixNano: 0))
                record.revision = 0
                traces[id] = record
            }
            query.cursor = page.next
        } while query.cursor != nil
    }

    private mutating func readAnnotations(_ store: SQLiteStore) throws {
        var scores = ScoreQuery()
        scores.limit = TraceQuery.largestLimit
        repeat {
            let page = try store.scores(scores)
            for var score in page.records.map(\.score) {
                score.timestamp = Timestamp(unixNano: 0)
                self.scores[score.id] = score
            }
            scores.cursor = page.next
        } while scores.cursor != nil
        var feedback = FeedbackQuery()
        feedback.limit = TraceQuery.largestLimit
        repeat {
            let page = try store.feedback(feedback)
            for var item in page.records.map(\.feedback) {
                item.timestamp = Timestamp(unixNano: 0)
                self.feedback[item.id] = item
            }
            feedback.cursor = page.next
        } while feedback.cursor != nil
    }

    /// What it differs in from another, a line each.
    func differences(from other: CrashOutcome) -> [String] {
        differing("metric", metrics, other.metrics) + differing("trace", traces, other.traces)
            + differing("score", scores, other.scores) + differing("feedback", feedback, other.feedback)
            + differing("received", received, other.received)
    }

    /// What it differs in from what the load knows, a line each; `attempts` says how often things without an id were sent.
    func differences(from totals: CrashTotals, attempts: [String: Int]) -> [String] {
        var lines = totals.wrong(in: metrics) + differing("received", received, totals.received)
        lines += differing("spans of", traces.mapValues(\.spanCount), totals.spans)
        lines += traces.values.filter { $0.isOpen || $0.isPartial || !$0.pending.isEmpty }
            .map { "trace \($0.id) is not over" }
        lines += revisions.filter { $0.value < 1 }.map { "trace \($0.key) never ended" }
        var values = scores.filter { $0.value.scorerName != "crash_size" }.mapValues { $0.score ?? .nan }
        values.merge(feedback.mapValues { $0.value.number ?? .nan }) { $1 }
        lines += differing("annotation", values, totals.annotations)
        let sizes = scores.values.filter { $0.scorerName == "crash_size" }
        lines += differing(
            "size of",
            Dictionary(sizes.map { ($0.traceID?.description ?? "", Int($0.score ?? -1)) }) {
                $0 + $1 + 1_000_000
            },
            totals.spans
        )
        let sent = totals.unnamed.filter { $0.hasPrefix("order") }
        let most = sent.reduce(0) { $0 + (attempts[$1] ?? 0) }
        if orders < Double(sent.count) || orders > Double(most) {
            lines.append("\(orders) orders, of \(sent.count) sent \(most) times")
        }
        for message in totals.unnamed where !message.hasPrefix("order") {
            let (count, sent) = (logs[message] ?? 0, attempts[message] ?? 0)
            if count < 1 || count > sent { lines.append("\(message): there \(count) times, sent \(sent)") }
        }
        return lines
    }

    private func differing<Value: Equatable>(
        _ what: String,
        _ found: [String: Value],
        _ wanted: [String: Value]
    ) -> [String] {
        Set(found.keys).union(wanted.keys).sorted().compactMap { key in
            guard found[key] != wanted[key] else { return nil }
            let texts = [found[key], wanted[key]].map { $0.map { "\($0)" } ?? "absent" }
            return "\(what) \(key) is \(texts[0]), not \(texts[1])"
        }
    }
}
