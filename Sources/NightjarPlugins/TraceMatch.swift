import CNightjarLua
import CNightjarSignals
import NightjarBus
import NightjarSignals

/// A condition over a trace: on its root, on some span, on every span, and on its own fields.
struct TraceMatch: Sendable {
    private typealias SpanTest = (program: MatchProgram, keys: SpanKeys)

    private let root: SpanTest?
    private let anySpan: [SpanTest]
    private let everySpan: SpanTest?
    private let facts: [(key: String, name: String, path: [String], test: ValueTest)]

    /// The keys that a match of traces can have; the first three are conditions over spans.
    private static let keys = ReferenceTables.names(of: "nightjar.TraceMatch")

    /// Reads what a script wrote; a list of tables is any of them.
    static func alternatives(_ match: Value) throws(DeclarationFault) -> [TraceMatch] {
        guard let list = match.array else { return [try TraceMatch(match)] }
        var matches: [TraceMatch] = []
        for alternative in list { matches.append(try TraceMatch(alternative)) }
        return matches
    }

    private init(_ match: Value) throws(DeclarationFault) {
        guard let object = match.object else {
            throw DeclarationFault("a match is a table of fields, or a list of such tables")
        }
        var root: SpanTest?
        var anySpan: [SpanTest] = []
        var everySpan: SpanTest?
        var facts: [(key: String, name: String, path: [String], test: ValueTest)] = []
        for (key, value) in object.entries {
            switch key {
            case "root": root = try Self.spanTest(value)
            case "any": anySpan.append(try Self.spanTest(value))
            case "all": everySpan = try Self.spanTest(value)
            default:
                let parts = key.split(separator: ".", maxSplits: 1).map(String.init)
                guard let name = parts.first.flatMap({ spelling(of: $0, among: Self.keys) }) else {
                    throw DeclarationFault(
                        "unknown match key '\(key)' of a trace\(suggestion(for: parts.first ?? "", among: Self.keys))"
                    )
                }
                facts.append((key, name, Array(parts.dropFirst()), try ValueTest(value, key: key)))
            }
        }
        self.root = root
        self.anySpan = anySpan
        self.everySpan = everySpan
        self.facts = facts
    }

    private static func spanTest(_ match: Value) throws(DeclarationFault) -> SpanTest {
        (MatchProgram(try MatchCompiler.span(match)), try SpanKeys(match))
    }

    /// Whether the condition holds for the trace that the scope has turned to.
    func holds(in scope: SpanScope) -> Bool {
        guard let trace = scope.rawTrace?.pointee else { return false }
        let spans = UnsafeBufferPointer(start: trace.spans, count: Int(trace.count))
        if let root {
            guard trace.root >= 0, root.program.holds(spans[Int(trace.root)], in: scope) else { return false }
        }
        for (program, _) in anySpan where !spans.contains(where: { program.holds($0, in: scope) }) {
            return false
        }
        if let everySpan, !spans.allSatisfy({ everySpan.program.holds($0, in: scope) }) { return false }
        return facts.allSatisfy { Self.holds($0, for: trace, in: scope) }
    }

    /// The first key that the trace fails, and the span that fails it where it is one of a span; nil where the condition holds.
    func failure(in scope: SpanScope) -> (key: String, span: SpanID?)? {
        guard let trace = scope.rawTrace?.pointee else { return nil }
        let spans = UnsafeBufferPointer(start: trace.spans, count: Int(trace.count))
        let rootSpan = trace.root >= 0 ? spans[Int(trace.root)] : nil
        func named(_ name: String, _ keys: SpanKeys, _ span: nj_span_ref?) -> (String, SpanID?) {
            let key = span.flatMap { keys.failure(of: $0, in: scope) }?.key
            return (key.map { "\(name).\($0)" } ?? name, span?.spanID)
        }
        if let root, rootSpan.map({ root.program.holds($0, in: scope) }) != true {
            return named("root", root.keys, rootSpan)
        }
        for (program, keys) in anySpan where !spans.contains(where: { program.holds($0, in: scope) }) {
            return named("any", keys, keys.nearest(of: spans, in: scope))
        }
        if let everySpan, let span = spans.first(where: { !everySpan.program.holds($0, in: scope) }) {
            return named("all", everySpan.keys, span)
        }
        return facts.first { !Self.holds($0, for: trace, in: scope) }.map { ($0.key, nil) }
    }

    private static func holds(
        _ fact: (key: String, name: String, path: [String], test: ValueTest),
        for trace: nj_trace,
        in scope: SpanScope
    ) -> Bool {
        fact.test.holds(for: Self.fact(fact.name, of: trace, in: scope)?.at(fact.path))
    }

    private static func fact(_ name: String, of trace: nj_trace, in scope: SpanScope) -> Value? {
        let spans = UnsafeBufferPointer(start: trace.spans, count: Int(trace.count))
        let root = trace.root >= 0 ? spans[Int(trace.root)] : nil
        switch name {
        case "id": return .string(TraceID(high: trace.trace_high, low: trace.trace_low).description)
        case "duration_ms": return duration(spans).map(Value.double)
        case "status": return root.map { .string($0.span.pointee.spanStatus.name) }
        case "error_count": return .int(Int64(spans.count { $0.span.pointee.spanStatus == .error }))
        case "has_errors": return .bool(spans.contains { $0.span.pointee.spanStatus == .error })
        case "is_partial": return .bool(trace.is_partial)
        case "revision": return .int(Int64(trace.revision))
        case "usage": return .object(usage(spans))
        case "service": return text(root, \.service, \.service)
        case "environment": return text(root, \.environment, \.environment)
        case "metadata":
            return root.flatMap { scope.reference($0) }.map { .object(scope.reader.metadata($0)) }
        default: return nil
        }
    }

    private static func text(
        _ ref: nj_span_ref?,
        _ own: KeyPath<nj_span, nj_text>,
        _ shared: KeyPath<nj_context, nj_text>
    ) -> Value? {
        guard let ref else { return nil }
        let row = ref.span.pointee
        if let text = row[keyPath: own].string { return .string(text) }
        guard row.context < ref.slab.pointee.context_count else { return nil }
        return ref.slab.pointee.contexts[Int(row.context)][keyPath: shared].string.map(Value.string)
    }

    private static func duration(_ spans: UnsafeBufferPointer<nj_span_ref>) -> Double? {
        let first = spans.map(\.span.pointee.start_nano).filter { $0 != 0 }.min()
        let last = spans.map(\.span.pointee.end_nano).max()
        guard let first, let last, last != 0 else { return nil }
        return last < first ? 0 : Double(last - first) / 1_000_000
    }

    private static func usage(_ spans: UnsafeBufferPointer<nj_span_ref>) -> Value.Object {
        let counts: [(String, KeyPath<nj_span, Double>)] = [
            ("input_tokens", \.input_tokens), ("output_tokens", \.output_tokens),
            ("cache_read_tokens", \.cache_read_tokens), ("cache_write_tokens", \.cache_write_tokens),
            ("reasoning_tokens", \.reasoning_tokens), ("cost", \.cost),
        ]
        var sums: Value.Object = [:]
        for span in spans.map(\.span.pointee)
        where span.spanType == .modelGeneration && span.duplicate_of == 0 {
            for (name, path) in counts where !span[keyPath: path].isNaN {
                sums[name] = .double((sums[name]?.number ?? 0) + span[keyPath: path])
            }
        }
        return sums
    }
}
