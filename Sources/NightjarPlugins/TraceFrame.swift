import CNightjarSignals
import NightjarSignals

/// A trace view laid out for C.
final class TraceFrame {
    let id: TraceID
    let view: TraceView
    private let trace: UnsafeMutablePointer<nj_trace>
    private let refs: UnsafeMutablePointer<nj_span_ref>
    private let parents: UnsafeMutablePointer<Int32>
    private let slabs: UnsafeMutablePointer<nj_slab>
    private var owners: [Slab] = []

    init(_ view: TraceView) {
        id = view.id
        self.view = view
        let count = view.spans.count
        refs = .allocate(capacity: max(count, 1))
        parents = .allocate(capacity: max(count, 1))
        trace = .allocate(capacity: 1)
        let places = Self.places(of: view.spans, &owners)
        slabs = .allocate(capacity: max(owners.count, 1))
        for (place, owner) in owners.enumerated() { (slabs + place).initialize(to: owner.raw) }
        for (index, span) in view.spans.enumerated() {
            let slab = slabs + places[index]
            (refs + index).initialize(
                to: nj_span_ref(
                    slab: UnsafePointer(slab),
                    span: UnsafePointer(slab.pointee.spans + span.index)
                )
            )
            (parents + index).initialize(to: view.parents[index])
        }
        trace.initialize(
            to: nj_trace(
                trace_high: view.id.high,
                trace_low: view.id.low,
                spans: UnsafePointer(refs),
                parents: UnsafePointer(parents),
                count: UInt32(count),
                root: Int32(view.root),
                revision: UInt32(clamping: view.revision),
                is_partial: view.isPartial || view.spans.contains { !$0.row.pointee.hasEnded }
            )
        )
    }

    /// For each span the place of its slab among the owners. Most spans lie in the slab of the one before.
    private static func places(of spans: [SpanReference], _ owners: inout [Slab]) -> [Int] {
        var known: [ObjectIdentifier: Int] = [:]
        var last = -1
        return spans.map { span in
            if last >= 0, owners[last] === span.slab { return last }
            last = known[ObjectIdentifier(span.slab)] ?? owners.count
            if last == owners.count {
                known[ObjectIdentifier(span.slab)] = last
                owners.append(span.slab)
            }
            return last
        }
    }

    deinit {
        trace.deallocate()
        refs.deallocate()
        parents.deallocate()
        slabs.deallocate()
    }

    var raw: UnsafePointer<nj_trace> { UnsafePointer(trace) }

    func slab(_ pointer: UnsafePointer<nj_slab>?) -> Slab? {
        guard let pointer else { return nil }
        let place = pointer - UnsafePointer(slabs)
        return owners.indices.contains(place) ? owners[place] : nil
    }
}
