package import CNightjarSignals
package import NightjarBus
package import NightjarSignals

/// Turns settled spans, scores and feedback into the built-in metrics. Uses only what plugins can get: the fields of a span
/// and an aggregator. Belongs to one worker.
package final class CatalogueExtractor {
    private typealias Cell = MetricAggregator.Cell

    /// The series of all metrics that one combination of labels leads to, found by one look-up for each span.
    private struct Bundle {
        var started = Cell.none
        var ended = Cell.none
        var duration = Cell.none
        // Of generations.
        var input = Cell.none
        var output = Cell.none
        var cacheRead = Cell.none
        var cacheWrite = Cell.none
    }

    private let catalogue: Catalogue
    private let aggregator: MetricAggregator
    private let keys = TextKeyTable(limit: keyLimit)
    /// What `keys` has numbers for. In memory of its own: an array in a property is checked for overlapping access each time.
    private let bundles = UnsafeMutablePointer<Bundle>.allocate(capacity: keyLimit)
    private static let keyLimit = 16_384
    // Fields are unchecked as in TraceState: one thread at a time, and no access lasts over a call that comes back to it.
    @exclusivity(unchecked) private var epoch = 0

    /// An extractor that adds to `aggregator`.
    package init(_ catalogue: Catalogue, aggregator: MetricAggregator) {
        self.catalogue = catalogue
        self.aggregator = aggregator
    }

    deinit { bundles.deallocate() }

    /// Counts a span whose inherited facts are final; a duplicate counts nothing.
    package func spanSettled(
        _ span: UnsafePointer<nj_span>,
        started: Bool,
        ended: Bool,
        receivedAt: Timestamp
    ) {
        guard span.pointee.duplicate_of == 0, let places = Self.places(span.pointee.spanType) else { return }
        let bundle = bundle(span, places)
        if started { aggregator.add(bundle.started, value: 1, at: time(span.pointee.start_nano, receivedAt)) }
        guard ended else { return }
        let time = time(span.pointee.end_nano, receivedAt)
        aggregator.add(bundle.ended, value: 1, at: time)
        if span.pointee.end_nano != 0, span.pointee.start_nano != 0, !span.pointee.isEvent {
            aggregator.add(bundle.duration, value: span.pointee.durationMilliseconds, at: time)
            if span.pointee.hasClockSkew { aggregator.count(\.clockSkew, at: receivedAt) }
        }
        guard places.hasTokens else { return }
        addTokens(bundle.input, span.pointee.input_tokens, time)
        addTokens(bundle.output, span.pointee.output_tokens, time)
        addTokens(bundle.cacheRead, span.pointee.cache_read_tokens, time)
        addTokens(bundle.cacheWrite, span.pointee.cache_write_tokens, time)
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

    /// A count that is absent, negative or not finite is no observation; zero is one.
    private func addTokens(_ cell: Cell, _ value: Double, _ time: Timestamp) {
        if value.isFinite, value >= 0 { aggregator.add(cell, value: value, at: time) }
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

    private func bundle(_ span: UnsafePointer<nj_span>, _ places: Places) -> Bundle {
        aggregator.refresh()
        if epoch != aggregator.epoch || keys.isFull {
            keys.removeAll()
            epoch = aggregator.epoch
        }
        let values = LabelValues(span)
        let tag = UInt64(places.started) << 8 | UInt64(span.pointee.status)
        return withUnsafeBytes(of: values.texts) { raw in
            let texts = raw.bindMemory(to: nj_text.self)
            if let index = keys.find(tag: tag, texts) { return bundles[Int(index)] }
            var bundle = makeBundle(values, places)
            // Making its series may have emptied the aggregator's cache, which voids those made before: then once more.
            while epoch != aggregator.epoch {
                epoch = aggregator.epoch
                keys.removeAll()
                bundle = makeBundle(values, places)
            }
            (bundles + keys.count).initialize(to: bundle)
            keys.insert(tag: tag, texts, Int32(keys.count))
            return bundle
        }
    }

    private func makeBundle(_ values: LabelValues, _ places: Places) -> Bundle {
        var bundle = Bundle()
        bundle.started = cell(places.started, values)
        bundle.ended = cell(places.ended, values)
        bundle.duration = cell(places.duration, values)
        guard places.hasTokens else { return bundle }
        bundle.input = cell(Catalogue.modelInput, values)
        bundle.output = cell(Catalogue.modelOutput, values)
        bundle.cacheRead = cell(Catalogue.modelCacheRead, values)
        bundle.cacheWrite = cell(Catalogue.modelCacheWrite, values)
        return bundle
    }

    private func cell(_ place: Int, _ values: LabelValues) -> Cell {
        guard let instrument = catalogue.instruments[place] else { return .none }
        let labels = Catalogue.metrics[place].labels.map(values.label).filter { $0.value.isPresent }
        return labels.withUnsafeBufferPointer { aggregator.cell(instrument, $0) } ?? .none
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
    /// All of them but the status, in an order that follows from the type. A tuple lies in memory as an array would, without an
    /// allocation for each span.
    let texts: (nj_text, nj_text, nj_text)
    let status: SpanStatus
    private let type: SpanType

    init(_ span: UnsafePointer<nj_span>) {
        status = span.pointee.spanStatus
        type = span.pointee.spanType
        switch type {
        case .agentRun:
            texts = (Self.known(span.pointee.agent), span.pointee.environment, span.pointee.service)
        case .modelGeneration:
            let model = span.pointee.model.hasBytes ? span.pointee.model : span.pointee.response_model
            texts = (Self.known(model), Self.agent(span), span.pointee.provider)
        case .toolCall, .mcpToolCall:
            texts = (Self.known(span.pointee.tool), Self.agent(span), span.pointee.environment)
        default: texts = (Self.known(span.pointee.workflow), span.pointee.environment, .absent)
        }
    }

    private static func known(_ name: nj_text) -> nj_text { name.hasBytes ? name : nj_text("unknown") }

    private static func agent(_ span: UnsafePointer<nj_span>) -> nj_text {
        span.pointee.agent.hasBytes ? span.pointee.agent : span.pointee.settled_agent
    }

    /// A label, as far as metrics of the type have it.
    func label(_ name: Catalogue.LabelName) -> nj_label {
        switch name {
        case .model: nj_label(name: nj_text("model"), value: texts.0)
        case .tool: nj_label(name: nj_text("tool"), value: texts.0)
        case .workflow: nj_label(name: nj_text("workflow"), value: texts.0)
        case .agent: nj_label(name: nj_text("agent"), value: type == .agentRun ? texts.0 : texts.1)
        case .provider: nj_label(name: nj_text("provider"), value: texts.2)
        case .env:
            nj_label(
                name: nj_text("env"),
                value: type == .toolCall || type == .mcpToolCall ? texts.2 : texts.1
            )
        case .service: nj_label(name: nj_text("service"), value: texts.2)
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
