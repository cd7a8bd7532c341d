import CNightjarSignals
import NightjarBus
import NightjarOTLP
import NightjarPlugins
import NightjarSignals

/// The program's processors, run over what a worker takes in before anything else sees it. Belongs to one worker.
struct SignalProcessing {
    let processors: [any SignalProcessor]
    private let reader = OTLPSpanReader()

    init(_ processors: [any SignalProcessor]) {
        self.processors = processors
    }

    var isEmpty: Bool { processors.isEmpty }

    /// The changed line, nil where a processor drops it.
    func process(_ log: Log) -> Log? {
        processors.reduce(Optional(log)) { log, processor in log.flatMap(processor.processLog) }
    }

    /// The changed observation, nil where a processor drops it.
    func process(_ metric: Metric) -> Metric? {
        processors.reduce(Optional(metric)) { metric, processor in metric.flatMap(processor.processMetric) }
    }

    /// What became of the spans of one request.
    struct Outcome {
        /// The spans as they are now; those that were dropped are marked so, for they still count.
        var slabs: [Slab]
        /// What takes the place of chunks in the journal.
        var rewrites: [ChunkRewrite] = []
    }

    private struct Item {
        var span: Span
        let hasEnded: Bool
        let isDropped: Bool
    }

    /// Runs plugins' processors over a span; false where one drops it. Its second argument makes a change and gives the span as
    /// it is then.
    typealias PluginProcessor = (SpanReference, (SpanChange, SpanReference) -> SpanReference) -> Bool

    /// Runs the processors, then those of plugins, over the spans of a request. `sequences` are the numbers of the traces' chunks
    /// in the journal. Slabs in which nothing changes stay as they are.
    func process(
        _ slabs: [Slab],
        sequences: [TraceID: Int64],
        by plugins: PluginProcessor? = nil
    ) -> Outcome {
        guard !isEmpty || plugins != nil else { return Outcome(slabs: slabs) }
        var order: [TraceID] = []
        var items: [TraceID: [(reference: SpanReference, item: Item?)]] = [:]
        var changed: Set<TraceID> = []
        for slab in slabs {
            for index in 0..<slab.count {
                let trace = slab.spans[index].traceID
                let reference = SpanReference(slab: slab, index: index)
                let item = processed(reference, plugins)
                if items[trace] == nil { order.append(trace) }
                items[trace, default: []].append((reference, item))
                if item != nil { changed.insert(trace) }
            }
        }
        guard !changed.isEmpty else { return Outcome(slabs: slabs) }
        var outcome = Outcome(slabs: [])
        for trace in order {
            let all = (items[trace] ?? []).map { $0.item ?? unchanged($0.reference) }
            let kept = all.filter { !$0.isDropped }.map { (span: $0.span, hasEnded: $0.hasEnded) }
            let dropped = all.filter(\.isDropped).map { (span: $0.span, hasEnded: $0.hasEnded) }
            let payload = kept.isEmpty ? nil : SpanEncoder.request(kept)
            let receivedAt = slabs[0].receivedAt
            outcome.slabs += payload.map { decoded($0, receivedAt) } ?? []
            if !dropped.isEmpty {
                let counted = decoded(SpanEncoder.request(dropped), receivedAt)
                for slab in counted { slab.markDropped() }
                outcome.slabs += counted
            }
            if changed.contains(trace), let sequence = sequences[trace] {
                outcome.rewrites.append(
                    ChunkRewrite(sequence: sequence, payload: payload, spanCount: kept.count)
                )
            }
        }
        return outcome
    }

    private func unchanged(_ reference: SpanReference) -> Item {
        Item(span: reader.span(reference), hasEnded: reference.row.pointee.hasEnded, isDropped: false)
    }

    /// What became of a span; nil where nothing did.
    private func processed(_ reference: SpanReference, _ plugins: PluginProcessor?) -> Item? {
        var item: Item?
        if !isEmpty {
            let original = unchanged(reference)
            let own = processed(original)
            if own.isDropped { return own }
            if own.span != original.span { item = own }
        }
        guard let plugins else { return item }
        let start = item.flatMap { encoded($0) } ?? reference
        let isKept = plugins(start) { change, reference in
            let before = item ?? unchanged(reference)
            let next = Item(span: before.span.changed(change), hasEnded: before.hasEnded, isDropped: false)
            guard next.span != before.span, let now = encoded(next) else { return reference }
            item = next
            return now
        }
        guard isKept else {
            let last = item ?? unchanged(reference)
            return Item(span: last.span, hasEnded: last.hasEnded, isDropped: true)
        }
        return item
    }

    private func processed(_ original: Item) -> Item {
        var span = original.span
        for processor in processors {
            guard var next = processor.processSpan(span) else {
                return Item(span: span, hasEnded: original.hasEnded, isDropped: true)
            }
            // What a span is, and where it belongs, is not a processor's to change.
            (next.id, next.traceID, next.parentSpanID) = (
                original.span.id, original.span.traceID, original.span.parentSpanID
            )
            span = next
        }
        return Item(span: span, hasEnded: original.hasEnded, isDropped: false)
    }

    /// A span as a row of its own.
    private func encoded(_ item: Item) -> SpanReference? {
        let slabs = decoded(
            SpanEncoder.request([(span: item.span, hasEnded: item.hasEnded)]),
            Timestamp(unixNano: 0)
        )
        return slabs.first.map { SpanReference(slab: $0, index: 0) }
    }

    private func decoded(_ payload: [UInt8], _ receivedAt: Timestamp) -> [Slab] {
        do throws(OTLPError) {
            return try TraceRequest.decode(
                payload,
                encoding: .protobuf,
                receivedAt: receivedAt,
                workers: 1,
                limits: .taken
            ).slabs.map(\.slab)
        } catch {
            // The encoder is ours, and its output is decoded in tests of every kind of span.
            preconditionFailure("a span that was just encoded cannot be decoded: \(error)")
        }
    }
}

extension Span {
    /// The span with what a plugin's processor set.
    fileprivate func changed(_ change: SpanChange) -> Span {
        var span = self
        for (name, value) in change.fields {
            switch (name, value) {
            case ("name", .string(let text)): span.name = text
            case ("attributes", .object(let attributes)): span.setAttributes(attributes)
            case ("metadata", .object(let metadata)): span.metadata = metadata
            case ("tags", _): span.tags = value.array?.compactMap(\.string) ?? []
            default: break
            }
        }
        return span
    }
}

extension Span {
    /// The attributes that facts are taken from, the first that speaks wins: those of our own spans, and those that conventions
    /// agree on.
    private static var sources: [(fact: WritableKeyPath<Span, String?>, keys: [String])] {
        [
            (\.agent, ["gen_ai.agent.name"]),
            (\.tool, ["gen_ai.tool.name", "tool.name"]),
            (\.workflow, ["gen_ai.workflow.name"]),
            (\.model, ["model", "gen_ai.request.model", "llm.model_name", "ai.model.id"]),
            (\.responseModel, ["responseModel", "gen_ai.response.model", "ai.response.model"]),
            (\.provider, ["provider", "gen_ai.provider.name", "gen_ai.system", "ai.model.provider"]),
            (\.finishReason, ["finishReason"]),
        ]
    }

    /// Sets the attributes, and with them the facts that were taken from one that is another now: rules and metrics see what is
    /// stored.
    fileprivate mutating func setAttributes(_ new: Value.Object) {
        let old = attributes
        attributes = new
        for (fact, keys) in Self.sources {
            let changed = keys.first { key in
                guard old[key] != new[key] else { return false }
                return self[keyPath: fact] == nil || self[keyPath: fact] == old[key]?.string
            }
            guard let changed else { continue }
            let before = self[keyPath: fact]
            self[keyPath: fact] = new[changed]?.string
            if entityName == before, before != nil { entityName = self[keyPath: fact] }
        }
    }
}

extension Slab {
    /// Marks every span as dropped by a processor.
    fileprivate func markDropped() {
        for index in 0..<count { spans[index].flags |= UInt8(NJ_SPAN_DROPPED.rawValue) }
    }
}
