import NightjarBus
import NightjarSignals
import Synchronization

/// What is counted of those who read events live, shown in `/metrics` and gone with the process. Safe to use from any thread.
package final class LiveCounts: Sendable {
    /// Why a reader got no more.
    package enum Reason: String, Sendable, CaseIterable {
        /// Its queue was full.
        case tooSlow = "too_slow"
        /// It took longer than it was given to take its last event.
        case stalled
    }

    /// What became of an event that was queued for a reader.
    package enum Outcome: String, Sendable, CaseIterable {
        /// It was handed to the reader's connection.
        case sent
        /// Its reader was too slow.
        case lost
        /// Its reader had left.
        case abandoned
    }

    private struct State {
        var readers = 0
        var refused = 0
        var dropped: [Reason: Int] = [:]
        var events: [Outcome: Int] = [:]
        var queuedEvents = 0
        var queuedBytes = 0
        var longestQueueEvents = 0
        var longestQueueBytes = 0
    }

    private let state = Mutex(State())

    /// Nothing counted.
    package init() {}

    /// A reader has come, or gone.
    package func readers(by change: Int) { state.withLock { $0.readers += change } }

    /// One was not let in: there are too many.
    package func refuse() { state.withLock { $0.refused += 1 } }

    /// A reader gets no more.
    package func drop(_ reason: Reason) { state.withLock { $0.dropped[reason, default: 0] += 1 } }

    /// An event was queued; `events` and `bytes` wait for its reader now.
    package func queue(bytes added: Int, events: Int, bytes: Int) {
        state.withLock { state in
            state.queuedEvents += 1
            state.queuedBytes += added
            state.longestQueueEvents = max(state.longestQueueEvents, events)
            state.longestQueueBytes = max(state.longestQueueBytes, bytes)
        }
    }

    /// Events left the queue of a reader.
    package func leave(events: Int, bytes: Int, _ outcome: Outcome) {
        state.withLock { state in
            state.queuedEvents -= events
            state.queuedBytes -= bytes
            state.events[outcome, default: 0] += events
        }
    }

    /// An event for which there was no room.
    package func lose() { state.withLock { $0.events[.lost, default: 0] += 1 } }
}

extension LiveCounts {
    private static let readers = metric("readers", .gauge, "Who reads events live now")
    private static let refused = metric(
        "readers_refused_total",
        .counter,
        "Readers of live events that were not let in because there were too many"
    )
    private static let dropped = metric(
        "readers_dropped_total",
        .counter,
        "Readers of live events that got no more, by reason"
    )
    private static let events = metric(
        "events_total",
        .counter,
        "Events queued for readers, by what became of them"
    )
    private static let queuedEvents = metric("queued_events", .gauge, "Events that wait for their readers")
    private static let queuedBytes = metric("queued_bytes", .gauge, "Bytes that wait for their readers")
    private static let longestEvents = metric(
        "queue_events_max",
        .gauge,
        "The most events that ever waited for one reader"
    )
    private static let longestBytes = metric(
        "queue_bytes_max",
        .gauge,
        "The most bytes that ever waited for one reader"
    )

    private static func metric(_ name: String, _ type: MetricType, _ help: String) -> InstrumentDescriptor {
        InstrumentDescriptor(name: "nightjar_live_\(name)", type: type, help: help)
    }

    /// Makes the names the host's own, so that no plugin can give them another type.
    static func declare(_ registry: MetricRegistry) throws(MetricError) {
        let all = [
            readers, refused, dropped, events, queuedEvents, queuedBytes, longestEvents, longestBytes,
        ]
        for instrument in all { _ = try registry.instrument(instrument) }
    }

    /// The figures as series.
    var series: [StoredSeries] {
        let state = state.withLock { $0 }
        let dropped = Reason.allCases.map {
            Self.series(Self.dropped, [Label("reason", $0.rawValue)], state.dropped[$0] ?? 0)
        }
        let events = Outcome.allCases.map {
            Self.series(Self.events, [Label("outcome", $0.rawValue)], state.events[$0] ?? 0)
        }
        return [
            Self.series(Self.readers, [], state.readers), Self.series(Self.refused, [], state.refused),
            Self.series(Self.queuedEvents, [], state.queuedEvents),
            Self.series(Self.queuedBytes, [], state.queuedBytes),
            Self.series(Self.longestEvents, [], state.longestQueueEvents),
            Self.series(Self.longestBytes, [], state.longestQueueBytes),
        ] + dropped + events
    }

    private static func series(
        _ instrument: InstrumentDescriptor,
        _ labels: [Label],
        _ value: Int
    ) -> StoredSeries {
        var total = SeriesTotal()
        (total.sum, total.count) = (Double(value), 1)
        return StoredSeries(id: SeriesID(index: -1), instrument: instrument, labels: labels, total: total)
    }
}
