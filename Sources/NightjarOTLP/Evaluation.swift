import CNightjarSignals
package import NightjarSignals

/// A verdict that came by OTLP: the input of a score with its target, and when it was given.
///
/// Its id is the sender's where that is another instance of ours. Else it is derived as a scorer's is, with the instant of the
/// event and the response that it judges mixed into the name: the same event sent again replaces, a later verdict of the same
/// evaluator stands beside it. Verdicts in attributes of a span have no instant of their own; of them the annotation's
/// identifier is mixed in, so that a span that is sent again replaces its verdicts.
package struct Evaluation: Sendable, Equatable {
    /// The name of the event by which the semantic conventions pass a verdict on.
    static let eventName: StaticString = "gen_ai.evaluation.result"

    /// The score, with id and target. It has neither trace nor session where the sender named only the response judged,
    /// which is then in its metadata as `gen_ai.response.id`.
    package private(set) var input: ScoreInput
    /// When it was given.
    package let timestamp: Timestamp
    /// What the sender says of where it belongs.
    package let correlation: Correlation

    /// A verdict given as an event, on a log record or a span; nil where it has no name or says nothing. Without a trace it
    /// judges the session that the sender names.
    init?(
        event attributes: Value.Object,
        traceID: TraceID?,
        spanID: SpanID?,
        timestamp: Timestamp,
        correlation: Correlation
    ) {
        let carried = Carried(attributes)
        var rest = carried.rest
        func take(_ key: String) -> Value? {
            let value = rest[key]
            rest[key] = nil
            return value
        }
        guard let name = take("gen_ai.evaluation.name")?.string else { return nil }
        input = ScoreInput(
            scorerName: name,
            score: take("gen_ai.evaluation.score.value")?.number,
            label: take("gen_ai.evaluation.score.label")?.string,
            reason: take("gen_ai.evaluation.explanation")?.string,
            experiment: take("nightjar.score.experiment")?.string
        )
        input.error = take("error.type")?.string
        input.scorerVersion = take("nightjar.score.version")?.string
        input.annotatorKind = take("nightjar.score.annotator")?.string
        input.id = take("nightjar.score.id")?.string
        input.sessionID =
            take("nightjar.score.session")?.string ?? (traceID == nil ? correlation.sessionID : nil)
        input.traceID = traceID
        input.spanID = spanID
        rest["event.name"] = nil
        input.metadata = carried.metadata.merging(rest)
        self.timestamp = timestamp
        self.correlation = correlation
        let response = rest["gen_ai.response.id"]?.string ?? ""
        guard settle(mark: "\(timestamp.unixNano)\u{0}\(response)") else { return nil }
    }

    /// A verdict in attributes of a span: the members that OpenInference has for it.
    init?(
        members: Value.Object,
        fallbackName: String?,
        target: ScoreInput,
        timestamp: Timestamp,
        correlation: Correlation
    ) {
        guard let name = members["name"]?.string ?? fallbackName else { return nil }
        input = target
        input.scorerName = name
        input.score = members["score"]?.number
        input.label = members["label"]?.string
        input.reason = members["explanation"]?.string
        let kind = members["annotator_kind"]?.string?.lowercased()
        input.annotatorKind = kind.flatMap { ScoreInput.annotatorKinds.contains($0) ? $0 : nil }
        let identifier = members["identifier"]?.string
        if let identifier { input.metadata["identifier"] = .string(identifier) }
        self.timestamp = timestamp
        self.correlation = correlation
        guard settle(mark: identifier ?? "") else { return nil }
    }

    /// Gives it an id where it has none; whether it is fit to be a score.
    private mutating func settle(mark: String) -> Bool {
        if input.id == nil {
            input.id = AnnotationID.derived(
                scorer: "\(input.scorerName)\u{0}\(mark)",
                experiment: input.experiment,
                traceID: input.traceID,
                spanID: input.spanID,
                sessionID: input.sessionID
            )
        }
        return input.fault() == nil
    }
}

extension Evaluation {
    /// The verdicts that a span carries: in its events, and in OpenInference's attributes. Costs next to nothing for a span
    /// without any.
    package static func evaluations(_ span: SpanReference) -> [Evaluation] {
        let row = span.row.pointee
        var found: [Evaluation] = []
        if row.flags & UInt8(NJ_SPAN_HAS_EVALUATIONS.rawValue) != 0 { found = events(span) }
        guard row.convention == Convention.openInference.rawValue else { return found }
        let attributes = SpanAttributes(span)
        guard attributes.rows.contains(where: { isVerdict($0.keyText) }) else { return found }
        return found + self.attributes(span, attributes)
    }

    private static func correlation(_ row: nj_span) -> Correlation {
        var fields = Correlation.Fields()
        fields.serviceName = row.service.string
        fields.environment = row.environment.string
        fields.sessionID = row.session_id.string
        fields.userID = row.user_id.string
        return Correlation(fields)
    }

    private static func events(_ span: SpanReference) -> [Evaluation] {
        let row = span.row.pointee
        return SpanEvents.events(row.encoded).filter { $0.name == eventName.description }.compactMap {
            event in
            Evaluation(
                event: event.attributes,
                traceID: row.traceID,
                spanID: SpanID(value: row.id),
                timestamp: event.timestamp,
                correlation: correlation(row)
            )
        }
    }

    /// Where OpenInference puts verdicts: of the span one in its own attributes or several in a list, of its trace and its
    /// session in lists of their own.
    private static func attributes(_ span: SpanReference, _ attributes: SpanAttributes) -> [Evaluation] {
        let row = span.row.pointee
        let given = row.end_nano != 0 ? row.end_nano : row.start_nano
        func evaluation(_ members: Value?, _ target: ScoreInput, fallbackName: String? = nil) -> Evaluation? {
            members?.object.flatMap {
                Evaluation(
                    members: $0,
                    fallbackName: fallbackName,
                    target: target,
                    timestamp: Timestamp(unixNano: Int64(clamping: given)),
                    correlation: correlation(row)
                )
            }
        }
        var found: [Evaluation] = []
        let onSpan = targets(row)[0].target
        for prefix: StaticString in ["evaluation.", "annotation."] {
            let members = FlatKeys.value(under: prefix, of: attributes)
            if let one = evaluation(members, onSpan, fallbackName: row.name.string) { found.append(one) }
        }
        for (prefix, target) in targets(row) {
            let list = FlatKeys.value(under: prefix, of: attributes)?.array ?? []
            found += list.compactMap { evaluation($0["evaluation"] ?? $0["annotation"], target) }
        }
        return found
    }

    /// The lists of verdicts and what each judges. A session that is not named is its trace.
    private static func targets(_ row: nj_span) -> [(prefix: StaticString, target: ScoreInput)] {
        var onTrace = ScoreInput(scorerName: "")
        onTrace.traceID = row.traceID
        var onSpan = onTrace
        onSpan.spanID = SpanID(value: row.id)
        var onSession = onTrace
        if let session = row.session_id.string {
            onSession = ScoreInput(scorerName: "")
            onSession.sessionID = session
        }
        return [
            ("evaluations.", onSpan), ("annotations.", onSpan), ("trace.evaluations.", onTrace),
            ("trace.annotations.", onTrace), ("session.evaluations.", onSession),
            ("session.annotations.", onSession),
        ]
    }

    private static func isVerdict(_ key: nj_text) -> Bool {
        key.hasPrefix("evaluation") || key.hasPrefix("annotation") || key.hasPrefix("trace.evaluations.")
            || key.hasPrefix("session.evaluations.") || key.hasPrefix("trace.annotations.")
            || key.hasPrefix("session.annotations.")
    }
}
