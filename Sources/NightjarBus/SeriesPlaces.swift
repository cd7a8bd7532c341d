/// A metric and labels: what a series is found by. Hashed once, for texts take long.
package struct SeriesKey: Sendable {
    /// The number of the metric.
    package let metric: Int32
    /// Sorted by name.
    package let labels: [Label]
    fileprivate let hash: Int

    /// A key.
    package init(_ metric: Int32, _ labels: [Label]) {
        (self.metric, self.labels) = (metric, labels)
        var hasher = Hasher()
        hasher.combine(metric)
        for label in labels { hasher.combine(label) }
        hash = hasher.finalize()
    }

    fileprivate func isEqual(_ other: SeriesKey) -> Bool {
        hash == other.hash && metric == other.metric && labels == other.labels
    }
}

/// The numbers of series by their keys: open addressing with the keys' own hashes, so that it grows without hashing anew.
package struct SeriesPlaces: Sendable {
    private struct Slot: Sendable {
        let key: SeriesKey
        var number: Int32
    }

    private var slots: [Slot?] = Array(repeating: nil, count: 64)
    private var count = 0

    /// No places.
    package init() {}

    /// The number of a key; nil where it has none.
    package func find(_ key: SeriesKey) -> Int32? { slots[place(of: key)]?.number }

    /// Gives a key a number, in place of the one that it had.
    package mutating func set(_ number: Int32, for key: SeriesKey) {
        if (count + 1) * 2 > slots.count { grow() }
        let place = place(of: key)
        if slots[place] == nil { count += 1 }
        slots[place] = Slot(key: key, number: number)
    }

    /// Forgets a key.
    package mutating func remove(_ key: SeriesKey) {
        var gap = place(of: key)
        guard slots[gap] != nil else { return }
        slots[gap] = nil
        count -= 1
        // What was placed behind it because of it moves up, so that no look-up ends at the gap.
        var place = next(gap)
        while let slot = slots[place] {
            let home = slot.key.hash & mask
            if (place - home) & mask >= (place - gap) & mask {
                slots[gap] = slot
                slots[place] = nil
                gap = place
            }
            place = next(place)
        }
    }

    private var mask: Int { slots.count - 1 }

    private func next(_ place: Int) -> Int { (place + 1) & mask }

    /// Where a key lies, or else the free slot where it would.
    private func place(of key: SeriesKey) -> Int {
        var place = key.hash & mask
        while let slot = slots[place], !slot.key.isEqual(key) { place = next(place) }
        return place
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: nil, count: old.count * 2)
        for case let slot? in old {
            var place = slot.key.hash & mask
            while slots[place] != nil { place = next(place) }
            slots[place] = slot
        }
    }
}
