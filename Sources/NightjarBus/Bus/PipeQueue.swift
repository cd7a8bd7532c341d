import NightjarSignals

/// An event on its way, shared by all queues that hold it.
final class Envelope: Sendable {
    let event: SignalEvent
    let bytes: Int

    init(_ event: SignalEvent) {
        self.event = event
        bytes = event.approximateBytes
    }
}

/// What waits for one exporter: events in order, and flushes among them.
struct PipeQueue {
    enum Work {
        /// Events of one signal to hand over.
        case batch(Signal, [Envelope])
        /// Everything before these gates was handed over; `flushes` says whether the exporter is to be flushed before they open.
        case barrier([Gate], flushes: Bool)
        /// Nothing comes any more.
        case finish
    }

    private struct Mark {
        let position: Int
        let gate: Gate
        let flushes: Bool
    }

    let maxEvents: Int
    let maxBytes: Int
    /// Whether it takes nothing any more.
    private(set) var isClosed = false

    private var events: [Envelope] = []
    /// Where the first event that waits lies in `events`; what is before it was taken.
    private var head = 0
    private var bytes = 0
    /// How many events were ever appended.
    private var appended = 0
    private var marks: [Mark] = []

    init(maxEvents: Int, maxBytes: Int) {
        self.maxEvents = maxEvents
        self.maxBytes = maxBytes
    }

    private var count: Int { events.count - head }

    /// Whether there is nothing to do.
    var isIdle: Bool { count == 0 && marks.isEmpty && !isClosed }

    /// Takes an event; false where there is no room. One that is larger than the whole queue is taken by an empty one.
    mutating func append(_ envelope: Envelope) -> Bool {
        guard count < maxEvents, bytes + envelope.bytes <= maxBytes || count == 0 else { return false }
        events.append(envelope)
        bytes += envelope.bytes
        appended += 1
        return true
    }

    /// Asks for `gate` to be opened when everything before was handed over.
    mutating func mark(_ gate: Gate, flushes: Bool) {
        marks.append(Mark(position: appended, gate: gate, flushes: flushes))
    }

    /// Takes nothing any more; what waits is still handed over.
    mutating func close() { isClosed = true }

    /// Forgets what waits; how many events of each signal that were.
    mutating func discard() -> [Signal: Int] {
        defer {
            events = []
            (head, bytes) = (0, 0)
        }
        return events[head...].reduce(into: [:]) { $0[$1.event.signal, default: 0] += 1 }
    }

    /// The next thing to do; nil: wait.
    mutating func next(maxEvents: Int, maxBytes: Int) -> Work? {
        let taken = appended - count
        if let first = marks.first, first.position <= taken {
            let due = marks.prefix { $0.position <= taken }
            marks.removeFirst(due.count)
            return .barrier(due.map(\.gate), flushes: due.contains(where: \.flushes))
        }
        guard count > 0 else { return isClosed ? .finish : nil }
        let room = min(count, maxEvents, marks.first.map { $0.position - taken } ?? count)
        return batch(room: max(room, 1), maxBytes: maxBytes)
    }

    private mutating func batch(room: Int, maxBytes: Int) -> Work {
        let signal = events[head].event.signal
        var end = head
        var sum = 0
        while end < head + room, events[end].event.signal == signal,
            sum + events[end].bytes <= maxBytes || end == head
        {
            sum += events[end].bytes
            end += 1
        }
        let batch = Array(events[head..<end])
        bytes -= sum
        head = end
        // Moving the rest down costs its length: it pays when at least as much was taken.
        if head * 2 >= events.count {
            events.removeFirst(head)
            head = 0
        }
        return .batch(signal, batch)
    }
}
