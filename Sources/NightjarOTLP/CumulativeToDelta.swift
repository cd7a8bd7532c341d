package import NightjarSignals

/// Turns what adds up since a start into what was added since the point before, a series at a time.
///
/// The rules are those of OpenTelemetry's data model on resets and gaps. The first point of a series counts whole where its
/// start is known; one whose start is its own time has an unknown start and only sets the mark. A fall, or a later start, is
/// a reset: what is there then was added since. A point no later than the one before gives nothing: it came twice or too
/// late. Points that are increments already pass through, the same ones once.
package struct CumulativeToDelta: Sendable {
    /// What is remembered of a series between its points.
    package struct State: Sendable, Equatable {
        /// The start of the last point.
        package var startTime: Timestamp?
        /// Its time.
        package var time: Timestamp
        /// What it said; nil for readings that are increments, of which nothing is needed.
        package var reading: OTLPMetricPoint.Reading?
    }

    /// What a point adds to its series.
    package struct Step: Sendable, Equatable {
        /// What was added; for gauges, summaries and sums that may fall the value as it is. Nil: nothing.
        package var increment: OTLPMetricPoint.Reading?
        /// What to remember for the next point.
        package var state: State
    }

    /// The step from what is remembered of a point's series, nil at its first point.
    package static func step(_ point: OTLPMetricPoint, after previous: State?) -> Step {
        let isCumulative = point.temporality == .cumulative
        var next = State(startTime: point.startTime, time: point.time)
        if isCumulative { next.reading = point.reading }
        if let previous, point.time <= previous.time { return Step(increment: nil, state: previous) }
        guard isCumulative else { return Step(increment: point.reading, state: next) }
        switch point.reading {
        case .gauge, .summary: return Step(increment: point.reading, state: next)
        case .sum(let value, false): return Step(increment: .gauge(value), state: next)
        case .sum(let value, true) where !value.isFinite:
            // No mark to measure from: as if it had not come.
            return previous.map { Step(increment: nil, state: $0) }
                ?? Step(increment: nil, state: next.unmarked)
        default: break
        }
        guard let previous, let mark = previous.reading, !isReset(point, previous) else {
            return Step(increment: countsWhole(point) ? point.reading : nil, state: next)
        }
        // Without a reset that the sender names, a fall is one too.
        return Step(increment: difference(point.reading, mark) ?? point.reading, state: next)
    }

    /// Whether the sender says that it began anew after the point before.
    private static func isReset(_ point: OTLPMetricPoint, _ previous: State) -> Bool {
        guard let start = point.startTime else { return false }
        return start > previous.startTime ?? previous.time
    }

    private static func countsWhole(_ point: OTLPMetricPoint) -> Bool {
        point.startTime.map { $0 < point.time } ?? false
    }

    /// What was added between two readings; nil where something fell or they cannot be compared.
    private static func difference(
        _ now: OTLPMetricPoint.Reading,
        _ before: OTLPMetricPoint.Reading
    ) -> OTLPMetricPoint.Reading? {
        switch (now, before) {
        case (.sum(let now, let isMonotonic), .sum(let before, _)):
            now < before ? nil : .sum(now - before, isMonotonic: isMonotonic)
        case (.histogram(let now), .histogram(let before)): now.subtracting(before).map { .histogram($0) }
        case (.exponentialHistogram(let now), .exponentialHistogram(let before)):
            now.subtracting(before).map { .exponentialHistogram($0) }
        default: nil
        }
    }
}

extension CumulativeToDelta.State {
    /// Without a reading to measure from.
    fileprivate var unmarked: Self { Self(startTime: startTime, time: time) }
}

extension OTLPMetricPoint.Histogram {
    /// What was added since `before`; least and greatest of that are not known. Nil where the bounds differ or a count fell.
    fileprivate func subtracting(_ before: Self) -> Self? {
        guard bounds == before.bounds, let counts = difference(counts, before.counts), count >= before.count
        else { return nil }
        var added = Self()
        added.bounds = bounds
        added.counts = counts
        added.count = count - before.count
        if let sum, let old = before.sum { added.sum = sum - old }
        return added
    }
}

extension OTLPMetricPoint.ExponentialHistogram {
    /// What was added since `before`, whose buckets are made as wide as these. Nil where these are finer or a count fell.
    fileprivate func subtracting(_ before: Self) -> Self? {
        guard before.scale >= scale, count >= before.count, zeroCount >= before.zeroCount else { return nil }
        let shift = Int64(before.scale) - Int64(scale)
        guard let positive = positive.subtracting(before.positive, shift: shift),
            let negative = negative.subtracting(before.negative, shift: shift)
        else { return nil }
        var added = Self()
        added.scale = scale
        added.zeroCount = zeroCount - before.zeroCount
        added.positive = positive
        added.negative = negative
        added.count = count - before.count
        if let sum, let old = before.sum { added.sum = sum - old }
        return added
    }
}

extension OTLPMetricPoint.ExponentialHistogram.Buckets {
    /// These without `before`, whose buckets are 2^shift times as fine; nil where a count fell.
    fileprivate func subtracting(_ before: Self, shift: Int64) -> Self? {
        var rest = self
        for (place, count) in before.counts.enumerated() where count > 0 {
            // Every scale halves the index; an arithmetic shift rounds towards the lower bucket, as it must.
            let index = (Int64(before.offset) + Int64(place)) >> shift - Int64(offset)
            guard index >= 0, index < Int64(counts.count), rest.counts[Int(index)] >= count else {
                return nil
            }
            rest.counts[Int(index)] -= count
        }
        return rest
    }
}

/// Counts less other counts, place by place; nil where one fell or there are not as many.
private func difference(_ now: [UInt64], _ before: [UInt64]) -> [UInt64]? {
    guard now.count == before.count, zip(now, before).allSatisfy(>=) else { return nil }
    return zip(now, before).map(-)
}
