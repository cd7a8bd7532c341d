import NightjarSignals
import Synchronization

/// What follows from a live span and the spans that it is part of: what its own signals have beside what they say, and what its
/// children go on from. Found once and kept until something of the trace changes.
struct KnownContext: Sendable {
    /// The span's metadata with that of its parents below it.
    let metadata: Value.Object
    /// What a signal of the span belongs to.
    let correlation: Correlation
    /// The facts of that which are a metric's metadata.
    let environmentFacts: Value.Object
    /// The correlation without what the program itself says.
    fileprivate let own: Correlation
    /// The count of changes that it holds for.
    fileprivate let changes: UInt64
}

/// How often anything changed in the spans of one trace that its other spans depend on.
final class TraceChanges: Sendable {
    private let changes = Atomic<UInt64>(0)

    var count: UInt64 { changes.load(ordering: .acquiring) }

    func note() { changes.wrappingAdd(1, ordering: .releasing) }
}

extension LiveSpan {
    /// What follows from the span and its parents as they are now.
    func known() -> KnownContext {
        // Before anything is read: what changes in between is looked at again the next time.
        let count = changes.count
        // Without recursion: a chain of spans may be as long as its program likes. No two spans are ever locked together.
        var missing: [LiveSpan] = []
        var (at, above): (LiveSpan?, KnownContext?) = (self, nil)
        while let span = at {
            if let known = span.state.withLock({ $0.known }), known.changes == count {
                above = known
                break
            }
            missing.append(span)
            at = span.parent
        }
        while let span = missing.popLast() {
            above = span.state.withLock { state in
                let known = KnownContext(state, in: above, context, changes: count)
                state.known = known
                return known
            }
        }
        return above ?? KnownContext(State(span), in: nil, context, changes: count)
    }
}

extension KnownContext {
    fileprivate init(
        _ state: LiveSpan.State,
        in parent: KnownContext?,
        _ context: LiveContext,
        changes: UInt64
    ) {
        metadata = parent.map { $0.metadata.merging(state.metadata) } ?? state.metadata
        own = Correlation(state.span, in: parent?.own, stated: state.metadata, metadata: metadata)
        self.changes = changes
        if let parent, own == parent.own {
            (correlation, environmentFacts) = (parent.correlation, parent.environmentFacts)
        } else {
            correlation = own.filled(from: context)
            environmentFacts = correlation.environmentFacts
        }
    }
}
