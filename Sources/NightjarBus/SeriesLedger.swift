import Synchronization

/// What all series have counted, as far as it is committed: the source of `/metrics`, so that a crash never looks like a
/// counter going back. One committer stages and publishes; anyone may read.
package final class SeriesLedger: Sendable {
    /// New totals that are not visible yet.
    package struct Staged: Sendable {
        /// The new totals of the series that changed, by number.
        package fileprivate(set) var totals: [Int32: SeriesTotal] = [:]
        fileprivate let table: SeriesTable

        /// A changed series with its metric and labels.
        package func series(_ index: Int32) -> StoredSeries {
            var series = table.series(SeriesID(index: index))
            series.total = totals[index] ?? SeriesTotal()
            return series
        }
    }

    private let table: SeriesTable
    private let totals = Mutex<[Int32: SeriesTotal]>([:])

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

    /// The totals that would hold after `deltas`; nothing is visible until `publish`.
    package func stage(_ deltas: some Sequence<SeriesDelta>) -> Staged {
        var staged = Staged(table: table)
        totals.withLock { totals in
            for delta in deltas {
                let index = delta.series.index
                if let present = totals[index], staged.totals[index] == nil { staged.totals[index] = present }
                staged.totals[index, default: SeriesTotal()].add(delta)
            }
        }
        return staged
    }

    /// Makes staged totals visible.
    package func publish(_ staged: Staged) {
        totals.withLock { totals in totals.merge(staged.totals) { $1 } }
    }

    /// Every series that has counted anything, in the order of its number.
    package func snapshot() -> [StoredSeries] {
        let totals = totals.withLock { $0 }
        return totals.keys.sorted().map { index in
            var series = table.series(SeriesID(index: index))
            series.total = totals[index] ?? SeriesTotal()
            return series
        }
    }
}
