import Logging
import NightjarBus
import NightjarSignals

/// What the host counts outside of workers, shown in `/metrics` and gone with the process: it tells of this process only.
final class HostCounts: Sendable {
    private struct Key: Hashable {
        let signal: String
        let reason: String
    }

    private struct State: Sendable {
        var lost: [Key: Int] = [:]
        var refused: [String: Int] = [:]
        var reportedIDs: Set<String> = []
        var refusedSpans: [String: Int] = [:]
    }

    /// So many ids are told of; more are not.
    private static let reportLimit = 1000
    private let state = LockedValue(State())

    /// Counts signals that were lost on the way in.
    func lose(_ losses: Losses, _ reason: String) {
        state.update { state in
            for (signal, count) in losses.counts {
                state.lost[Key(signal: signal.rawValue, reason: reason), default: 0] += count
            }
        }
    }

    /// Counts spans that were refused.
    func refuse(spans: Int, _ reason: String) {
        if spans > 0 { state.update { $0.refusedSpans[reason, default: 0] += spans } }
    }

    /// How many spans were refused, by reason.
    var refusedSpans: [String: Int] { state.value.refusedSpans }

    /// Counts a request or connection that was refused or cut off.
    func refuse(_ reason: String) { state.update { $0.refused[reason, default: 0] += 1 } }

    /// What was refused, by reason.
    var refused: [String: Int] { state.value.refused }

    /// Whether an unfit id is to be told of: once each, and not endlessly many.
    func isNews(_ id: String) -> Bool {
        state.update { state in
            state.reportedIDs.count < Self.reportLimit
                && state.reportedIDs.insert(String(id.prefix(64))).inserted
        }
    }

    /// The counts as series.
    func series(_ bus: [BusCount]) -> [StoredSeries] {
        let lost = state.value.lost.sorted { ($0.key.signal, $0.key.reason) < ($1.key.signal, $1.key.reason) }
            .map {
                counter(
                    "nightjar_signals_lost_total",
                    "Signals of this process that were lost before they were stored",
                    [Label("reason", $0.key.reason), Label("signal", $0.key.signal)],
                    $0.value
                )
            }
        let exported = bus.map { count in
            counter(
                "nightjar_export_events_total",
                "Events handed to exporters and subscribers, by what became of them",
                [
                    Label("exporter", count.exporter), Label("outcome", count.reason),
                    Label("signal", count.signal.rawValue),
                ],
                count.count
            )
        }
        let refused = refused.sorted { $0.key < $1.key }.map {
            counter(
                "nightjar_requests_refused_total",
                "Requests and connections that were refused or cut off, by reason",
                [Label("reason", $0.key)],
                $0.value
            )
        }
        return lost + exported + refused
    }

    private func counter(_ name: String, _ help: String, _ labels: [Label], _ count: Int) -> StoredSeries {
        var total = SeriesTotal()
        (total.sum, total.count) = (Double(count), UInt64(count))
        return StoredSeries(
            id: SeriesID(index: -1),
            instrument: InstrumentDescriptor(name: name, type: .counter, help: help),
            labels: labels,
            total: total
        )
    }
}

extension Engine {
    /// Counts signals of this process that were lost, and tells the bus.
    func lost(_ losses: Losses, _ reason: String) {
        counts.lose(losses, reason)
        for (signal, count) in losses.counts {
            bus.emit(.drop(Drop(signal: signal, reason: reason, count: count, timestamp: clock.now())))
        }
    }

    /// Tells once of an id that was given from outside and is none.
    func report(invalidID: String) {
        guard counts.isNews(invalidID) else { return }
        logger.warning(
            "an id from outside is not hexadecimal and was replaced by a fresh one",
            metadata: ["id": "\(invalidID.prefix(64))"]
        )
    }
}
