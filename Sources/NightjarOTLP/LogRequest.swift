import CNightjarSignals
package import NightjarSignals

/// The records of one OTLP logs request: log lines, and the verdicts and feedback that come as records.
package struct LogRequest: Sendable {
    /// The log lines in the order sent.
    package private(set) var logs: [Log] = []
    /// The results of evaluations; they are no log lines.
    package private(set) var evaluations: [Evaluation] = []
    /// Feedback that another instance sent on; no log lines either.
    package private(set) var feedback: [Feedback] = []
    /// What log lines say of work that has ended, as spans; see ``ReportedSpan``.
    package private(set) var reported: [ReportedSpan] = []
    /// How many records were refused; the rest of the request holds.
    package var rejected: Int { rejections.count }
    /// Why records were refused; nil where none were.
    package var rejectedMessage: String? { rejections.message }

    private var rejections = Rejections(of: "log records")

    /// Decodes an inflated body; nothing of it is taken where this throws. An empty body is a request of no records.
    /// A record without any time is given `receivedAt`.
    package static func decode(
        _ body: Payload,
        encoding: TraceRequest.Encoding,
        receivedAt: Timestamp
    ) throws(OTLPError) -> LogRequest {
        let payload =
            switch encoding {
            case .protobuf: body
            case .json: try JSONTranscoder.transcode(body.bytes, .logsRequest)
            }
        var request = LogRequest()
        var walker = RequestWalker(("resource_logs", "scope_logs", "log_records"))
        try walker.walk(payload.bytes) { walker, message throws(WireError) in
            let record = try LogRecord(message)
            guard record.hasValidIDs else {
                return request.rejections.add(.malformedIdentifier, at: walker.path)
            }
            request.take(record, walker.surroundings, receivedAt)
        }
        return request
    }

    /// Decodes a body given as an array.
    package static func decode(
        _ body: [UInt8],
        encoding: TraceRequest.Encoding,
        receivedAt: Timestamp
    ) throws(OTLPError) -> LogRequest {
        try decode(Payload(body), encoding: encoding, receivedAt: receivedAt)
    }

    private mutating func take(_ record: LogRecord, _ surroundings: Surroundings, _ receivedAt: Timestamp) {
        if record.isNamed(Evaluation.eventName.description),
            let evaluation = record.evaluation(surroundings, receivedAt)
        {
            evaluations.append(evaluation)
        } else if record.isNamed(LogRecord.feedbackEvent),
            let given = record.feedback(surroundings, receivedAt)
        {
            feedback.append(given)
        } else {
            logs.append(record.log(surroundings, receivedAt))
            if let span = ReportedSpan(record, surroundings, receivedAt) { reported.append(span) }
        }
    }
}

/// One LogRecord message as it came.
struct LogRecord {
    /// The event by which an instance passes feedback on.
    static let feedbackEvent = "nightjar.feedback"

    private var timeNano: UInt64 = 0
    private var observedNano: UInt64 = 0
    private var severity: UInt64 = 0
    private var severityText = ""
    private(set) var body: Value?
    private(set) var eventName = ""
    private(set) var attributes = Value.Object()
    private var trace = (high: UInt64(0), low: UInt64(0))
    private var span: UInt64 = 0
    /// Whether no id is longer than it may be; one that is missing or all zero is absent.
    private(set) var hasValidIDs = true

    init(_ message: WireReader) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case LogTag.time: timeNano = try reader.fixed64()
            case LogTag.observedTime: observedNano = try reader.fixed64()
            case LogTag.severity: severity = try reader.varint()
            case LogTag.severityText: severityText = try reader.bytes().string ?? ""
            case LogTag.body: body = try reader.value()
            case LogTag.attribute: try reader.readAttribute(into: &attributes)
            case LogTag.traceID: trace = identifier(try reader.bytes(), 16)
            case LogTag.spanID: span = identifier(try reader.bytes(), 8).low
            case LogTag.eventName: eventName = try reader.bytes().string ?? ""
            default: try reader.skip(tag)
            }
        }
    }

    /// A big-endian id of at most `limit` bytes; a shorter one is padded with zeros in front, as in spans.
    private mutating func identifier(_ bytes: nj_text, _ limit: Int) -> (high: UInt64, low: UInt64) {
        if Int(bytes.length) > limit { hasValidIDs = false }
        return bytes.buffer.prefix(limit).reduce((0, 0)) { id, byte in
            (id.0 << 8 | id.1 >> 56, id.1 << 8 | UInt64(byte))
        }
    }

    /// Whether the record is an event of a name, given in the field or, by older senders, as an attribute.
    func isNamed(_ name: String) -> Bool {
        eventName == name || (eventName.isEmpty && attributes["event.name"]?.string == name)
    }

    var traceID: TraceID? {
        let id = TraceID(high: trace.high, low: trace.low)
        return id.isValid ? id : nil
    }

    var spanID: SpanID? { span == 0 ? nil : SpanID(value: span) }

    /// When the sender says it was, as the record has it; 0 where it does not.
    var statedNano: UInt64 { timeNano != 0 ? timeNano : observedNano }

    func timestamp(_ receivedAt: Timestamp) -> Timestamp {
        statedNano == 0 ? receivedAt : Timestamp(unixNano: Int64(clamping: statedNano))
    }

    /// The record as a log line (signals contract, section 5).
    func log(_ surroundings: Surroundings, _ receivedAt: Timestamp) -> Log {
        var carried = Carried(attributes)
        var message = ""
        if case .string(let text)? = body {
            message = text
        } else {
            carried.rest["body"] = body ?? carried.rest["body"]
        }
        if !eventName.isEmpty { carried.rest["event.name"] = .string(eventName) }
        var log = Log(
            timestamp: timestamp(receivedAt),
            level: LogLevel(severity: severity, text: severityText),
            message: message,
            data: carried.rest,
            metadata: carried.metadata
        )
        log.traceID = traceID
        log.spanID = spanID
        log.tags = carried.tags
        log.correlation = carried.correlation(surroundings.correlation)
        return log
    }

    /// The record as the result of an evaluation; nil where it says no verdict.
    func evaluation(_ surroundings: Surroundings, _ receivedAt: Timestamp) -> Evaluation? {
        Evaluation(
            event: attributes,
            traceID: traceID,
            spanID: spanID,
            timestamp: timestamp(receivedAt),
            correlation: Carried(attributes).correlation(surroundings.correlation)
        )
    }

    /// The record as feedback; nil where what makes it feedback is missing.
    func feedback(_ surroundings: Surroundings, _ receivedAt: Timestamp) -> Feedback? {
        let carried = Carried(attributes)
        guard let id = carried.rest["nightjar.feedback.id"]?.string,
            let source = carried.rest["nightjar.feedback.source"]?.string,
            let type = carried.rest["nightjar.feedback.type"]?.string,
            let value = carried.rest["nightjar.feedback.value"]
        else { return nil }
        var feedback = Feedback(
            id: id,
            timestamp: timestamp(receivedAt),
            source: source,
            feedbackType: type,
            value: value,
            metadata: carried.metadata
        )
        feedback.traceID = traceID
        feedback.spanID = spanID
        feedback.sessionID = carried.rest["nightjar.feedback.session"]?.string
        feedback.comment = carried.rest["nightjar.feedback.comment"]?.string
        feedback.experiment = carried.rest["nightjar.feedback.experiment"]?.string
        feedback.correlation = carried.correlation(surroundings.correlation)
        return feedback
    }
}

/// A record's attributes, those apart in which an instance of ours carries what OTLP has no place for.
struct Carried {
    /// Their keys.
    static let keys: Set = ["nightjar.metadata", "nightjar.tags", "nightjar.correlation"]

    /// The sender's own attributes.
    var rest: Value.Object
    /// The metadata.
    var metadata: Value.Object = [:]
    /// The tags.
    var tags: [String] = []
    private var facts: Value.Object = [:]

    init(_ attributes: Value.Object) {
        rest = attributes
        if let value = take("nightjar.metadata") { metadata = AttributeValues.decoded(value).object ?? [:] }
        if let value = take("nightjar.tags") { tags = value.array?.compactMap(\.string) ?? [] }
        if let value = take("nightjar.correlation") { facts = AttributeValues.decoded(value).object ?? [:] }
    }

    private mutating func take(_ key: String) -> Value? {
        guard let value = rest[key] else { return nil }
        rest[key] = nil
        return value
    }

    /// What the record belongs to: what its resource says, then its attributes, then what it carries.
    func correlation(_ resource: Correlation) -> Correlation {
        var correlation = resource
        SenderFacts.add(rest, to: &correlation)
        for (name, path) in Correlation.texts {
            if let text = facts[name]?.string { correlation[dynamicMember: path] = text }
        }
        if let tags = facts["tags"]?.array { correlation.tags = tags.compactMap(\.string) }
        return correlation
    }
}

extension LogLevel {
    /// The level of OTLP's severity: by number, else by its text, else info.
    init(severity: UInt64, text: String) {
        switch severity {
        case 1...8: self = .debug
        case 9...12: self = .info
        case 13...16: self = .warn
        case 17...20: self = .error
        case 21...24: self = .fatal
        default:
            let text = text.lowercased()
            self = Self.words.first { text.hasPrefix($0.word) }?.level ?? .info
        }
    }

    private static let words: [(word: String, level: LogLevel)] = [
        ("trace", .debug), ("debug", .debug), ("verbose", .debug), ("info", .info), ("notice", .info),
        ("warn", .warn), ("err", .error), ("severe", .error), ("fatal", .fatal), ("crit", .fatal),
        ("alert", .fatal), ("emerg", .fatal), ("panic", .fatal),
    ]
}

/// The fields of a LogRecord message.
private enum LogTag {
    static let time = tag(1, .fixed64)
    static let severity = tag(2, .varint)
    static let severityText = tag(3, .bytes)
    static let body = tag(5, .bytes)
    static let attribute = tag(6, .bytes)
    static let traceID = tag(9, .bytes)
    static let spanID = tag(10, .bytes)
    static let observedTime = tag(11, .fixed64)
    static let eventName = tag(12, .bytes)
}
