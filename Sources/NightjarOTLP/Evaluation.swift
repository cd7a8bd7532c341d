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
        // What a scorer that failed says is no verdict.
        if input.error != nil { (input.score, input.label) = (nil, nil) }
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
        let metadata = members["metadata"].map(AttributeValues.decoded)?.object ?? [:]
        input.metadata = metadata.merging(input.metadata)
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
        let hasVerdicts = row.flags & UInt8(NJ_SPAN_HAS_EVALUATIONS.rawValue) != 0
        guard hasVerdicts || row.convention == Convention.openInference.rawValue else { return [] }
        let found = hasVerdicts ? events(span) : []
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
        let judged = judged(span)
        return SpanEvents.events(row.encoded).filter { $0.name == eventName.description }.compactMap {
            event in
            Evaluation(
                event: event.attributes,
                traceID: judged.trace,
                spanID: judged.span,
                timestamp: event.timestamp,
                correlation: correlation(row)
            )
        }
    }

    /// What a span's verdicts are about: itself, or the span to which the span of an evaluation made later is linked.
    private static func judged(_ span: SpanReference) -> (trace: TraceID, span: SpanID) {
        let row = span.row.pointee
        let links = isEvaluator(span) ? SpanEvents.links(row.encoded) : []
        guard links.count == 1 else { return (row.traceID, SpanID(value: row.id)) }
        return (links[0].traceID, links[0].spanID)
    }

    private static func isEvaluator(_ span: SpanReference) -> Bool {
        SpanAttributes(span).row(spanKind)?.text.equals("EVALUATOR") == true
    }

    private static let spanKind = symbol("openinference.span.kind")

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
        let targets = targets(span)
        // Anybody may have an attribute of such a name; in OpenInference it is a verdict.
        if attributes.row(spanKind) != nil {
            for prefix: StaticString in ["evaluation.", "annotation."] {
                let members = FlatKeys.value(under: prefix, of: attributes)
                let one = evaluation(members, targets[0].target, fallbackName: row.name.string)
                if let one { found.append(one) }
            }
        }
        for (prefix, target) in targets {
            let list = FlatKeys.value(under: prefix, of: attributes)?.array ?? []
            found += list.compactMap { evaluation($0["evaluation"] ?? $0["annotation"], target) }
        }
        // One result may be written in both forms.
        return found.enumerated().filter { !found[..<$0.offset].contains($0.element) }.map(\.element)
    }

    /// The lists of verdicts and what each judges. A session that is not named is its trace.
    private static func targets(_ span: SpanReference) -> [(prefix: StaticString, target: ScoreInput)] {
        let judged = judged(span)
        var onTrace = ScoreInput(scorerName: "")
        onTrace.traceID = judged.trace
        var onSpan = onTrace
        onSpan.spanID = judged.span
        var onSession = onTrace
        if let session = span.row.pointee.session_id.string {
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
