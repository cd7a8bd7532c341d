package import CNightjarSignals

/// One span of a trace: a row and the slab that owns it.
package struct SpanReference {
    /// The owner of the row.
    package let slab: Slab
    /// The row's index.
    package let index: Int

    /// A reference to a row.
    @inlinable
    package init(slab: Slab, index: Int) {
        self.slab = slab
        self.index = index
    }

    /// The row itself; valid while the slab lives, writable by the slab's owner.
    @inlinable
    package var row: UnsafeMutablePointer<nj_span> { slab.rows + index }
}

/// What can show a whole trace when someone asks.
package protocol TraceViewSource: AnyObject {
    /// The trace as it is now.
    func view() -> TraceView
    /// A span of it and the span's ancestors, nearest first.
    func lineage(of span: SpanReference) -> [SpanReference]
}

/// A whole trace as rules and scorers get it: its spans by start time, the parent of each, its root.
/// Belongs to the worker that made it.
package final class TraceView: TraceViewSource {
    /// The trace.
    package let id: TraceID
    /// The spans, by start time; equal times keep the order of arrival.
    package let spans: [SpanReference]
    /// For each span the index of its parent, -1 for a root or where the parent is missing in a trace without a root.
    package let parents: [Int32]
    /// The index of the root, or of the earliest span in a trace without one; -1 for an empty trace.
    package let root: Int
    /// Whether the root or a named parent is missing.
    package let isPartial: Bool
    /// Which end of the trace this is, from 1.
    package let revision: Int

    /// Builds the view: orders the spans, finds parents and root. Orphans hang under the root; cycles are cut.
    package init(id: TraceID, spans unordered: [SpanReference], revision: Int) {
        self.id = id
        self.revision = revision
        let spans = unordered.enumerated().sorted {
            let (left, right) = ($0.element.row.pointee.start_nano, $1.element.row.pointee.start_nano)
            return left == right ? $0.offset < $1.offset : left < right
        }.map(\.element)
        self.spans = spans
        let shape = TraceShape(
            spans.map { (id: $0.row.pointee.id, parent: $0.row.pointee.parent_id) }
        )
        parents = shape.parents
        root = shape.root
        isPartial = shape.isPartial
    }

    /// The view itself.
    package func view() -> TraceView { self }

    /// A span of the trace and its ancestors, nearest first.
    package func lineage(of span: SpanReference) -> [SpanReference] {
        guard let place = places[span.row.pointee.id] else { return [span] }
        return [span] + ancestors(of: place).map { spans[$0] }
    }

    private lazy var places = Dictionary(
        spans.enumerated().map { ($1.row.pointee.id, $0) },
        uniquingKeysWith: { first, _ in first }
    )

    /// The parents chain of a span, nearest first, bounded by the number of spans.
    package func ancestors(of index: Int) -> [Int] {
        var chain: [Int] = []
        var at = Int(parents[index])
        while at >= 0, chain.count < spans.count {
            chain.append(at)
            at = Int(parents[at])
        }
        return chain
    }
}

/// How spans hang together: one place for the rules about roots, orphans and cycles.
package struct TraceShape {
    /// For each span the index of its parent, -1 for none.
    package let parents: [Int32]
    /// The index of the root, or of the first span without one; -1 for no spans.
    package let root: Int
    /// Whether the root or a named parent is missing.
    package let isPartial: Bool

    /// Finds the shape of spans given in the order of their start; a parent of 0 means none.
    package init(_ spans: [(id: UInt64, parent: UInt64)]) {
        var places: [UInt64: Int] = [:]
        for (index, span) in spans.enumerated() where places[span.id] == nil { places[span.id] = index }
        let named = spans.firstIndex { $0.parent == 0 }
        let root = named ?? (spans.isEmpty ? -1 : 0)
        var isPartial = named == nil
        var parents = [Int32](repeating: -1, count: spans.count)
        for (index, span) in spans.enumerated() where span.parent != 0 {
            if let place = places[span.parent], place != index {
                parents[index] = Int32(place)
            } else {
                isPartial = true
                if index != root { parents[index] = Int32(root) }
            }
        }
        Self.cutCycles(&parents, root: root)
        self.parents = parents
        self.root = root
        self.isPartial = isPartial
    }

    /// Hangs one span of each cycle under the root, so that every chain of parents ends.
    private static func cutCycles(_ parents: inout [Int32], root: Int) {
        // 0: not seen, otherwise the number of the walk that saw it.
        var seen = [Int](repeating: 0, count: parents.count)
        for start in parents.indices where seen[start] == 0 {
            var at = start
            while at >= 0, seen[at] == 0 {
                seen[at] = start + 1
                let next = Int(parents[at])
                if next >= 0, seen[next] == start + 1 {
                    parents[at] = at == root ? -1 : Int32(root)
                    if Self.reaches(root, from: root, in: parents) { parents[root] = -1 }
                }
                at = Int(parents[at])
            }
        }
    }

    private static func reaches(_ target: Int, from start: Int, in parents: [Int32]) -> Bool {
        var at = Int(parents[start])
        var steps = 0
        while at >= 0, steps < parents.count {
            if at == target { return true }
            at = Int(parents[at])
            steps += 1
        }
        return false
    }
}
