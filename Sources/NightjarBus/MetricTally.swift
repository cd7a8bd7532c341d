package import NightjarSignals

/// Adds the windows of a metric up, a group after the other and in each a series after the other. Decides nothing about
/// which: that is the plan's.
package struct MetricTally {
    /// Adds a stored window to values, with its sketch or without.
    package typealias Adding = (inout WindowValues, Bool) -> Void

    private let plan: MetricPlan
    /// Whether single series have to be told apart: of gauges the last values are added up.
    private let addsLasts: Bool
    private let withSketch: Bool
    private var groups: [MetricAnswer.Group] = []
    private var all = WindowValues()
    private var allBefore = WindowValues()
    /// Of the group at hand, or of its series at hand where those are told apart.
    private var buckets: [WindowValues]
    private var before = WindowValues()
    /// Of the group at hand where series are told apart.
    private var folded: [WindowValues] = []
    private var foldedBefore = WindowValues()
    private var foldedAll = WindowValues()

    /// Nothing added.
    package init(_ plan: MetricPlan) {
        self.plan = plan
        addsLasts = plan.instrument.type == .gauge && plan.query.aggregation == .sum
        withSketch = plan.query.aggregation.quantile != nil
        buckets = Array(repeating: WindowValues(), count: plan.bucketCount)
        if addsLasts { folded = buckets }
    }

    /// Adds a window of the resolution of the plan, of the series at hand; one outside both periods is left out.
    package mutating func add(window: Int64, _ adding: Adding) {
        if plan.windows.contains(window) {
            adding(&buckets[plan.bucket(of: window)], withSketch)
        } else if plan.before.contains(window) {
            adding(&before, withSketch)
        }
    }

    /// Ends the series at hand.
    package mutating func endSeries() {
        guard addsLasts else { return }
        var whole = WindowValues()
        for place in buckets.indices where buckets[place].count > 0 {
            whole.add(buckets[place])
            Self.fold(buckets[place], into: &folded[place])
            buckets[place] = WindowValues()
        }
        Self.fold(whole, into: &foldedAll)
        Self.fold(before, into: &foldedBefore)
        before = WindowValues()
    }

    private static func fold(_ values: WindowValues, into sum: inout WindowValues) {
        guard values.count > 0 else { return }
        var last = values
        last.sum = values.last
        sum.add(last)
    }

    /// Ends the group at hand, which has these labels.
    package mutating func endGroup(_ labels: [Label]) {
        var whole = foldedAll
        if addsLasts {
            (buckets, folded) = (folded, buckets)
            (before, foldedBefore, foldedAll) = (foldedBefore, WindowValues(), WindowValues())
        } else {
            for bucket in buckets where bucket.count > 0 { whole.add(bucket) }
        }
        let points = buckets.indices.map { value(of: buckets[$0], plan.seconds(ofBucket: $0)) }
        groups.append(
            MetricAnswer.Group(
                labels: labels,
                points: points,
                total: value(of: whole, plan.secondsOfAll),
                before: plan.query.compares ? value(of: before, plan.secondsBefore) : nil,
                count: whole.count
            )
        )
        all.add(whole)
        allBefore.add(before)
        before = WindowValues()
        for place in buckets.indices { buckets[place] = WindowValues() }
    }

    private func value(of values: WindowValues, _ seconds: Double) -> Double? {
        let isCounted = plan.instrument.type != .gauge
        guard values.count > 0 else {
            switch plan.query.aggregation {
            case .sum, .rate: return isCounted ? 0 : nil
            case .count: return 0
            default: return nil
            }
        }
        switch plan.query.aggregation {
        case .sum: return values.sum
        case .avg: return values.sum / Double(values.count)
        case .min: return values.least <= values.greatest ? values.least : nil
        case .max: return values.least <= values.greatest ? values.greatest : nil
        case .count: return Double(values.count)
        case .rate:
            let sum = plan.instrument.type == .counter ? values.sum : Double(values.count)
            return seconds > 0 ? sum / seconds : nil
        case .last: return values.last
        case .p50, .p90, .p95, .p99, .p999:
            return plan.query.aggregation.quantile.flatMap(values.sketch.quantile)
        }
    }

    /// The answer, once every group has ended. Groups without an observation in either period are left out.
    package func answer(completeUntil: Timestamp) -> MetricAnswer {
        let seen = groups.filter { $0.count > 0 || $0.before.map { $0 != 0 } == true }
        let order = seen.sorted { left, right in
            let (high, low) = (left.total ?? -.infinity, right.total ?? -.infinity)
            if high != low { return high > low }
            return left.labels.map(\.value).lexicographicallyPrecedes(right.labels.map(\.value))
        }
        let limit = min(
            plan.query.groupLimit,
            max(1, MetricAnswer.pointLimit / max(1, plan.bucketCount))
        )
        return MetricAnswer(
            plan: plan,
            groups: Array(order.prefix(limit)),
            groupCount: order.count,
            total: value(of: all, plan.secondsOfAll),
            before: plan.query.compares ? value(of: allBefore, plan.secondsBefore) : nil,
            completeUntil: completeUntil
        )
    }
}

/// What a metric was over some time.
package struct MetricAnswer: Sendable, Equatable {
    /// At most so many points are given, of all groups together.
    package static let pointLimit = 50_000

    /// The series of a metric that have the same labels, as far as those make groups.
    package struct Group: Sendable, Equatable {
        /// The labels that make it; one that no series of it has is left out.
        package var labels: [Label]
        /// A value for each bucket; nil where there is none.
        package var points: [Double?]
        /// The value over the whole range.
        package var total: Double?
        /// The value over the period before.
        package var before: Double?
        /// How many observations of the range it has.
        package var count: UInt64
    }

    /// What was asked, and how it was read.
    package var plan: MetricPlan
    /// The groups with the highest totals.
    package var groups: [Group]
    /// How many there are.
    package var groupCount: Int
    /// The value over all groups and the whole range.
    package var total: Double?
    /// The value over all groups and the period before.
    package var before: Double?
    /// Until when, by event time, nothing known of is still to be counted.
    package var completeUntil: Timestamp
}
