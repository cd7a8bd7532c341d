import NightjarTesting

/// One request's body.
struct LoadBody: Sendable {
    var bytes: [UInt8]
    let spanCount: Int
    /// Where the trace ids lie.
    let traceIDs: [Int]
    /// Where the starts lie, each span's end 9 bytes on.
    let times: [Int]

    /// The trace of the span of a number, as hex.
    func traceID(_ span: Int) -> String {
        bytes[traceIDs[span]..<traceIDs[span] + 16].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
            .joined()
    }

    mutating func add(_ nano: UInt64, at offset: Int) {
        var value: UInt64 = 0
        for byte in 0..<8 { value |= UInt64(bytes[offset + byte]) << (8 * byte) }
        value += nano
        for byte in 0..<8 { bytes[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
    }
}

/// A deterministic set of requests, and what has to come of them.
struct Load: Sendable {
    private(set) var bodies: [LoadBody] = []
    /// The same requests as JSON, where they were asked for.
    private(set) var json: [[UInt8]] = []
    /// What the built-in metrics have to say of all of it.
    private(set) var totals = LoadTotals()
    /// How often the traces were made anew.
    private var generation: UInt64 = 0

    /// How many spans there are.
    var spanCount: Int { bodies.reduce(0) { $0 + $1.spanCount } }
    /// How many bytes the bodies have.
    var byteCount: Int { bodies.reduce(0) { $0 + $1.bytes.count } }

    /// The first trace's start, in seconds since 1970.
    static let start: UInt64 = 1_790_000_000
    private static let spacingNano: UInt64 = 7_000_000

    /// Traces from one seed until there are at least so many spans, exported by one process for each service and environment:
    /// each sends a request as soon as a batch is full, and the rest at the end.
    init(_ shape: LoadShape = .captured, seed: UInt64 = 1, spans: Int, json writesJSON: Bool = false) {
        var random = SeededGenerator(seed: seed)
        var queues: [ResourceDraft: [(trace: TraceDraft, span: SpanDraft)]] = [:]
        var order: [ResourceDraft] = []
        var (made, number) = (0, UInt64(0))
        while made < spans {
            let resource = ResourceDraft(
                service: random.below(shape.services),
                isProduction: random.below(4) > 0
            )
            var planner = TracePlanner(shape: shape, random: random)
            let plan = planner.trace(service: resource.service)
            var writer = TraceWriter(shape, .of(service: resource.service), random: planner.random)
            let nano = Self.start * 1_000_000_000 + number * Self.spacingNano
            var trace = writer.write(plan, startNano: nano)
            random = writer.random
            let drafts = trace.spans
            trace.spans = []
            (made, number) = (made + drafts.count, number + 1)
            totals.add(plan, spans: drafts.count)
            if queues[resource] == nil { order.append(resource) }
            for draft in drafts {
                queues[resource, default: []].append((trace, draft))
                if queues[resource, default: []].count == shape.batch {
                    export(resource, queues.updateValue([], forKey: resource) ?? [], writesJSON)
                }
            }
        }
        for resource in order { export(resource, queues[resource] ?? [], writesJSON) }
    }

    /// One trace of at least so many spans from one process: a workflow with everything else that there is below it. Its root
    /// comes last, as exporters send it, or first, as where a run is told of by its start.
    init(oneTraceOf spans: Int, rootFirst: Bool = false) {
        let (shape, resource) = (LoadShape.captured, ResourceDraft(service: 0, isProduction: true))
        var planner = TracePlanner(shape: shape, random: SeededGenerator(seed: 1))
        var plan = PlannedSpan(role: .workflow, name: "wf_0", milliseconds: 1)
        var count = 1
        while count < spans {
            // It takes minutes then: over a day, there would be more windows of metrics than spans.
            plan.children.append(planner.trace(service: resource.service).quickened(by: 1000))
            count += plan.children.last?.count ?? 0
        }
        totals.add(plan, spans: count)
        var writer = TraceWriter(shape, .of(service: resource.service), random: planner.random)
        var trace = writer.write(plan, startNano: Self.start * 1_000_000_000)
        var drafts = trace.spans
        trace.spans = []
        if rootFirst { drafts.insert(drafts.removeLast(), at: 0) }
        for start in stride(from: 0, to: drafts.count, by: shape.batch) {
            let batch = drafts[start..<min(start + shape.batch, drafts.count)]
            export(resource, batch.map { (trace, $0) }, false)
        }
    }

    /// Makes traces that were not there before of the same requests, later by so many nanoseconds: a span sent again would not
    /// be counted again.
    mutating func renew(later nano: UInt64 = 0) {
        let salt = generation ^ (generation + 1)
        generation += 1
        for index in bodies.indices {
            for offset in bodies[index].traceIDs {
                for byte in 0..<4 {
                    bodies[index].bytes[offset + byte] ^= UInt8(truncatingIfNeeded: salt >> (8 * byte))
                }
            }
            guard nano > 0 else { continue }
            for offset in bodies[index].times {
                bodies[index].add(nano, at: offset)
                bodies[index].add(nano, at: offset + 9)
            }
        }
    }

    private mutating func export(
        _ resource: ResourceDraft,
        _ spans: [(trace: TraceDraft, span: SpanDraft)],
        _ writesJSON: Bool
    ) {
        guard !spans.isEmpty else { return }
        var scopes: [(name: String, spans: [(trace: TraceDraft, span: SpanDraft)])] = []
        for entry in spans {
            if let place = scopes.firstIndex(where: { $0.name == entry.span.scope }) {
                scopes[place].spans.append(entry)
            } else {
                scopes.append((entry.span.scope, [entry]))
            }
        }
        if writesJSON { json.append(JSONText.request(resource, scopes)) }
        bodies.append(Self.body(resource, scopes))
    }

    private static func body(
        _ resource: ResourceDraft,
        _ scopes: [(name: String, spans: [(trace: TraceDraft, span: SpanDraft)])]
    ) -> LoadBody {
        var group = ProtobufWriter()
        var places: [Int] = []
        var times: [Int] = []
        group.message(1) { $0.attributes(1, resource.attributes) }
        for scope in scopes {
            var inner = ProtobufWriter()
            inner.message(1) { about in
                about.text(1, scope.name)
                about.text(2, "1.0.0")
            }
            let offsets = scope.spans.map { entry in
                inner.content(2, entry.span.protobuf(high: entry.trace.high, low: entry.trace.low))
            }
            let start = group.content(2, inner.bytes)
            places += offsets.map { $0 + start + SpanDraft.traceIDOffset }
            times += zip(offsets, scope.spans).map { $0 + start + $1.span.timeOffset }
        }
        var request = ProtobufWriter()
        let start = request.content(1, group.bytes)
        return LoadBody(
            bytes: request.bytes,
            spanCount: places.count,
            traceIDs: places.map { $0 + start },
            times: times.map { $0 + start }
        )
    }
}
