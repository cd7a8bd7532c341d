package import NightjarSignals
import Synchronization

/// What all series have counted, as far as it is committed: the source of `/metrics`, so that a crash never looks like a
/// counter going back. One committer stages and publishes; anyone may read.
package final class SeriesLedger: Sendable {
    /// New totals that are not visible yet.
    package struct Staged: Sendable {
        /// The new totals of the series that changed, by number.
        package fileprivate(set) var totals = Totals()
        /// Series that are no more, to be deleted where they are stored before any of `totals` is written: they were folded, or
        /// are histograms that have started anew under other numbers.
        package fileprivate(set) var removed: [Int32] = []
        /// What was observed.
        package fileprivate(set) var deltas: [SeriesDelta] = []
        /// Where that of series went which are no more; nil: nowhere.
        fileprivate var moved: [Int32: Int32?] = [:]
        /// Series that lose their place.
        fileprivate(set) var freed: [Int32] = []
        /// Series that go into another.
        fileprivate(set) var folded: [Int32: Int32] = [:]
        /// Whether it comes of a look for idle series.
        fileprivate(set) var isExpiry = false
        fileprivate let table: SeriesTable

        /// Whether there is nothing to write.
        package var isEmpty: Bool { totals.isEmpty && removed.isEmpty }

        /// The series that a delta went to; nil where it went nowhere.
        package func destination(of delta: SeriesDelta) -> Int32? { destination(of: delta.series.index) }

        private func destination(of series: Int32) -> Int32? {
            guard !moved.isEmpty, let place = moved[series] else { return series }
            return place
        }

        /// Calls `each` with every delta that went to a series, and that series.
        package func forEachDestination(_ each: (UnsafePointer<SeriesDelta>, Int32) -> Void) {
            let areMoved = !moved.isEmpty
            deltas.withUnsafeBufferPointer { deltas in
                guard var delta = deltas.baseAddress else { return }
                for _ in 0..<deltas.count {
                    let series =
                        areMoved
                        ? destination(of: delta.pointee.series.index) : delta.pointee.series.index
                    if let series { each(delta, series) }
                    delta += 1
                }
            }
        }

        /// A changed series with its metric and labels.
        package func series(_ index: Int32) -> StoredSeries {
            var series = table.series(SeriesID(index: index))
            series.total = totals[index] ?? SeriesTotal()
            return series
        }

        fileprivate init(table: SeriesTable) { self.table = table }
    }

    /// Totals by the number of their series, in the order in which they changed.
    package struct Totals: Sendable, Sequence {
        private var rows: [(key: Int32, value: SeriesTotal)] = []
        private var places = SeriesPages<Int32>(blank: -1)

        /// How many there are.
        package var count: Int { rows.count }
        /// Whether there are none.
        package var isEmpty: Bool { rows.isEmpty }
        /// The numbers of the series.
        package var keys: some Sequence<Int32> { rows.lazy.map(\.key) }

        /// The total of a series; nil where it did not change.
        package subscript(series: Int32) -> SeriesTotal? { places[series].map { rows[Int($0)].value } }

        /// The totals with their series.
        package func makeIterator() -> IndexingIterator<[(key: Int32, value: SeriesTotal)]> {
            rows.makeIterator()
        }

        /// Calls `each` with every series and its total.
        package func visit<Failure: Error>(
            _ each: (Int32, SeriesTotal) throws(Failure) -> Void
        ) throws(Failure) {
            for place in rows.indices { try each(rows[place].key, rows[place].value) }
        }

        /// Adds deltas, `before` being the totals before any change; `now` is when they came.
        fileprivate mutating func add(
            _ staged: Staged,
            before: SeriesPages<SeriesTotal>,
            now: Timestamp?
        ) {
            rows.reserveCapacity(staged.deltas.count)
            staged.forEachDestination { add($0, to: $1, before, now) }
        }

        private mutating func add(
            _ delta: UnsafePointer<SeriesDelta>,
            to series: Int32,
            _ before: SeriesPages<SeriesTotal>,
            _ now: Timestamp?
        ) {
            let place = place(of: series, before)
            rows.withUnsafeMutableBufferPointer { rows in
                rows[place].value.add(delta)
                if let now, now > rows[place].value.updated { rows[place].value.updated = now }
            }
        }

        /// Adds what another series of the same metric has counted.
        fileprivate mutating func add(
            _ total: SeriesTotal,
            to series: Int32,
            type: MetricType,
            before: SeriesPages<SeriesTotal>
        ) {
            let place = place(of: series, before)
            rows[place].value.add(total, type: type)
        }

        private mutating func place(of series: Int32, _ before: SeriesPages<SeriesTotal>) -> Int {
            if let place = places[series] { return Int(place) }
            places.set(Int32(rows.count), at: series)
            rows.append((series, before[series] ?? SeriesTotal()))
            return rows.count - 1
        }
    }

    private let table: SeriesTable
    private let totals = Mutex(SeriesPages(blank: SeriesTotal()))
    private let shown = Mutex(Exemplars())

    /// An empty ledger over the series of `table`.
    package init(table: SeriesTable) {
        self.table = table
    }

    /// Puts totals back that were stored earlier; before the first `stage`.
    package func restore(_ stored: [StoredSeries]) {
        totals.withLock { totals in
            for series in stored { totals[series.id.index] = series.total }
        }
    }

    /// The totals that would hold after `deltas`, which came at `now`; nothing is visible until `publish`.
    package func stage(_ deltas: some Sequence<SeriesDelta>, now: Timestamp? = nil) -> Staged {
        var staged = Staged(table: table)
        let deltas = Array(deltas)
        // In this order: what is retired in between is not written, and is removed the next time.
        staged.removed = table.retired.sorted()
        staged.moved = table.moves(of: deltas)
        staged.deltas = deltas
        var sums = Totals()
        totals.withLock { sums.add(staged, before: $0, now: now) }
        staged.totals = sums
        return staged
    }

    /// What idle series come to: after a day they lose their place, after 90 days they are added to the overflow series of
    /// their metric. To be written and published like any other, after what was staged before.
    package func expire(now: Timestamp) -> Staged {
        var staged = Staged(table: table)
        staged.isExpiry = true
        let totals = totals.withLock { $0 }
        let (freed, folded) = table.expiry(of: totals, now: now)
        (staged.freed, staged.folded) = (freed, folded)
        for (index, overflow) in folded.sorted(by: { $0.key < $1.key }) {
            guard let total = totals[index] else { continue }
            let type = table.series(SeriesID(index: index)).instrument.type
            staged.totals.add(total, to: overflow, type: type, before: totals)
        }
        staged.removed = table.retired.union(folded.keys).sorted()
        return staged
    }

    /// Makes staged totals visible.
    package func publish(_ staged: Staged) {
        totals.withLock { totals in
            staged.totals.visit { totals.set($1, at: $0) }
            for index in staged.removed { totals[index] = nil }
        }
        if table.showsExemplars { show(staged) }
        table.publish(staged)
    }

    private func show(_ staged: Staged) {
        shown.withLock { shown in
            for delta in staged.deltas {
                guard let exemplar = delta.exemplar, let index = staged.destination(of: delta) else {
                    continue
                }
                shown.add(exemplar, to: index)
            }
            shown.remove(Set(staged.removed))
        }
    }

    /// The last exemplars since somebody first asked for them: before that nothing is spent on them.
    package var exemplars: Exemplars {
        table.showExemplars()
        return shown.withLock { $0 }
    }

    /// Every series that has counted anything, in the order of its number.
    package func snapshot() -> [StoredSeries] {
        let totals = totals.withLock { $0 }
        return table.series(totals.numbers).map { found in
            var series = found
            series.total = totals[series.id.index] ?? SeriesTotal()
            return series
        }
    }
}
