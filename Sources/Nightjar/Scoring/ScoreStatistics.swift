/// What numbers say together; plain functions of lists.
package enum ScoreStatistics {
    /// The mean; nil of nothing.
    package static func mean(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }

    /// The value below which a share of the sorted values lies, between neighbours in proportion; nil of nothing.
    package static func quantile(_ share: Double, ofSorted values: [Double]) -> Double? {
        guard let last = values.last else { return nil }
        let place = share * Double(values.count - 1)
        let below = Int(place)
        guard below + 1 < values.count else { return last }
        return values[below] + (values[below + 1] - values[below]) * (place - Double(below))
    }

    /// The rank of each value, from 1; equal ones share the mean of their ranks.
    package static func ranks(_ values: [Double]) -> [Double] {
        let order = values.indices.sorted { values[$0] < values[$1] }
        var ranks = [Double](repeating: 0, count: values.count)
        var first = 0
        while first < order.count {
            var end = first + 1
            while end < order.count, values[order[end]] == values[order[first]] { end += 1 }
            for place in first..<end { ranks[order[place]] = Double(first + 1 + end) / 2 }
            first = end
        }
        return ranks
    }

    /// How close two lists of one length are to a line, -1 to 1; nil for fewer than two pairs, and where either list is constant.
    package static func pearson(_ left: [Double], _ right: [Double]) -> Double? {
        guard left.count == right.count, left.count > 1, let leftMean = mean(left),
            let rightMean = mean(right)
        else { return nil }
        var (both, leftSquares, rightSquares) = (0.0, 0.0, 0.0)
        for (one, other) in zip(left, right) {
            both += (one - leftMean) * (other - rightMean)
            leftSquares += (one - leftMean) * (one - leftMean)
            rightSquares += (other - rightMean) * (other - rightMean)
        }
        guard leftSquares > 0, rightSquares > 0 else { return nil }
        // Rounding may lead beyond the ends.
        return min(max(both / (leftSquares * rightSquares).squareRoot(), -1), 1)
    }

    /// How alike two lists of one length are ordered, -1 to 1, ties by mean rank; nil as for ``pearson(_:_:)``.
    package static func spearman(_ left: [Double], _ right: [Double]) -> Double? {
        left.count == right.count ? pearson(ranks(left), ranks(right)) : nil
    }

    /// The chance that a positive has a higher score than a negative, ties counted half: the area under the ROC curve. Nil where
    /// either is missing.
    package static func areaUnderCurve(_ scores: [Double], _ isPositive: [Bool]) -> Double? {
        let positives = isPositive.count { $0 }
        let negatives = isPositive.count - positives
        guard scores.count == isPositive.count, positives > 0, negatives > 0 else { return nil }
        let sum = zip(ranks(scores), isPositive).reduce(0) { $1.1 ? $0 + $1.0 : $0 }
        let wins = sum - Double(positives) * Double(positives + 1) / 2
        return wins / (Double(positives) * Double(negatives))
    }

    /// From which score on to say yes so that most answers are right, and the share that is right then. Halfway between two
    /// scores that occur; infinite where it is best always to say no, or always yes. The lowest of equally good ones; nil of
    /// nothing.
    package static func bestThreshold(
        _ scores: [Double],
        _ isPositive: [Bool]
    ) -> (threshold: Double, accuracy: Double)? {
        guard !scores.isEmpty, scores.count == isPositive.count else { return nil }
        let sorted = zip(scores, isPositive).sorted { $0.0 < $1.0 }
        // Below the lowest score everything is a yes; each score passed turns its own answers into a no.
        var right = isPositive.count { $0 }
        var best = (threshold: -Double.infinity, right: right)
        var place = 0
        while place < sorted.count {
            let score = sorted[place].0
            while place < sorted.count, sorted[place].0 == score {
                right += sorted[place].1 ? -1 : 1
                place += 1
            }
            guard right > best.right else { continue }
            best = (place < sorted.count ? score + (sorted[place].0 - score) / 2 : .infinity, right)
        }
        return (best.threshold, Double(best.right) / Double(scores.count))
    }

    /// How often the most frequent answer of each category is right: what the categories know of a yes or no. Nil of nothing.
    package static func bestAccuracy(byCategory categories: [String], _ isPositive: [Bool]) -> Double? {
        guard !categories.isEmpty, categories.count == isPositive.count else { return nil }
        var counts: [String: (yes: Int, no: Int)] = [:]
        for (category, positive) in zip(categories, isPositive) {
            if positive {
                counts[category, default: (0, 0)].yes += 1
            } else {
                counts[category, default: (0, 0)].no += 1
            }
        }
        return Double(counts.values.reduce(0) { $0 + max($1.yes, $1.no) }) / Double(categories.count)
    }
}

/// How numbers are spread.
package struct Distribution: Sendable, Equatable {
    /// A part of the range, the upper bound left out but in the last bar.
    package struct Bar: Sendable, Equatable {
        /// Where it begins.
        package let low: Double
        /// Where it ends.
        package let high: Double
        /// How many values lie in it.
        package let count: Int
    }

    /// So many parts a range has.
    package static let bars = 10

    /// How many there are.
    package let count: Int
    /// The mean.
    package let mean: Double
    /// The smallest.
    package let minimum: Double
    /// The largest.
    package let maximum: Double
    /// The median.
    package let p50: Double
    /// What nine of ten are not above.
    package let p90: Double
    /// The values by parts of the range: of the given one, widened where values lie outside, else of their own. One bar where all
    /// are equal and no range is given.
    package let histogram: [Bar]

    /// The distribution of finite values; nil of nothing.
    package init?(_ values: [Double], range: ClosedRange<Double>? = nil) {
        let sorted = values.sorted()
        guard let first = sorted.first, let last = sorted.last, let mean = ScoreStatistics.mean(sorted),
            let p50 = ScoreStatistics.quantile(0.5, ofSorted: sorted),
            let p90 = ScoreStatistics.quantile(0.9, ofSorted: sorted)
        else { return nil }
        (count, self.mean, minimum, maximum) = (sorted.count, mean, first, last)
        (self.p50, self.p90) = (p50, p90)
        let low = min(range?.lowerBound ?? first, first)
        let high = max(range?.upperBound ?? last, last)
        histogram = Self.histogram(sorted, low, high)
    }

    private static func histogram(_ values: [Double], _ low: Double, _ high: Double) -> [Bar] {
        guard high > low else { return [Bar(low: low, high: high, count: values.count)] }
        let step = (high - low) / Double(bars)
        var counts = [Int](repeating: 0, count: bars)
        for value in values { counts[min(Int((value - low) / step), bars - 1)] += 1 }
        return counts.enumerated().map { place, count in
            // The last bound is the given one, not a sum of roundings.
            let end = place == bars - 1 ? high : low + Double(place + 1) * step
            return Bar(low: low + Double(place) * step, high: end, count: count)
        }
    }
}
