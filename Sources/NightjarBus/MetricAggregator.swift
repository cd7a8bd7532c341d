package import CNightjarSignals
package import NightjarSignals

/// Adds observations up by series until they are handed over; the last step of every metric, built-in or a plugin's.
/// Filters labels, admits series, and counts what it drops or rejects. Belongs to one worker.
package final class MetricAggregator {
    /// A series made ready: adding to it looks nothing up. Valid until ``epoch`` changes.
    package struct Cell: Sendable {
        fileprivate let plan: Int32
    }

    /// A direct observation without its value and time.
    private struct DirectKey: Hashable {
        let name: String
        let type: MetricType
        let labels: [String: String]
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
        let instrument: InstrumentID
        let type: MetricType
        let name: String
        let labels: [Label]
        let bounds: [Double]
        /// Whether scrapers may be shown where its numbers come from.
        let hasExemplars: Bool
        /// The labels as events have them, once one was asked for.
        var eventLabels: [String: String]?
        /// The place in `parts` of what was added last, −1 where nothing was.
        var part: Int32 = -1
    }

    /// Event time may lie so far beyond receipt; later is clamped to it (signals contract, section 6).
    package static let clockAllowance = Duration.seconds(300)
    /// Series that no cell leads to any more are forgotten when there are so many.
    private static let seriesLimit = 65_536

    /// The trace that observations belong to, where somebody wants to see examples.
    private var exemplarTrace: TraceID?

    /// Sees every observation as it is added, the host's own among them; ``event(_:value:at:)`` makes an event of one. Nothing
    /// is done for it where it is not set.
    package var observer: ((SeriesID, Double, Timestamp) -> Void)?

    /// Changes when policies, buckets or places have changed: cells made before it are void.
    package private(set) var epoch = 0

    private let registry: MetricRegistry
    private let table: SeriesTable
    private let filter: LabelFilter
    private let report: CardinalityReport
    private let own: HostMetrics
    private var keys = TextKeyTable()
    private var directPlans: [DirectKey: Int32] = [:]
    /// About how many bytes their keys take: labels come uncut.
    private var directBytes = 0
    private static let directByteLimit = 8 << 20
    private var plans: [Plan] = []
    private var sums: [Sum] = []
    private var sumBySeries: [SeriesID: Int32] = [:]
    private var parts: [WindowPart] = []
    private var generations: (registry: Int, table: Int)
    /// The latest event time so far, for what is refused before its time is known.
    private var latest = Timestamp(unixNano: 0)

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
        generations = (registry.policyGeneration, table.generation)
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
            guard labels.allSatisfy({ isLabelName($0.name.buffer) }) else {
                reject(.invalidLabelName, metric: registry.descriptor(instrument).name)
                return nil
            }
            let given = labels.map { Label($0.name.string ?? "", $0.value.string ?? "") }
            let plan = plan(instrument, given)
            keys.insert(tag: tag, texts, plan)
            return Cell(plan: plan)
        }
    }

    /// Adds one observation to a cell.
    package func add(_ cell: Cell, value: Double, at time: Timestamp) {
        let plan = plans[Int(cell.plan)]
        let index = Int(plan.sum)
        if let fault = MetricError.fault(in: value, of: sums[index].type) {
            reject(fault, metric: sums[index].name)
            return
        }
        observe(plan.sum, value, at: time)
        for drop in plan.drops { observe(drop, 1, at: time) }
    }

    /// Adds a direct observation: declares its metric if it is new, checks it, clamps its time and filters its labels.
    /// - Returns: The observation as it was added: what exporters see.
    /// - Throws: ``MetricError`` when it was refused; it is counted then.
    @discardableResult
    package func record(_ metric: Metric, receivedAt: Timestamp) throws(MetricError) -> Metric {
        let plan: Plan
        do throws(MetricError) {
            if let fault = MetricError.fault(in: metric.value, of: metric.type) {
                throw MetricError(code: fault, metric: metric.name, detail: "does not take \(metric.value)")
            }
            plan = plans[Int(try directPlan(metric))]
        } catch {
            reject(error.code, metric: error.metric)
            throw error
        }
        var added = metric
        added.timestamp = clamped(metric.timestamp, receivedAt: receivedAt)
        added.labels = eventLabels(Int(plan.sum))
        observe(plan.sum, added.value, at: added.timestamp)
        for drop in plan.drops { observe(drop, 1, at: added.timestamp) }
        return added
    }

    private func directPlan(_ metric: Metric) throws(MetricError) -> Int32 {
        refresh()
        let key = DirectKey(name: metric.name, type: metric.type, labels: metric.labels)
        if let plan = directPlans[key] { return plan }
        let instrument = try registry.instrument(
            InstrumentDescriptor(name: metric.name, type: metric.type)
        )
        let labels = metric.labels.map { Label($0.key, $0.value) }.sorted { $0.name < $1.name }
        if let label = labels.first(where: { !isLabelName($0.name.utf8) }) {
            throw MetricError(
                code: .invalidLabelName,
                metric: metric.name,
                detail: "\(label.name) is no label name; use letters, digits and _, not starting with a digit"
            )
        }
        let plan = plan(instrument, labels)
        directPlans[key] = plan
        directBytes += metric.labels.reduce(metric.name.utf8.count) {
            $0 + $1.key.utf8.count + $1.value.utf8.count
        }
        return plan
    }

    /// The time that an observation counts at, and one more count where it is not its own.
    package func clamped(_ time: Timestamp, receivedAt: Timestamp) -> Timestamp {
        let limit = receivedAt.advanced(by: Self.clockAllowance)
        guard time > limit else { return time }
        count(\.metricTimeClamped, at: limit)
        return limit
    }

    /// The event of an observation that was added, with the labels that really went in; nil for the host's own metrics.
    package func event(_ series: SeriesID, value: Double, at time: Timestamp) -> Metric? {
        guard let place = sumBySeries[series].map(Int.init), !own.contains(sums[place].instrument) else {
            return nil
        }
        return Metric(
            timestamp: time,
            name: sums[place].name,
            type: sums[place].type,
            value: value,
            labels: eventLabels(place)
        )
    }

    private func eventLabels(_ place: Int) -> [String: String] {
        if let labels = sums[place].eventLabels { return labels }
        let labels = Dictionary(sums[place].labels.map { ($0.name, $0.value) }) { $1 }
        sums[place].eventLabels = labels
        return labels
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
        observe(sum(own.metricsRejected, [Label("reason", reason.rawValue)]), 1, at: latest)
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
        let plan = plans[Int(cell.plan)]
        for drop in plan.drops { observe(drop, 1, at: time) }
        return SeriesDelta(series: sums[Int(plan.sum)].series, sum: 1, count: 1, time: time)
    }

    /// The delta of a single event of the host itself that is to be added later.
    package func pendingCount(_ metric: KeyPath<HostMetrics, InstrumentID>, at time: Timestamp) -> SeriesDelta
    {
        let sum = sums[Int(sum(own[keyPath: metric], []))]
        return SeriesDelta(series: sum.series, sum: 1, count: 1, time: time)
    }

    /// Takes note of the trace that observations belong to from now on; nil for one that nobody could look at.
    package func observe(in trace: TraceID?) { exemplarTrace = table.showsExemplars ? trace : nil }

    /// Hands over what was added since the last call: a delta for each series and window.
    package func take() -> [SeriesDelta] {
        defer {
            parts.removeAll(keepingCapacity: true)
            if sums.count > Self.seriesLimit { forgetSeries() }
        }
        return parts.map { part in
            let place = Int(part.place)
            sums[place].part = -1
            return part.delta(of: sums[place].series, sums[place].type)
        }
    }

    private func observe(_ place: Int32, _ value: Double, at time: Timestamp) {
        let index = Int(place)
        observer?(sums[index].series, value, time)
        if time > latest { latest = time }
        let part = part(of: place, at: time)
        switch sums[index].type {
        case .counter: parts[part].count(value, at: time)
        case .gauge: parts[part].set(value, at: time)
        case .histogram: parts[part].record(value, at: time, bounds: sums[index].bounds)
        }
        if sums[index].hasExemplars, let exemplarTrace {
            parts[part].show(value, at: time, in: exemplarTrace)
        }
    }

    /// The place in `parts` of a series' window, the one that was added to last being looked at first. Bounded by the
    /// observations of a batch: each makes one part at most.
    private func part(of place: Int32, at time: Timestamp) -> Int {
        let head = sums[Int(place)].part
        var (at, steps) = (head, 0)
        // What is found no sooner is begun again, and added up where it is stored.
        while at >= 0, steps < 8 {
            if parts[Int(at)].contains(time) { return Int(at) }
            at = parts[Int(at)].next
            steps += 1
        }
        let buckets = sums[Int(place)].type == .histogram ? sums[Int(place)].bounds.count + 1 : 0
        sums[Int(place)].part = Int32(parts.count)
        parts.append(WindowPart(place: place, next: head, time: time, buckets: buckets))
        return parts.count - 1
    }

    /// Makes a plan, and room for it where there is none.
    private func plan(_ instrument: InstrumentID, _ labels: [Label]) -> Int32 {
        if keys.isFull || directPlans.count >= keys.limit || directBytes >= Self.directByteLimit { forget() }
        let metric = registry.descriptor(instrument).name
        let policy = filter.policy(of: metric, registry.policy(of: metric))
        let (kept, dropped) = filter.apply(labels, policy: policy)
        let drops = dropped.map { drop in
            let label = report.dropped(metric, drop)
            return sum(
                own.labelsDropped,
                [Label("label", label), Label("metric", metric), Label("reason", drop.reason.rawValue)]
            )
        }
        let index = Int32(plans.count)
        plans.append(Plan(sum: sum(instrument, kept), drops: drops))
        return index
    }

    /// The place of a series, admitted if it is new; later labels of the same name win, and empty ones are left out.
    private func sum(_ instrument: InstrumentID, _ labels: [Label]) -> Int32 {
        var byName: [String: String] = [:]
        for label in labels { byName[label.name] = label.value }
        let sorted = byName.filter { !$0.value.isEmpty }.map { Label($0.key, $0.value) }
            .sorted { $0.name < $1.name }
        let name = registry.descriptor(instrument).name
        let admitted = table.admit(
            instrument,
            registry.resolvedDescriptor(instrument),
            labels: sorted,
            limit: filter.limit(filter.policy(of: name, registry.policy(of: name)))
        )
        if admitted.overflowed { report.overflowed(name) }
        if let place = sumBySeries[admitted.id] { return place }
        let series = table.series(admitted.id)
        let bounds = series.instrument.buckets ?? []
        let isHistogram = series.instrument.type == .histogram
        let place = Int32(sums.count)
        sums.append(
            Sum(
                series: admitted.id,
                instrument: instrument,
                type: series.instrument.type,
                name: name,
                labels: series.labels,
                bounds: isHistogram ? bounds : [],
                hasExemplars: isHistogram || series.instrument.type == .counter && name.hasSuffix("_total")
            )
        )
        sumBySeries[admitted.id] = place
        return place
    }

    /// Looks whether policies, buckets or places have changed, and if so voids the cells made before.
    package func refresh() {
        let now = (registry.policyGeneration, table.generation)
        guard now != generations else { return }
        generations = now
        forget()
    }

    private func forget() {
        keys.removeAll()
        directPlans.removeAll()
        directBytes = 0
        plans.removeAll()
        epoch += 1
    }

    /// Series come and go; those of cells still in use are found again. Only when nothing is waiting to be handed over.
    private func forgetSeries() {
        forget()
        sums.removeAll()
        sumBySeries.removeAll()
    }
}
