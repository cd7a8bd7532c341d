import NightjarSignals
import Synchronization

/// The traces that have as many spans, or bytes, as one trace may have: their further spans are refused before they are taken.
/// Filled by the workers, which are behind by what is queued, so that a trace may get larger than its bound by as much.
/// Safe to use from any thread.
final class FullTraces: Sendable {
    private struct State: Sendable {
        var ids: Set<TraceID> = []
        var order: [TraceID] = []
    }

    /// So many are remembered; the oldest beyond it are refused anew once a worker has looked at them again.
    private static let limit = 10_000
    private let state = LockedValue(State())
    /// Whether there are none, as nearly always: then nobody takes the lock.
    private let isEmpty = Atomic<Bool>(true)

    /// The traces that take no more spans.
    var ids: Set<TraceID> { isEmpty.load(ordering: .relaxed) ? [] : state.value.ids }

    func add(_ traces: [TraceID]) {
        guard !traces.isEmpty else { return }
        state.update { state in
            for trace in traces where state.ids.insert(trace).inserted { state.order.append(trace) }
            guard state.order.count > Self.limit else { return }
            for old in state.order.prefix(Self.limit / 2) { state.ids.remove(old) }
            state.order.removeFirst(Self.limit / 2)
        }
        isEmpty.store(false, ordering: .relaxed)
    }

    func remove(_ trace: TraceID) {
        guard !isEmpty.load(ordering: .relaxed) else { return }
        state.update { state in
            guard state.ids.remove(trace) != nil else { return }
            state.order.removeAll { $0 == trace }
        }
    }
}
