package import NightjarSignals
import Synchronization

/// What all series have counted, as far as it is committed: the source of `/metrics`, so that a crash never looks like a
/// counter going back. One committer stages and publishes; anyone may read.
package final class SeriesLedger: Sendable {
    /// New totals that are not visible yet.
    package struct Staged: Sendable {
        /// The new totals of the series that changed, by number.
        package fileprivate(set) var totals: [Int32: SeriesTotal] = [:]
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
        package func destination(of delta: SeriesDelta) -> Int32? {
            guard !moved.isEmpty, let place = moved[delta.series.index] else { return delta.series.index }
            return place
        }

        /// A changed series with its metric and labels.
        package func series(_ index: Int32) -> StoredSeries {
            var series = table.series(SeriesID(index: index))
            series.total = totals[index] ?? SeriesTotal()
            return series
        }

        fileprivate init(table: SeriesTable) { self.table = table }
    }

    private let table: SeriesTable
    private let totals = Mutex<[Int32: SeriesTotal]>([:])
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
        let touched = Set(deltas.lazy.map(\.series.index))
        let destinations = table.destinations(of: touched)
        for index in touched where destinations[index] != index {
            staged.moved.updateValue(destinations[index], forKey: index)
        }
        totals.withLock { totals in
            for delta in deltas {
                guard let index = staged.destination(of: delta) else { continue }
                var total = staged.totals[index] ?? totals[index] ?? SeriesTotal()
                total.add(delta)
                if let now { total.updated = max(total.updated, now) }
                staged.totals[index] = total
            }
        }
        staged.deltas = deltas
        return staged
    }

    /// What idle series come to: after a day they lose their place, after 90 days they are added to the overflow series of
    /// their metric. To be written and published like any other, after what was staged before.
    package func expire(now: Timestamp) -> Staged {
        var staged = Staged(table: table)
        staged.isExpiry = true
        let totals = totals.withLock { $0 }
        let (freed, folded) = table.expiry(of: totals.mapValues(\.lastActive), now: now)
        (staged.freed, staged.folded) = (freed, folded)
        for (index, overflow) in folded.sorted(by: { $0.key < $1.key }) {
            guard let total = totals[index] else { continue }
            let type = table.series(SeriesID(index: index)).instrument.type
            var sum = staged.totals[overflow] ?? totals[overflow] ?? SeriesTotal()
            sum.add(total, type: type)
            staged.totals[overflow] = sum
        }
        staged.removed = table.retired.union(folded.keys).sorted()
        return staged
    }

    /// Makes staged totals visible.
    package func publish(_ staged: Staged) {
        totals.withLock { totals in
            totals.merge(staged.totals) { $1 }
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
        return table.series(totals.keys).map { found in
            var series = found
            series.total = totals[series.id.index] ?? SeriesTotal()
            return series
        }
    }
}
