import NightjarSignals
import Synchronization

/// Which label sets each metric has: one table for the whole process, so that its limit holds whatever worker asks.
/// Safe to use from any thread; workers remember what they were given until ``generation`` changes.
package final class SeriesTable: Sendable {
    /// The name of the only label of a series that stands for all label sets beyond the limit.
    package static let overflowLabel = Label("otel_metric_overflow", "true")

    /// A series, without its total.
    private final class Row: Sendable {
        let metric: Int32
        let instrument: InstrumentDescriptor
        let labels: [Label]
        let key: SeriesKey
        let isOverflow: Bool

        init(_ key: SeriesKey, _ instrument: InstrumentDescriptor) {
            (metric, labels, self.key) = (key.metric, key.labels, key)
            self.instrument = instrument
            isOverflow = key.labels == [overflowLabel]
        }

        func series(_ id: Int32) -> StoredSeries {
            StoredSeries(
                id: SeriesID(index: id),
                instrument: instrument,
                labels: labels,
                total: SeriesTotal()
            )
        }
    }

    /// How a number stands.
    private struct Standing: OptionSet {
        let rawValue: UInt8
        /// It has lost its place: it keeps its number and its total, and does not count for the limit.
        static let free = Standing(rawValue: 1)
        /// It is of a histogram that has started anew under other numbers and is still in the ledger.
        static let retired = Standing(rawValue: 2)
    }

    private struct Metric {
        /// How many label sets it has, the overflow series and those without a place left out.
        var count = 0
        /// The bounds that its histograms have.
        var bounds: [Double]?
        /// Its overflow series, −1 where there is none.
        var overflow: Int32 = -1
    }

    private struct State {
        var rows = SeriesPages<Row?>(blank: nil)
        /// Beside the rows, for that is asked for with every change of a total.
        var standings = SeriesPages<Standing>(blank: [])
        var next: Int32 = 0
        var places = SeriesPlaces()
        var metrics: [Metric] = []
        /// The numbers that are retired.
        var retired: Set<Int32> = []
        /// Where what still comes for a folded series goes.
        var forwards: [Int32: Int32] = [:]

        /// The place of a metric in `metrics`.
        mutating func metric(_ index: Int32) -> Int {
            while metrics.count <= Int(index) { metrics.append(Metric()) }
            return Int(index)
        }

        mutating func add(_ row: Row, _ id: Int32) {
            rows.set(row, at: id)
            standings.set([], at: id)
        }

        func row(_ id: Int32) -> Row? { rows[id] ?? nil }

        func isFree(_ id: Int32) -> Bool { standings[id]?.contains(.free) == true }
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
                let row = Row(SeriesKey(metric, series.labels), series.instrument)
                let (id, place) = (series.id.index, state.metric(metric))
                state.add(row, id)
                state.next = max(state.next, id + 1)
                // Of two histograms with the same labels the later one is the one that started anew.
                let earlier = state.places.find(row.key)
                state.places.set(id, for: row.key)
                if let earlier {
                    Self.retire(earlier, &state)
                } else if !row.isOverflow {
                    state.metrics[place].count += 1
                }
                if row.isOverflow { state.metrics[place].overflow = id }
                if series.instrument.type == .histogram {
                    state.metrics[place].bounds = series.instrument.buckets
                }
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
            let isFull = state.metrics[state.metric(metric)].count >= limit
            let key = SeriesKey(metric, labels)
            if let place = state.places.find(key) {
                guard state.isFree(place) else {
                    return (SeriesID(index: place), labels == [Self.overflowLabel])
                }
                if !isFull {
                    Self.occupy(place, &state)
                    return (SeriesID(index: place), false)
                }
            }
            let id =
                isFull
                ? Self.overflow(metric, descriptor, &state)
                : Self.add(Row(key, descriptor), &state)
            return (SeriesID(index: id), isFull)
        }
    }

    /// What a number stands for; its total is left empty. A series without a name where the number is not in use any more.
    package func series(_ id: SeriesID) -> StoredSeries {
        state.withLock { $0.row(id.index) }?.series(id.index)
            ?? StoredSeries(
                id: id,
                instrument: InstrumentDescriptor(name: "", type: .counter),
                labels: [],
                total: SeriesTotal()
            )
    }

    /// What numbers stand for, in their order; those that are not in use any more are left out.
    func series(_ ids: [Int32]) -> [StoredSeries] {
        state.withLock { state in
            ids.sorted().compactMap { state.retired.contains($0) ? nil : state.row($0)?.series($0) }
        }
    }

    private static func overflow(
        _ metric: Int32,
        _ descriptor: InstrumentDescriptor,
        _ state: inout State
    ) -> Int32 {
        let known = state.metrics[state.metric(metric)].overflow
        if known >= 0 { return known }
        return add(Row(SeriesKey(metric, [overflowLabel]), descriptor), &state)
    }

    /// Adds a series that is new; its number.
    private static func add(_ row: Row, _ state: inout State) -> Int32 {
        let (id, place) = (state.next, state.metric(row.metric))
        state.add(row, id)
        state.next += 1
        state.places.set(id, for: row.key)
        if row.isOverflow {
            state.metrics[place].overflow = id
        } else {
            state.metrics[place].count += 1
        }
        return id
    }

    private static func occupy(_ id: Int32, _ state: inout State) {
        guard state.isFree(id), let row = state.row(id) else { return }
        state.standings[id]?.remove(.free)
        state.metrics[state.metric(row.metric)].count += 1
    }

    private static func retire(_ id: Int32, _ state: inout State) {
        state.standings[id]?.insert(.retired)
        state.retired.insert(id)
    }

    /// Retires the histograms of a metric that have other bounds: they go on under new numbers, from nothing. A received metric
    /// has its first bounds for good, and what it had without bounds is in no bucket.
    private func reshape(_ metric: Int32, _ descriptor: InstrumentDescriptor, _ state: inout State) {
        let (bounds, place) = (descriptor.buckets, state.metric(metric))
        guard state.metrics[place].bounds != bounds else { return }
        let isFirst = state.metrics[place].bounds == nil
        state.metrics[place].bounds = bounds
        if descriptor.origin == .otlp {
            for (id, row) in Self.rows(of: metric, state) {
                var instrument = row.instrument
                instrument.buckets = bounds
                state.rows.set(Row(row.key, instrument), at: id)
            }
        }
        guard !isFirst else { return }
        for (id, row) in Self.rows(of: metric, state) where !state.retired.contains(id) {
            state.places.remove(row.key)
            Self.retire(id, &state)
        }
        (state.metrics[place].count, state.metrics[place].overflow) = (0, -1)
        changes.wrappingAdd(1, ordering: .releasing)
    }

    private static func rows(of metric: Int32, _ state: borrowing State) -> [(Int32, Row)] {
        var rows: [(Int32, Row)] = []
        state.rows.visit { id, row in
            if let row, row.metric == metric { rows.append((id, row)) }
        }
        return rows
    }
}

// MARK: - What the ledger asks

extension SeriesTable {
    /// Where what was observed for series that are no more is to be added; nil: nowhere, for their histograms have started anew.
    func moves(of deltas: [SeriesDelta]) -> [Int32: Int32?] {
        state.withLock { state in
            var moves: [Int32: Int32?] = [:]
            for delta in deltas {
                let id = delta.series.index
                guard let standing = state.standings[id] else {
                    moves.updateValue(state.forwards[id], forKey: id)
                    continue
                }
                if standing.contains(.retired) { moves.updateValue(nil, forKey: id) }
            }
            return moves
        }
    }

    /// The numbers of histograms that have started anew.
    var retired: Set<Int32> { state.withLock(\.retired) }

    /// The series that are to lose their place or to be folded, of those that were last active at the given times.
    func expiry(
        of totals: SeriesPages<SeriesTotal>,
        now: Timestamp
    ) -> (freed: [Int32], folded: [Int32: Int32]) {
        let (idle, gone) = (now.advanced(by: .zero - Self.placeAge), now.advanced(by: .zero - Self.foldAge))
        return state.withLock { state in
            var (freed, folded): ([Int32], [Int32: Int32]) = ([], [:])
            totals.visit { id, total in
                let time = total.lastActive
                guard time < idle, let row = state.row(id), !row.isOverflow, !state.retired.contains(id)
                else { return }
                // A series without labels is the whole metric: folding it would only rename it.
                if time < gone, !row.labels.isEmpty {
                    folded[id] = Self.overflow(row.metric, row.instrument, &state)
                } else if !state.isFree(id) {
                    freed.append(id)
                }
            }
            return (freed, folded)
        }
    }

    /// Makes what was staged visible; the series whose totals changed have been active.
    func publish(_ staged: SeriesLedger.Staged) {
        state.withLock { state in
            for id in staged.totals.keys where state.isFree(id) { Self.occupy(id, &state) }
            guard staged.isExpiry || !staged.removed.isEmpty else { return }
            // What a worker had in hand at the last sweep has come by now.
            if staged.isExpiry { state.forwards = staged.folded }
            for id in staged.freed where state.standings[id] != nil && !state.isFree(id) {
                state.standings[id]?.insert(.free)
                Self.leave(id, &state)
            }
            for id in staged.removed { Self.remove(id, &state) }
        }
        if !staged.freed.isEmpty || !staged.folded.isEmpty { changes.wrappingAdd(1, ordering: .releasing) }
    }

    private static func remove(_ id: Int32, _ state: inout State) {
        guard let row = state.row(id) else { return }
        let wasFree = state.isFree(id)
        if !wasFree, !state.retired.contains(id) { leave(id, &state) }
        state.rows[id] = nil as Row??
        state.standings[id] = nil
        if state.retired.remove(id) != nil { return }
        state.places.remove(row.key)
        let place = state.metric(row.metric)
        if state.metrics[place].overflow == id { state.metrics[place].overflow = -1 }
    }

    /// Counts a series out of the limit of its metric.
    private static func leave(_ id: Int32, _ state: inout State) {
        guard let row = state.row(id) else { return }
        state.metrics[state.metric(row.metric)].count -= 1
    }

    /// A series idle for so long frees its place (signals contract, section 8).
    package static let placeAge = Duration.seconds(24 * 3600)
    /// A series idle for so long is folded into the overflow series.
    package static let foldAge = Duration.seconds(90 * 24 * 3600)
}
