import CNightjarLua
import CNightjarSignals
import NightjarSignals

/// The keys of a condition over spans one by one: which of them a span fails. Of a list of conditions there are none.
struct SpanKeys: Sendable {
    private static let typeKey = "type"

    /// The keys with their own conditions, that of the type first.
    let keys: [(key: String, program: MatchProgram)]

    /// Compiles each key of what a script wrote.
    init(_ match: Value) throws(DeclarationFault) {
        var keys: [(key: String, program: MatchProgram)] = []
        for (key, value) in match.object?.entries ?? [] {
            keys.append((key, MatchProgram(try MatchCompiler.span(.object([key: value])))))
        }
        // A table of Lua has no order, and what is told of it is to be the same each time.
        self.keys = keys.sorted { left, right in
            let (first, second) = (left.key == Self.typeKey, right.key == Self.typeKey)
            return first == second ? left.key < right.key : first
        }
    }

    /// Keys that were compiled before.
    init(_ keys: [(key: String, program: MatchProgram)]) { self.keys = keys }

    /// The first key that a span fails, and how many it does not; nil where it fails none.
    func failure(of span: nj_span_ref, in scope: SpanScope) -> (key: String, passed: Int)? {
        let failed = keys.filter { !$0.program.holds(span, in: scope) }
        return failed.first.map { ($0.key, keys.count - failed.count) }
    }

    /// The span that fails the fewest keys, one of the right type before any other and the earliest of several; nil where there
    /// are no spans.
    func nearest(of spans: some Sequence<nj_span_ref>, in scope: SpanScope) -> nj_span_ref? {
        var nearest: (span: nj_span_ref, rank: Int)?
        for span in spans {
            let failure = failure(of: span, in: scope)
            // The key of the type comes first, so a span of another type fails that one first.
            let rank = (failure?.passed ?? keys.count) + (failure?.key == Self.typeKey ? 0 : keys.count)
            if rank > nearest?.rank ?? -1 { nearest = (span, rank) }
        }
        return nearest?.span
    }
}

extension nj_span_ref {
    /// The id of the span.
    var spanID: SpanID { SpanID(value: span.pointee.id) }
}
