package import NightjarSignals

/// Writes what the bus carries as OTLP requests for other receivers: spans in the words of the GenAI conventions beside our
/// own, so that any backend shows them and another instance of ours reads back what was written.
package enum OTLPEncoder {
    /// A trace request of the spans that have ended; nil where none has. Attributes that a span came with stay as they are.
    package static func traces(_ spans: [Span]) -> [UInt8]? {
        traces(ended: spans.filter { $0.endTime != nil || $0.isEvent || $0.status == .ok })
    }

    /// A trace request of the spans whose end the events tell; nil where none does.
    package static func traces(_ events: [SignalEvent]) -> [UInt8]? {
        traces(
            ended: events.compactMap { event in
                if case .spanEnded(let span) = event { span } else { nil }
            }
        )
    }

    private static func traces(ended spans: [Span]) -> [UInt8]? {
        guard !spans.isEmpty else { return nil }
        return SpanEncoder.request(spans.map { ($0, true) }, additions: ConventionAttributes.additions)
    }

    /// A logs request: log lines, scores as the conventions' evaluation results, feedback as events of ours; nil where there
    /// is none of them.
    package static func logs(
        _ logs: [Log],
        scores: [Score] = [],
        feedback: [Feedback] = []
    ) -> [UInt8]? {
        let records = logs.map(Record.init) + scores.map(Record.init) + feedback.map(Record.init)
        guard !records.isEmpty else { return nil }
        return request(records.map { (Origin($0.correlation), $0) }) { records, writer in
            for record in records { record.write(to: &writer) }
        }
    }

    /// A metrics request: the observations added up by metric and labels, nil where there are none. Counters and histograms
    /// are increments since `start`, or since just before the first observation; of a gauge the last value holds.
    /// `bounds` gives the buckets of a histogram by the metric's name.
    package static func metrics(
        _ metrics: [Metric],
        since start: Timestamp? = nil,
        bounds: (String) -> [Double]
    ) -> [UInt8]? {
        guard !metrics.isEmpty else { return nil }
        return request(metrics.map { (Origin($0.correlation, $0.metadata), $0) }) { metrics, writer in
            for series in MetricSeries.grouped(metrics) {
                writer.message(2) { writer in
                    series.write(since: start, bounds: bounds(series.name), to: &writer)
                }
            }
        }
    }

    /// Who made something: what a resource says.
    private struct Origin: Hashable {
        var service: String?
        var environment: String?

        init(_ correlation: Correlation, _ metadata: Value.Object = [:]) {
            service = correlation.serviceName ?? metadata["serviceName"]?.string
            environment = correlation.environment ?? metadata["environment"]?.string
        }
    }

    /// Resources and scopes around items, those of one origin together; `write` writes one origin's.
    private static func request<Item>(
        _ items: [(origin: Origin, item: Item)],
        write: ([Item], inout WireWriter) -> Void
    ) -> [UInt8] {
        var groups: [(origin: Origin, items: [Item])] = []
        var places: [Origin: Int] = [:]
        for (origin, item) in items {
            let place = places[origin] ?? groups.count
            if place == groups.count {
                places[origin] = place
                groups.append((origin, []))
            }
            groups[place].items.append(item)
        }
        var writer = WireWriter(reserving: items.count * 256)
        for (origin, items) in groups {
            writer.message(1) { writer in
                writer.message(1) { writer in
                    writer.attribute(1, "service.name", origin.service)
                    writer.attribute(1, "deployment.environment.name", origin.environment)
                }
                writer.message(2) { writer in
                    writer.message(1) { $0.field(1, "nightjar") }
                    write(items, &writer)
                }
            }
        }
        return writer.bytes
    }
}

extension WireWriter {
    /// Writes a message field.
    mutating func message(_ number: UInt32, _ write: (inout WireWriter) -> Void) {
        let start = begin(number)
        write(&self)
        end(start)
    }
}

/// A log record to be written.
private struct Record {
    var timestamp: Timestamp
    var severity: LogLevel?
    var body: String?
    var eventName = ""
    var attributes: Value.Object
    var traceID: TraceID?
    var spanID: SpanID?
    var metadata: Value.Object
    var tags: [String] = []
    var correlation: Correlation

    init(_ log: Log) {
        timestamp = log.timestamp
        severity = log.level
        body = log.message
        attributes = log.data
        eventName = log.data["event.name"]?.string ?? ""
        if !eventName.isEmpty { attributes["event.name"] = nil }
        traceID = log.traceID
        spanID = log.spanID
        metadata = log.metadata
        tags = log.tags
        correlation = log.correlation
    }

    init(_ score: Score) {
        timestamp = score.timestamp
        eventName = Evaluation.eventName.description
        attributes = [
            "gen_ai.evaluation.name": .string(score.scorerName), "nightjar.score.id": .string(score.id),
        ]
        attributes["gen_ai.evaluation.score.value"] = score.score.map(Value.double)
        attributes["gen_ai.evaluation.score.label"] = score.label.map(Value.string)
        attributes["gen_ai.evaluation.explanation"] = score.reason.map(Value.string)
        attributes["error.type"] = score.error.map(Value.string)
        attributes["gen_ai.response.id"] = score.metadata["gen_ai.response.id"]
        attributes["nightjar.score.experiment"] = score.experiment.map(Value.string)
        attributes["nightjar.score.version"] = score.scorerVersion.map(Value.string)
        attributes["nightjar.score.annotator"] = score.annotatorKind.map(Value.string)
        attributes["nightjar.score.session"] = score.sessionID.map(Value.string)
        traceID = score.traceID
        spanID = score.spanID
        metadata = score.metadata
        correlation = score.correlation
    }

    init(_ feedback: Feedback) {
        timestamp = feedback.timestamp
        eventName = LogRecord.feedbackEvent
        attributes = [
            "nightjar.feedback.id": .string(feedback.id),
            "nightjar.feedback.source": .string(feedback.source),
            "nightjar.feedback.type": .string(feedback.feedbackType),
            "nightjar.feedback.value": feedback.value,
        ]
        attributes["nightjar.feedback.comment"] = feedback.comment.map(Value.string)
        attributes["nightjar.feedback.experiment"] = feedback.experiment.map(Value.string)
        attributes["nightjar.feedback.session"] = feedback.sessionID.map(Value.string)
        traceID = feedback.traceID
        spanID = feedback.spanID
        metadata = feedback.metadata
        correlation = feedback.correlation
    }

    func write(to writer: inout WireWriter) {
        let nano = UInt64(max(timestamp.unixNano, 0))
        writer.message(2) { writer in
            writer.fixed64(1, nano)
            writer.fixed64(11, nano)
            if let severity {
                writer.varint(2, severity.severityNumber)
                writer.field(3, severity.name.uppercased())
            }
            if let body { writer.anyValue(5, .string(body)) }
            for (key, value) in attributes.entries where !Carried.keys.contains(key) {
                writer.attribute(6, key, value)
            }
            writeCarried(to: &writer)
            if let traceID { writer.identifier(9, traceID) }
            if let spanID { writer.identifier(10, spanID) }
            if !eventName.isEmpty { writer.field(12, eventName) }
        }
    }

    private func writeCarried(to writer: inout WireWriter) {
        if !metadata.isEmpty { writer.content(6, "nightjar.metadata", .object(metadata)) }
        if !tags.isEmpty { writer.attribute(6, "nightjar.tags", .array(tags.map(Value.string))) }
        // Service and environment are the resource's.
        var facts = correlation.json.object ?? [:]
        facts["serviceName"] = nil
        facts["environment"] = nil
        if !facts.isEmpty { writer.content(6, "nightjar.correlation", .object(facts)) }
    }
}

extension LogLevel {
    /// The first of OTLP's severities that mean the level.
    fileprivate var severityNumber: UInt64 {
        switch self {
        case .debug: 5
        case .info: 9
        case .warn: 13
        case .error: 17
        case .fatal: 21
        }
    }
}
