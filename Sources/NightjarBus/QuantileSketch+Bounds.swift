extension QuantileSketch {
    /// At most so many places in each bucket that values are spread over.
    private static let placesInBucket: UInt64 = 16

    /// The values of a histogram with stated bounds, spread evenly over each of its buckets: a quantile lies in the right bucket
    /// and is as exact as that is narrow. Beyond the outermost bounds they are spread up to the least and greatest value where
    /// those are stated; else those below lie between 0 and the first bound, and those above are taken for the last.
    package init(
        bounds: [Double],
        counts: [UInt64],
        sum statedSum: Double? = nil,
        min statedMin: Double? = nil,
        max statedMax: Double? = nil
    ) {
        self.init()
        for (index, count) in counts.enumerated() where count > 0 {
            let low = index > 0 ? bounds[index - 1] : statedMin ?? bounds.first.map { Swift.min($0, 0) }
            let high = index < bounds.count ? bounds[index] : statedMax ?? bounds.last
            guard let low, let high else { continue }
            spread(
                count,
                from: statedMin.map { Swift.max($0, low) } ?? low,
                to: statedMax.map { Swift.min($0, high) } ?? high
            )
        }
        guard !isEmpty else { return }
        state(sum: statedSum, min: statedMin, max: statedMax)
    }

    private mutating func spread(_ count: UInt64, from low: Double, to high: Double) {
        let places = Swift.min(count, Self.placesInBucket)
        for place in 0..<places {
            let share = count / places + (place < count % places ? 1 : 0)
            let part = (Double(place) + 0.5) / Double(places)
            add(low + Swift.max(high - low, 0) * part, count: share)
        }
    }
}
