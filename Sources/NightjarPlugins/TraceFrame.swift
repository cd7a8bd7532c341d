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
        var places: [ObjectIdentifier: Int] = [:]
        for span in view.spans where places[ObjectIdentifier(span.slab)] == nil {
            places[ObjectIdentifier(span.slab)] = owners.count
            owners.append(span.slab)
        }
        slabs = .allocate(capacity: max(owners.count, 1))
        for (place, owner) in owners.enumerated() { (slabs + place).initialize(to: owner.raw) }
        for (index, span) in view.spans.enumerated() {
            let slab = slabs + (places[ObjectIdentifier(span.slab)] ?? 0)
            (refs + index).initialize(
                to: nj_span_ref(slab: UnsafePointer(slab), span: UnsafePointer(span.row))
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
