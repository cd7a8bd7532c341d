package import NightjarSignals

/// Which trace is due next: a binary heap of instants. A trace may be in it several times; whoever pops one decides whether it
/// still counts.
package struct DeadlineQueue {
    private var heap: [(due: Timestamp, trace: TraceID)] = []

    /// An empty queue.
    package init() {}

    /// The earliest instant.
    package var next: Timestamp? { heap.first?.due }

    /// Adds an instant for a trace.
    package mutating func push(_ trace: TraceID, at due: Timestamp) {
        heap.append((due, trace))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].due < heap[parent].due else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes the earliest instant that is not after `now`.
    package mutating func pop(until now: Timestamp) -> TraceID? {
        guard let first = heap.first, first.due <= now else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return first.trace
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].due < heap[least].due {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
