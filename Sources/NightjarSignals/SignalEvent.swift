/// The kinds of signal that the bus carries.
public enum Signal: String, Sendable, CaseIterable {
    /// Spans: started, updated, ended.
    case tracing
    /// Log lines.
    case log
    /// Observations of metrics.
    case metric
    /// Scores.
    case score
    /// Feedback.
    case feedback
    /// What the pipeline itself lost.
    case drop
    /// Ends of traces.
    case traceEnded = "trace_ended"
}

/// What the pipeline itself lost; it goes out only.
public struct Drop: Sendable, Equatable {
    /// Of what kind it was.
    public var signal: Signal
    /// Why, one of few words: `queue_full`, `retries_exhausted`, `timeout`, `rejected`, `unsupported`, `shut_down`.
    public var reason: String
    /// How many events were lost.
    public var count: Int
    /// When it was noticed.
    public var timestamp: Timestamp
    /// Who lost it: an exporter's or subscriber's name; absent where it was lost on the way in.
    public var exporter: String?
    /// What the last failure said.
    public var detail: String?

    /// A loss.
    public init(
        signal: Signal,
        reason: String,
        count: Int,
        timestamp: Timestamp,
        exporter: String? = nil,
        detail: String? = nil
    ) {
        self.signal = signal
        self.reason = reason
        self.count = count
        self.timestamp = timestamp
        self.exporter = exporter
        self.detail = detail
    }
}

/// The end of a trace, by the rules of the signals contract, section 9; it goes out only.
public struct TraceEnd: Sendable, Equatable {
    /// The trace.
    public var traceID: TraceID
    /// Which end it is, from 1: each later span reopens the trace, and the next end has a higher number.
    public var revision: Int
    /// Whether the root or a named parent is missing.
    public var isPartial: Bool

    /// An end.
    public init(traceID: TraceID, revision: Int, isPartial: Bool) {
        self.traceID = traceID
        self.revision = revision
        self.isPartial = isPartial
    }
}

/// What the bus carries: one thing that happened (signals contract, section 2).
public enum SignalEvent: Sendable, Equatable {
    /// A span has begun.
    case spanStarted(Span)
    /// A span that runs was changed, or one that has ended was changed afterwards.
    case spanUpdated(Span)
    /// A span has ended.
    case spanEnded(Span)
    /// A log line was written.
    case log(Log)
    /// A metric was observed.
    case metric(Metric)
    /// A score was given.
    case score(Score)
    /// Feedback was given.
    case feedback(Feedback)
    /// The pipeline lost something.
    case drop(Drop)
    /// A trace is over, for now.
    case traceEnded(TraceEnd)

    /// Which signal it is of.
    public var signal: Signal {
        switch self {
        case .spanStarted, .spanUpdated, .spanEnded: .tracing
        case .log: .log
        case .metric: .metric
        case .score: .score
        case .feedback: .feedback
        case .drop: .drop
        case .traceEnded: .traceEnded
        }
    }

    /// The trace it belongs to; nil where it belongs to none: such events have no order with traces.
    public var traceID: TraceID? {
        switch self {
        case .spanStarted(let span), .spanUpdated(let span), .spanEnded(let span): span.traceID
        case .log(let log): log.traceID
        case .metric(let metric): metric.traceID
        case .score(let score): score.traceID
        case .feedback(let feedback): feedback.traceID
        case .drop: nil
        case .traceEnded(let end): end.traceID
        }
    }

    /// The span of a tracing event.
    public var span: Span? {
        switch self {
        case .spanStarted(let span), .spanUpdated(let span), .spanEnded(let span): span
        default: nil
        }
    }
}

extension SignalEvent {
    /// The names of the kinds of event in JSON and in plugins.
    package static let names = [
        "span_started", "span_updated", "span_ended", "log", "metric", "score", "feedback", "drop",
        "trace_ended",
    ]

    /// The event's kind in JSON and in plugins.
    public var name: String {
        switch self {
        case .spanStarted: "span_started"
        case .spanUpdated: "span_updated"
        case .spanEnded: "span_ended"
        default: signal.rawValue
        }
    }

    /// The event as one JSON object: what the JSON exporter writes a line at a time and `POST /api/events` takes.
    public var json: Value {
        switch self {
        case .spanStarted(let span), .spanUpdated(let span), .spanEnded(let span):
            ["type": .string(name), "exportedSpan": span.json]
        case .log(let log): ["type": "log", "log": log.json]
        case .metric(let metric): ["type": "metric", "metric": metric.json]
        case .score(let score): ["type": "score", "score": score.json]
        case .feedback(let feedback): ["type": "feedback", "feedback": feedback.json]
        case .drop(let drop): ["type": "drop", "drop": drop.json]
        case .traceEnded(let end): ["type": "trace_ended", "trace": end.json]
        }
    }

    /// Reads what `json` wrote. A score or feedback without an id gets a fresh one; one without a timestamp gets `now`.
    /// - Throws: ``InputErrors`` with the place of everything that is wrong.
    public init(json: Value, now: Timestamp, path: String = "") throws(InputErrors) {
        var reader = ObjectReader(json, path: path)
        let type = reader.requiredText("type")
        let member = Self.members[type]
        guard let member else {
            if !type.isEmpty {
                let near = nearestName(to: type, among: Self.names).map { "; did you mean \($0)?" } ?? ""
                reader.refuse("type", "must be one of \(Self.names.joined(separator: ", "))\(near)")
            }
            try reader.finish()
            throw InputErrors([InputError(path: reader.place("type"), message: "is required")])
        }
        guard let body = reader.value(member, aliases: member == "exportedSpan" ? ["span"] : []) else {
            throw InputErrors([InputError(path: reader.place(member), message: "is required")])
        }
        let place = reader.place(member)
        switch type {
        case "span_started": self = .spanStarted(try Span(json: body, path: place))
        case "span_updated": self = .spanUpdated(try Span(json: body, path: place))
        case "span_ended":
            var span = try Span(json: body, path: place)
            if span.status == .running { span.status = .ok }
            self = .spanEnded(span)
        case "log": self = .log(try Log(json: body.stamped(now), path: place))
        case "metric": self = .metric(try Metric(json: body.stamped(now), path: place))
        case "score": self = .score(try Score(json: body.stamped(now).identified(), path: place))
        case "feedback": self = .feedback(try Feedback(json: body.stamped(now).identified(), path: place))
        case "drop": self = .drop(try Drop(json: body.stamped(now), path: place))
        default: self = .traceEnded(try TraceEnd(json: body, path: place))
        }
        try reader.finish()
    }

    private static let members = [
        "span_started": "exportedSpan", "span_updated": "exportedSpan", "span_ended": "exportedSpan",
        "log": "log", "metric": "metric", "score": "score", "feedback": "feedback", "drop": "drop",
        "trace_ended": "trace",
    ]
}

extension Value {
    /// An object with a timestamp where it has none, or null; anything else as it is.
    fileprivate func stamped(_ now: Timestamp) -> Value {
        guard var object, (object["timestamp"] ?? .null) == .null else { return self }
        object["timestamp"] = .string(now.description)
        return .object(object)
    }

    /// An object with an id where it has none, or null.
    fileprivate func identified() -> Value {
        guard var object, (object["id"] ?? .null) == .null else { return self }
        object["id"] = .string(AnnotationID.fresh())
        return .object(object)
    }
}

extension Drop {
    /// The loss as the JSON exporter gives it.
    public var json: Value {
        var object: Value.Object = [
            "signal": .string(signal.rawValue), "reason": .string(reason), "count": .int(Int64(count)),
            "timestamp": .string(timestamp.description),
        ]
        object["exporter"] = exporter.map(Value.string)
        object["detail"] = detail.map(Value.string)
        return .object(object)
    }

    init(json: Value, path: String) throws(InputErrors) {
        var reader = ObjectReader(json, path: path)
        let signal = Signal(rawValue: reader.requiredText("signal"))
        if signal == nil { reader.refuse("signal", "must name a signal") }
        self.init(
            signal: signal ?? .drop,
            reason: reader.requiredText("reason"),
            count: reader.number("count").flatMap { Int(exactly: $0) } ?? 0,
            timestamp: reader.requiredInstant("timestamp"),
            exporter: reader.text("exporter"),
            detail: reader.text("detail")
        )
        try reader.finish()
    }
}

extension TraceEnd {
    /// The end as the JSON exporter gives it.
    public var json: Value {
        [
            "traceId": .string(traceID.description), "revision": .int(Int64(revision)),
            "isPartial": .bool(isPartial),
        ]
    }

    init(json: Value, path: String) throws(InputErrors) {
        var reader = ObjectReader(json, path: path)
        let id = reader.traceID("traceId")
        if id == nil { reader.refuse("traceId", "is required") }
        self.init(
            traceID: id ?? TraceID(high: 0, low: 0),
            revision: reader.number("revision").flatMap { Int(exactly: $0) } ?? 1,
            isPartial: reader.flag("isPartial") ?? false
        )
        try reader.finish()
    }
}
