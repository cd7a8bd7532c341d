import Synchronization

/// What all series have counted, as far as it is committed: the source of `/metrics`, so that a crash never looks like a
/// counter going back. One committer stages and publishes; anyone may read.
package final class SeriesLedger: Sendable {
    /// New totals that are not visible yet.
    package struct Staged: Sendable {
        /// The changed series with their new totals.
        package var series: [StoredSeries]
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
        var changed: [Int32: StoredSeries] = [:]
        for delta in deltas {
            let index = delta.series.index
            var series = changed[index] ?? current(delta.series)
            series.total.add(delta, type: series.instrument.type)
            changed[index] = series
        }
        return Staged(series: changed.values.sorted { $0.id.index < $1.id.index })
    }

    /// Makes staged totals visible.
    package func publish(_ staged: Staged) {
        totals.withLock { totals in
            for series in staged.series { totals[series.id.index] = series.total }
        }
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

    private func current(_ id: SeriesID) -> StoredSeries {
        var series = table.series(id)
        series.total = totals.withLock { $0[id.index] } ?? SeriesTotal()
        return series
    }
}
