import NightjarSignals
import Synchronization

/// Which label sets each metric has: one table for the whole process, so that its limit holds whatever worker asks.
/// Safe to use from any thread; workers remember what they were given until ``generation`` changes.
package final class SeriesTable: Sendable {
    /// The name of the only label of a series that stands for all label sets beyond the limit.
    package static let overflowLabel = Label("otel_metric_overflow", "true")

    private struct Key: Hashable {
        let metric: Int32
        let labels: [Label]
    }

    private struct Row {
        var series: StoredSeries
        let metric: Int32
        /// Whether it has lost its place: it keeps its number and its total, and does not count for the limit.
        var isFree = false

        var isOverflow: Bool { series.labels == [overflowLabel] }
        var key: Key { Key(metric: metric, labels: series.labels) }
    }

    private struct State {
        var rows: [Int32: Row] = [:]
        var next: Int32 = 0
        var places: [Key: Int32] = [:]
        /// How many label sets each metric has, the overflow series and those without a place left out.
        var counts: [Int32: Int] = [:]
        /// The bounds that the histograms of each metric have.
        var bounds: [Int32: [Double]] = [:]
        /// Histograms that have started anew under other numbers and are still in the ledger.
        var retired: Set<Int32> = []
        /// Where what still comes for a folded series goes.
        var forwards: [Int32: Int32] = [:]
    }

    private let state = Mutex(State())
    private let changes = Atomic<Int>(0)
    private let exemplars = Atomic<Bool>(false)

    /// A table without series.
    package init() {}

    /// Changes when a series has lost its place or its number: then workers have to be admitted anew.
    package var generation: Int { changes.load(ordering: .acquiring) }

    /// Whether anybody wants to see in which traces series were added to.
    var showsExemplars: Bool { exemplars.load(ordering: .relaxed) }

    /// Takes note that somebody wants to.
    func showExemplars() { exemplars.store(true, ordering: .relaxed) }

    /// Puts series back that were stored earlier, under their numbers; numbers left free stay free. The bounds of their
    /// buckets are theirs only, but for received metrics: what a metric declares now decides about new ones.
    package func restore(_ stored: [StoredSeries], registry: MetricRegistry) throws(MetricError) {
        for series in stored.sorted(by: { $0.id.index < $1.id.index }) {
            var descriptor = series.instrument
            if descriptor.origin == .nightjar { (descriptor.buckets, descriptor.range) = (nil, nil) }
            let metric = try registry.instrument(descriptor).index
            state.withLock { state in
                let row = Row(series: series, metric: metric)
                state.rows[series.id.index] = row
                state.next = max(state.next, series.id.index + 1)
                // Of two histograms with the same labels the later one is the one that started anew.
                if let earlier = state.places.updateValue(series.id.index, forKey: row.key) {
                    state.retired.insert(earlier)
                } else if !row.isOverflow {
                    state.counts[metric, default: 0] += 1
                }
                if series.instrument.type == .histogram { state.bounds[metric] = series.instrument.buckets }
            }
        }
    }

    /// Gives no new series a number below this: windows of a series that is no more may still be stored under it.
    package func reserve(below number: Int32) {
        state.withLock { $0.next = max($0.next, number) }
    }

    /// The series of a metric with these labels (sorted by name, filtered), made if there is room for it; else the metric's
    /// overflow series. A histogram whose bounds have changed starts anew, and with it all of its metric.
    package func admit(
        _ instrument: InstrumentID,
        _ descriptor: @autoclosure () -> InstrumentDescriptor,
        labels: [Label],
        limit: Int
    ) -> (id: SeriesID, overflowed: Bool) {
        let metric = instrument.index
        return state.withLock { state in
            // Asked for under the lock: nobody may come with bounds that another has replaced by now.
            let descriptor = descriptor()
            if descriptor.type == .histogram { reshape(metric, descriptor, &state) }
            let isFull = state.counts[metric, default: 0] >= limit
            if let place = state.places[Key(metric: metric, labels: labels)] {
                let isOverflow = labels == [Self.overflowLabel]
                guard state.rows[place]?.isFree == true else { return (SeriesID(index: place), isOverflow) }
                if !isFull {
                    Self.occupy(place, &state)
                    return (SeriesID(index: place), false)
                }
            }
            let id = Self.find(isFull ? [Self.overflowLabel] : labels, metric, descriptor, &state)
            return (SeriesID(index: id), isFull)
        }
    }

    /// What a number stands for; its total is left empty. A series without a name where the number is not in use any more.
    package func series(_ id: SeriesID) -> StoredSeries {
        state.withLock { $0.rows[id.index]?.series }
            ?? StoredSeries(
                id: id,
                instrument: InstrumentDescriptor(name: "", type: .counter),
                labels: [],
                total: SeriesTotal()
            )
    }

    /// What numbers stand for, in their order; those that are not in use any more are left out.
    func series(_ ids: some Collection<Int32>) -> [StoredSeries] {
        let order = ids.sorted()
        return state.withLock { state in
            order.compactMap { state.retired.contains($0) ? nil : state.rows[$0]?.series }
        }
    }

    private static func find(
        _ labels: [Label],
        _ metric: Int32,
        _ descriptor: InstrumentDescriptor,
        _ state: inout State
    ) -> Int32 {
        let key = Key(metric: metric, labels: labels)
        if let place = state.places[key] { return place }
        let id = state.next
        let series = StoredSeries(
            id: SeriesID(index: id),
            instrument: descriptor,
            labels: labels,
            total: SeriesTotal()
        )
        let row = Row(series: series, metric: metric)
        state.rows[id] = row
        state.next += 1
        state.places[key] = id
        if !row.isOverflow { state.counts[metric, default: 0] += 1 }
        return id
    }

    private static func occupy(_ id: Int32, _ state: inout State) {
        guard let row = state.rows[id], row.isFree else { return }
        state.rows[id]?.isFree = false
        state.counts[row.metric, default: 0] += 1
    }

    /// Retires the histograms of a metric that have other bounds: they go on under new numbers, from nothing. A received metric
    /// has its first bounds for good, and what it had without bounds is in no bucket.
    private func reshape(_ metric: Int32, _ descriptor: InstrumentDescriptor, _ state: inout State) {
        let bounds = descriptor.buckets
        guard state.bounds[metric] != bounds else { return }
        let isFirst = state.bounds[metric] == nil
        state.bounds[metric] = bounds
        if descriptor.origin == .otlp {
            for (id, row) in state.rows where row.metric == metric {
                state.rows[id]?.series.instrument.buckets = bounds
            }
        }
        guard !isFirst else { return }
        for (id, row) in state.rows where row.metric == metric && !state.retired.contains(id) {
            state.places[row.key] = nil
            state.retired.insert(id)
        }
        state.counts[metric] = 0
        changes.wrappingAdd(1, ordering: .releasing)
    }
}

// MARK: - What the ledger asks

extension SeriesTable {
    /// Where what was observed for a series is to be added; nil: its histogram has started anew.
    func destinations(of ids: Set<Int32>) -> [Int32: Int32] {
        state.withLock { state in
            var destinations: [Int32: Int32] = [:]
            for id in ids where !state.retired.contains(id) {
                destinations[id] = state.rows[id] == nil ? state.forwards[id] : id
            }
            return destinations
        }
    }

    /// The numbers of histograms that have started anew.
    var retired: Set<Int32> { state.withLock(\.retired) }

    /// The series that are to lose their place or to be folded, of those that were last active at the given times.
    func expiry(of active: [Int32: Timestamp], now: Timestamp) -> (freed: [Int32], folded: [Int32: Int32]) {
        let (idle, gone) = (now.advanced(by: .zero - Self.placeAge), now.advanced(by: .zero - Self.foldAge))
        return state.withLock { state in
            var (freed, folded): ([Int32], [Int32: Int32]) = ([], [:])
            for (id, time) in active where time < idle {
                guard let row = state.rows[id], !row.isOverflow, !state.retired.contains(id) else { continue }
                // A series without labels is the whole metric: folding it would only rename it.
                if time < gone, !row.series.labels.isEmpty {
                    folded[id] = Self.find([Self.overflowLabel], row.metric, row.series.instrument, &state)
                } else if !row.isFree {
                    freed.append(id)
                }
            }
            return (freed.sorted(), folded)
        }
    }

    /// Makes what was staged visible; the series whose totals changed have been active.
    func publish(_ staged: SeriesLedger.Staged) {
        state.withLock { state in
            for id in staged.totals.keys where state.rows[id]?.isFree == true { Self.occupy(id, &state) }
            guard staged.isExpiry || !staged.removed.isEmpty else { return }
            // What a worker had in hand at the last sweep has come by now.
            if staged.isExpiry { state.forwards = staged.folded }
            for id in staged.freed where state.rows[id]?.isFree == false {
                state.rows[id]?.isFree = true
                state.counts[state.rows[id]?.metric ?? -1, default: 1] -= 1
            }
            for id in staged.removed {
                guard let row = state.rows.removeValue(forKey: id) else { continue }
                if state.retired.remove(id) != nil { continue }
                state.places[row.key] = nil
                if !row.isFree { state.counts[row.metric, default: 1] -= 1 }
            }
        }
        if !staged.freed.isEmpty || !staged.folded.isEmpty { changes.wrappingAdd(1, ordering: .releasing) }
    }

    /// A series idle for so long frees its place (signals contract, section 8).
    package static let placeAge = Duration.seconds(24 * 3600)
    /// A series idle for so long is folded into the overflow series.
    package static let foldAge = Duration.seconds(90 * 24 * 3600)
}
