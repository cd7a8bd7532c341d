import Synchronization

/// Which label sets each metric has: one table for the whole process, so that its limit holds whatever worker asks.
/// Safe to use from any thread; workers remember what they were given.
package final class SeriesTable: Sendable {
    /// The name of the only label of a series that stands for all label sets beyond the limit.
    package static let overflowLabel = Label("otel_metric_overflow", "true")

    private struct Key: Hashable {
        let metric: Int32
        let labels: [Label]
    }

    private struct State {
        var series: [StoredSeries] = []
        var places: [Key: Int32] = [:]
        /// How many label sets each metric has, the overflow series left out.
        var counts: [Int32: Int] = [:]
    }

    private let state = Mutex(State())

    /// A table without series.
    package init() {}

    /// Puts series back that were stored earlier, under their numbers; numbers left free stay free.
    package func restore(_ stored: [StoredSeries], registry: MetricRegistry) throws(MetricError) {
        for series in stored.sorted(by: { $0.id.index < $1.id.index }) {
            let instrument = try registry.instrument(series.instrument)
            state.withLock { state in
                while state.series.count < Int(series.id.index) {
                    var hole = series
                    hole.id = SeriesID(index: Int32(state.series.count))
                    hole.labels = [Label("nightjar_free", String(hole.id.index))]
                    state.series.append(hole)
                }
                state.series.append(series)
                state.places[Key(metric: instrument.index, labels: series.labels)] = series.id.index
                if series.labels != [Self.overflowLabel] { state.counts[instrument.index, default: 0] += 1 }
            }
        }
    }

    /// The series of a metric with these labels (sorted by name, filtered), made if there is room for it; else the metric's
    /// overflow series.
    package func admit(
        _ instrument: InstrumentID,
        _ descriptor: @autoclosure () -> InstrumentDescriptor,
        labels: [Label],
        limit: Int
    ) -> (id: SeriesID, overflowed: Bool) {
        state.withLock { state in
            if let place = state.places[Key(metric: instrument.index, labels: labels)] {
                return (SeriesID(index: place), labels == [Self.overflowLabel])
            }
            let isFull = state.counts[instrument.index, default: 0] >= limit
            let admitted = isFull ? [Self.overflowLabel] : labels
            let key = Key(metric: instrument.index, labels: admitted)
            if let place = state.places[key] { return (SeriesID(index: place), true) }
            let id = SeriesID(index: Int32(state.series.count))
            state.series.append(
                StoredSeries(id: id, instrument: descriptor(), labels: admitted, total: SeriesTotal())
            )
            state.places[key] = id.index
            if !isFull { state.counts[instrument.index, default: 0] += 1 }
            return (id, isFull)
        }
    }

    /// What a number stands for; its total is left empty.
    package func series(_ id: SeriesID) -> StoredSeries {
        state.withLock { $0.series[Int(id.index)] }
    }
}
