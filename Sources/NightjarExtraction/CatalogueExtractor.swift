package import CNightjarSignals
package import NightjarBus
package import NightjarSignals

/// Turns settled spans, scores and feedback into the built-in metrics. Uses only what plugins can get: the fields of a span
/// and an aggregator. Belongs to one worker.
package final class CatalogueExtractor {
    /// The series of all metrics that one combination of labels leads to.
    private struct Bundle {
        let started: MetricAggregator.Cell?
        let ended: MetricAggregator.Cell?
        let duration: MetricAggregator.Cell?
        /// Input, output, cache read, cache write; of generations.
        let tokens: [MetricAggregator.Cell?]
    }

    private let catalogue: Catalogue
    private let aggregator: MetricAggregator
    private var keys = TextKeyTable(limit: 16_384)
    private var bundles: [Bundle] = []
    private var epoch = 0

    /// An extractor that adds to `aggregator`.
    package init(_ catalogue: Catalogue, aggregator: MetricAggregator) {
        self.catalogue = catalogue
        self.aggregator = aggregator
    }

    /// Counts a span whose inherited facts are final; a duplicate counts nothing.
    package func spanSettled(
        _ span: borrowing nj_span,
        started: Bool,
        ended: Bool,
        receivedAt: Timestamp
    ) {
        guard span.duplicate_of == 0, let places = Self.places(span.spanType) else { return }
        let bundle = bundle(span, places)
        if started { add(bundle.started, 1, time(span.start_nano, receivedAt)) }
        guard ended else { return }
        let time = time(span.end_nano, receivedAt)
        add(bundle.ended, 1, time)
        if span.end_nano != 0, span.start_nano != 0, !span.isEvent {
            add(bundle.duration, span.durationMilliseconds, time)
            if span.hasClockSkew { aggregator.count(\.clockSkew, at: receivedAt) }
        }
        guard places.hasTokens else { return }
        addTokens(bundle, 0, span.input_tokens, time)
        addTokens(bundle, 1, span.output_tokens, time)
        addTokens(bundle, 2, span.cache_read_tokens, time)
        addTokens(bundle, 3, span.cache_write_tokens, time)
    }

    /// The count of a score whose trace is known, to be added when its id is counted for the first time.
    package func count(_ score: Score, entityType: String?) -> SeriesDelta? {
        guard let instrument = catalogue.instruments[Catalogue.scores] else { return nil }
        return pending(
            instrument,
            [("scorer", score.scorerName), ("entity_type", entityType), ("experiment", score.experiment)],
            score.timestamp
        )
    }

    /// The count of a piece of feedback whose trace is known, to be added when its id is counted for the first time.
    package func count(_ feedback: Feedback, entityType: String?) -> SeriesDelta? {
        guard let instrument = catalogue.instruments[Catalogue.feedback] else { return nil }
        return pending(
            instrument,
            [
                ("feedback_type", feedback.feedbackType), ("source", feedback.source),
                ("entity_type", entityType), ("experiment", feedback.experiment),
            ],
            feedback.timestamp
        )
    }

    /// The time of an event that a span states; that of its receipt where it states none.
    private func time(_ unixNano: UInt64, _ receivedAt: Timestamp) -> Timestamp {
        guard unixNano != 0 else { return receivedAt }
        return aggregator.clamped(Timestamp(unixNano: Int64(clamping: unixNano)), receivedAt: receivedAt)
    }

    private func add(_ cell: MetricAggregator.Cell?, _ value: Double, _ time: Timestamp) {
        if let cell { aggregator.add(cell, value: value, at: time) }
    }

    /// A count that is absent, negative or not finite is no observation; zero is one.
    private func addTokens(_ bundle: Bundle, _ place: Int, _ value: Double, _ time: Timestamp) {
        if value.isFinite, value >= 0 { add(bundle.tokens[place], value, time) }
    }

    // MARK: - Bundles

    /// The metrics of one span type.
    private struct Places {
        let started: Int
        let ended: Int
        let duration: Int
        var hasTokens = false
    }

    private static func places(_ type: SpanType) -> Places? {
        switch type {
        case .agentRun:
            Places(
                started: Catalogue.agentStarted,
                ended: Catalogue.agentEnded,
                duration: Catalogue.agentDuration
            )
        case .modelGeneration:
            Places(
                started: Catalogue.modelStarted,
                ended: Catalogue.modelEnded,
                duration: Catalogue.modelDuration,
                hasTokens: true
            )
        case .toolCall, .mcpToolCall:
            Places(
                started: Catalogue.toolStarted,
                ended: Catalogue.toolEnded,
                duration: Catalogue.toolDuration
            )
        case .workflowRun:
            Places(
                started: Catalogue.workflowStarted,
                ended: Catalogue.workflowEnded,
                duration: Catalogue.workflowDuration
            )
        default: nil
        }
    }

    private func bundle(_ span: borrowing nj_span, _ places: Places) -> Bundle {
        aggregator.refresh()
        if epoch != aggregator.epoch || keys.isFull {
            keys.removeAll()
            bundles.removeAll()
            epoch = aggregator.epoch
        }
        let values = LabelValues(span)
        let tag = UInt64(places.started) << 8 | UInt64(span.status)
        return withUnsafeBytes(of: values.texts) { raw in
            let texts = raw.bindMemory(to: nj_text.self)
            if let index = keys.find(tag: tag, texts) { return bundles[Int(index)] }
            var bundle = makeBundle(values, places)
            // Making its series may have emptied the aggregator's cache, which voids those made before: then once more.
            while epoch != aggregator.epoch {
                epoch = aggregator.epoch
                keys.removeAll()
                bundles.removeAll()
                bundle = makeBundle(values, places)
            }
            keys.insert(tag: tag, texts, Int32(bundles.count))
            bundles.append(bundle)
            return bundle
        }
    }

    private func makeBundle(_ values: LabelValues, _ places: Places) -> Bundle {
        let tokens = places.hasTokens ? Array(Catalogue.modelInput...Catalogue.modelCacheWrite) : []
        return Bundle(
            started: cell(places.started, values),
            ended: cell(places.ended, values),
            duration: cell(places.duration, values),
            tokens: tokens.map { cell($0, values) }
        )
    }

    private func cell(_ place: Int, _ values: LabelValues) -> MetricAggregator.Cell? {
        guard let instrument = catalogue.instruments[place] else { return nil }
        let labels = Catalogue.metrics[place].labels.map(values.label).filter { $0.value.isPresent }
        return labels.withUnsafeBufferPointer { aggregator.cell(instrument, $0) }
    }

    private func pending(
        _ instrument: InstrumentID,
        _ labels: [(StaticString, String?)],
        _ time: Timestamp
    ) -> SeriesDelta? {
        let present = labels.compactMap { name, value in value.map { (name, Array($0.utf8)) } }
        // One buffer for all values, so that the labels can point into it.
        let bytes = present.flatMap(\.1)
        return bytes.withUnsafeBytes { buffer in
            var at = 0
            let rows = present.map { name, value in
                defer { at += value.count }
                return nj_label(
                    name: nj_text(name),
                    value: nj_text(UnsafeRawBufferPointer(rebasing: buffer[at..<at + value.count]))
                )
            }
            return rows.withUnsafeBufferPointer { aggregator.pendingCount(instrument, $0, at: time) }
        }
    }
}

/// The values that a span gives its metrics' labels.
private struct LabelValues {
    // A tuple lies in memory as an array would, without an allocation for each span.
    let texts: (nj_text, nj_text, nj_text, nj_text, nj_text, nj_text)
    let status: SpanStatus

    /// Own label, provider, agent, env, service, and the type's second name.
    init(_ span: borrowing nj_span) {
        status = span.spanStatus
        let unknown = nj_text("unknown")
        let agent = span.agent.hasBytes ? span.agent : span.settled_agent
        switch span.spanType {
        case .agentRun:
            texts = (
                span.agent.hasBytes ? span.agent : unknown, .absent, .absent, span.environment, span.service,
                .absent
            )
        case .modelGeneration:
            let model = span.model.hasBytes ? span.model : span.response_model
            texts = (model.hasBytes ? model : unknown, span.provider, agent, .absent, .absent, .absent)
        case .toolCall, .mcpToolCall:
            texts = (
                span.tool.hasBytes ? span.tool : unknown, .absent, agent, span.environment, .absent, .absent
            )
        default:
            texts = (
                span.workflow.hasBytes ? span.workflow : unknown, .absent, .absent, span.environment, .absent,
                .absent
            )
        }
        ownType = span.spanType
    }

    private let ownType: SpanType

    func label(_ name: Catalogue.LabelName) -> nj_label {
        switch name {
        case .model: nj_label(name: nj_text("model"), value: texts.0)
        case .tool: nj_label(name: nj_text("tool"), value: texts.0)
        case .workflow: nj_label(name: nj_text("workflow"), value: texts.0)
        case .agent: nj_label(name: nj_text("agent"), value: ownType == .agentRun ? texts.0 : texts.2)
        case .provider: nj_label(name: nj_text("provider"), value: texts.1)
        case .env: nj_label(name: nj_text("env"), value: texts.3)
        case .service: nj_label(name: nj_text("service"), value: texts.4)
        case .status: nj_label(name: nj_text("status"), value: Self.statusText(status))
        case .scorer, .experiment, .source, .entityType, .feedbackType:
            nj_label(name: .absent, value: .absent)
        }
    }

    private static func statusText(_ status: SpanStatus) -> nj_text {
        switch status {
        case .running: nj_text("running")
        case .ok: nj_text("ok")
        case .error: nj_text("error")
        }
    }
}
