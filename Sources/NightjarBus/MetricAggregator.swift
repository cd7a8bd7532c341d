package import CNightjarSignals
package import NightjarSignals

/// Adds observations up by series until they are handed over; the last step of every metric, built-in or a plugin's.
/// Filters labels, admits series, and counts what it drops or rejects. Belongs to one worker.
package final class MetricAggregator {
    /// A series made ready: adding to it looks nothing up. Valid until ``epoch`` changes.
    package struct Cell: Sendable {
        fileprivate let plan: Int32
    }

    /// What happens for one set of labels as they came.
    private struct Plan {
        /// The place in `sums`.
        let sum: Int32
        /// The places of the counters of what was dropped.
        let drops: [Int32]
    }

    private struct Sum {
        let series: SeriesID
        let type: MetricType
        let bounds: [Double]
        var value: Double = 0
        var count: UInt64 = 0
        var time = Timestamp(unixNano: .min)
        var buckets: [UInt32] = []
    }

    /// Sees every observation as it is added: for runs over recorded events, which print them.
    package var observer: ((SeriesID, Double, Timestamp) -> Void)?

    /// Changes when label policies have changed: cells made before it are void.
    package private(set) var epoch = 0

    private let registry: MetricRegistry
    private let table: SeriesTable
    private let filter: LabelFilter
    private let report: CardinalityReport
    private let own: HostMetrics
    private var keys = TextKeyTable()
    private var plans: [Plan] = []
    private var sums: [Sum] = []
    private var sumBySeries: [SeriesID: Int32] = [:]
    private var touched: [Int32] = []
    private var policyGeneration: Int

    /// An aggregator over the process's metrics and series.
    package init(
        registry: MetricRegistry,
        table: SeriesTable,
        configuration: CardinalityConfiguration,
        report: CardinalityReport
    ) throws(MetricError) {
        self.registry = registry
        self.table = table
        filter = LabelFilter(configuration)
        self.report = report
        own = try HostMetrics(registry)
        policyGeneration = registry.policyGeneration
    }

    /// Adds one observation. A value that the metric's type does not take is rejected and counted.
    package func record(
        _ instrument: InstrumentID,
        value: Double,
        labels: UnsafeBufferPointer<nj_label>,
        at time: Timestamp
    ) {
        guard let cell = cell(instrument, labels) else { return }
        add(cell, value: value, at: time)
    }

    /// Makes a series ready; nil (and counted) where a label's name is none.
    package func cell(_ instrument: InstrumentID, _ labels: UnsafeBufferPointer<nj_label>) -> Cell? {
        refresh()
        return labels.withMemoryRebound(to: nj_text.self) { _ in
            let texts = UnsafeBufferPointer(
                start: UnsafeRawPointer(labels.baseAddress)?.assumingMemoryBound(to: nj_text.self),
                count: labels.count * 2
            )
            let tag = UInt64(UInt32(bitPattern: instrument.index))
            if let plan = keys.find(tag: tag, texts) { return Cell(plan: plan) }
            guard let plan = plan(instrument, labels) else { return nil }
            if keys.isFull { forget() }
            let index = Int32(plans.count)
            plans.append(plan)
            keys.insert(tag: tag, texts, index)
            return Cell(plan: index)
        }
    }

    /// Adds one observation to a cell.
    package func add(_ cell: Cell, value: Double, at time: Timestamp) {
        let plan = plans[Int(cell.plan)]
        let index = Int(plan.sum)
        guard value.isFinite, value >= 0 || sums[index].type != .counter else {
            reject(.invalidValue, metric: table.series(sums[index].series).instrument.name)
            return
        }
        observe(plan.sum, value, at: time)
        for drop in plan.drops { observe(drop, 1, at: time) }
    }

    /// Counts an event of the host itself.
    package func count(
        _ metric: KeyPath<HostMetrics, InstrumentID>,
        by amount: Double = 1,
        labels: [Label] = [],
        at time: Timestamp
    ) {
        observe(sum(own[keyPath: metric], labels), amount, at: time)
    }

    /// Counts an observation that was refused, by reason.
    package func reject(_ reason: MetricError.Code, metric: String) {
        report.rejected(metric, reason)
        let now = Timestamp(unixNano: 0)
        observe(sum(own.metricsRejected, [Label("reason", reason.rawValue)]), 1, at: now)
    }

    /// The delta of a single observation of 1 that is to be added later, when it is known to be the first.
    package func pendingCount(
        _ instrument: InstrumentID,
        _ labels: UnsafeBufferPointer<nj_label>,
        at time: Timestamp
    )
        -> SeriesDelta?
    {
        guard let cell = cell(instrument, labels) else { return nil }
        let sum = sums[Int(plans[Int(cell.plan)].sum)]
        return SeriesDelta(series: sum.series, sum: 1, count: 1, time: time)
    }

    /// The delta of a single event of the host itself that is to be added later.
    package func pendingCount(_ metric: KeyPath<HostMetrics, InstrumentID>, at time: Timestamp) -> SeriesDelta
    {
        let sum = sums[Int(sum(own[keyPath: metric], []))]
        return SeriesDelta(series: sum.series, sum: 1, count: 1, time: time)
    }

    /// Hands over what was added since the last call.
    package func take() -> [SeriesDelta] {
        defer { touched.removeAll(keepingCapacity: true) }
        return touched.map { place in
            let index = Int(place)
            defer {
                sums[index].value = 0
                sums[index].count = 0
                sums[index].time = Timestamp(unixNano: .min)
                for bucket in sums[index].buckets.indices { sums[index].buckets[bucket] = 0 }
            }
            let sum = sums[index]
            return SeriesDelta(
                series: sum.series,
                sum: sum.value,
                count: sum.count,
                time: sum.time,
                buckets: sum.buckets,
                type: sum.type
            )
        }
    }

    private func observe(_ place: Int32, _ value: Double, at time: Timestamp) {
        let index = Int(place)
        observer?(sums[index].series, value, time)
        if sums[index].count == 0 { touched.append(place) }
        sums[index].count += 1
        if sums[index].type == .gauge {
            if time >= sums[index].time { sums[index].value = value }
        } else {
            sums[index].value += value
        }
        if time > sums[index].time { sums[index].time = time }
        if sums[index].type == .histogram {
            let bounds = sums[index].bounds
            var bucket = 0
            while bucket < bounds.count, value > bounds[bucket] { bucket += 1 }
            sums[index].buckets[bucket] += 1
        }
    }

    private func plan(_ instrument: InstrumentID, _ labels: UnsafeBufferPointer<nj_label>) -> Plan? {
        let metric = registry.descriptor(instrument).name
        guard labels.allSatisfy({ isLabelName($0.name.buffer) }) else {
            reject(.invalidLabelName, metric: metric)
            return nil
        }
        let given = labels.map { Label($0.name.string ?? "", $0.value.string ?? "") }
        let (kept, dropped) = filter.apply(given, policy: registry.policy(of: metric))
        let drops = dropped.map { drop in
            let label = report.dropped(metric, drop)
            return sum(
                own.labelsDropped,
                [Label("label", label), Label("metric", metric), Label("reason", drop.reason.rawValue)]
            )
        }
        return Plan(sum: sum(instrument, kept.filter { !$0.value.isEmpty }), drops: drops)
    }

    /// The place of a series, admitted if it is new; later labels of the same name win.
    private func sum(_ instrument: InstrumentID, _ labels: [Label]) -> Int32 {
        var byName: [String: String] = [:]
        for label in labels { byName[label.name] = label.value }
        let sorted = byName.keys.sorted().map { Label($0, byName[$0] ?? "") }
        let name = registry.descriptor(instrument).name
        let limit = filter.limit(registry.policy(of: name))
        let admitted = table.admit(
            instrument,
            registry.resolvedDescriptor(instrument),
            labels: sorted,
            limit: limit
        )
        if admitted.overflowed { report.overflowed(name) }
        if let place = sumBySeries[admitted.id] { return place }
        let descriptor = registry.resolvedDescriptor(instrument)
        let bounds = descriptor.type == .histogram ? descriptor.buckets ?? [] : []
        let place = Int32(sums.count)
        sums.append(
            Sum(
                series: admitted.id,
                type: descriptor.type,
                bounds: bounds,
                buckets: descriptor.type == .histogram ? Array(repeating: 0, count: bounds.count + 1) : []
            )
        )
        sumBySeries[admitted.id] = place
        return place
    }

    /// Looks whether label policies have changed, and if so voids the cells made before.
    package func refresh() {
        guard registry.policyGeneration != policyGeneration else { return }
        policyGeneration = registry.policyGeneration
        forget()
    }

    private func forget() {
        keys.removeAll()
        plans.removeAll()
        epoch += 1
    }
}
