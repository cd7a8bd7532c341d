package import CNightjarSignals
package import NightjarSignals

/// Adds observations up by series until they are handed over; the last step of every metric, built-in or a plugin's.
/// Filters labels, admits series, and counts what it drops or rejects. Belongs to one worker.
package final class MetricAggregator {
    /// A series made ready: adding to it looks nothing up. Valid until ``epoch`` changes.
    package struct Cell: Sendable {
        /// Leads nowhere: what is added to it is not counted.
        package static let none = Cell(plan: -1)

        fileprivate let plan: Int32
    }

    /// A direct observation without its value and time.
    private struct DirectKey: Hashable {
        let name: String
        let type: MetricType
        let labels: [String: String]
    }

    /// What happens for one set of labels as they came.
    private struct Plan: BitwiseCopyable {
        /// The place in `sums` and `parts`.
        let sum: Int32
        /// Where the places of the counters of what was dropped lie in `drops`.
        let firstDrop: Int32
        let dropCount: Int32
        let isCounter: Bool
    }

    /// A series as it is told to others.
    private struct Sum {
        let series: SeriesID
        let instrument: InstrumentID
        let type: MetricType
        let name: String
        let labels: [Label]
        /// The labels as events have them, once one was asked for.
        var eventLabels: [String: String]?
    }

    /// Event time may lie so far beyond receipt; later is clamped to it (signals contract, section 6).
    package static let clockAllowance = Duration.seconds(300)
    private static let allowanceNano = clockAllowance.nanoseconds
    /// Series that no cell leads to any more are forgotten when there are so many.
    private static let seriesLimit = 65_536

    // Fields are unchecked as in TraceState: one thread at a time, and no access lasts over a call that comes back to it.
    /// The trace that observations belong to, where somebody wants to see examples.
    @exclusivity(unchecked) private var exemplarTrace: TraceID?

    /// Sees every observation as it is added, the host's own among them; ``event(_:value:at:)`` makes an event of one. Nothing
    /// is done for it where it is not set.
    package var observer: ((SeriesID, Double, Timestamp) -> Void)? {
        didSet { isObserved = observer != nil }
    }
    @exclusivity(unchecked) private var isObserved = false

    /// Changes when policies, buckets or places have changed: cells made before it are void.
    @exclusivity(unchecked) package private(set) var epoch = 0

    private let registry: MetricRegistry
    private let table: SeriesTable
    private let filter: LabelFilter
    private let report: CardinalityReport
    private let own: HostMetrics
    private let keys = TextKeyTable()
    @exclusivity(unchecked) private var directPlans: [DirectKey: Int32] = [:]
    /// About how many bytes their keys take: labels come uncut.
    @exclusivity(unchecked) private var directBytes = 0
    private static let directByteLimit = 8 << 20
    private let plans = PlainRows<Plan>()
    private let drops = PlainRows<Int32>()
    private let metrics: KnownMetrics
    /// The series of the host's own metrics without labels, by the number of the metric.
    @exclusivity(unchecked) private var hostSums: [Int32: Int32] = [:]
    @exclusivity(unchecked) private var sums: [Sum] = []
    @exclusivity(unchecked) private var sumBySeries: [SeriesID: Int32] = [:]
    private let parts = SeriesParts()
    @exclusivity(unchecked) private var policyGeneration: Int
    @exclusivity(unchecked) private var tableGeneration: Int
    /// The latest event time so far, for what is refused before its time is known.
    @exclusivity(unchecked) private var latest = Timestamp(unixNano: 0)

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
        metrics = KnownMetrics(registry, filter)
        self.report = report
        own = try HostMetrics(registry)
        (policyGeneration, tableGeneration) = (registry.policyGeneration, table.generation)
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
        guard cell.plan >= 0 else { return }
        let plan = plans[Int(cell.plan)]
        guard value.isFinite, value >= 0 || !plan.isCounter else { return reject(value, plan) }
        observe(plan, value, at: time)
    }

    private func reject(_ value: Double, _ plan: Plan) {
        let sum = sums[Int(plan.sum)]
        if let fault = MetricError.fault(in: value, of: sum.type) { reject(fault, metric: sum.name) }
    }

    private func observe(_ plan: Plan, _ value: Double, at time: Timestamp) {
        observe(plan.sum, value, at: time)
        if plan.dropCount > 0 { countDrops(plan, at: time) }
    }

    private func countDrops(_ plan: Plan, at time: Timestamp) {
        for place in plan.firstDrop..<plan.firstDrop + plan.dropCount {
            observe(drops[Int(place)], 1, at: time)
        }
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
        observe(plan, added.value, at: added.timestamp)
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
        let (sum, overflow) = receivedAt.unixNano.addingReportingOverflow(Self.allowanceNano)
        guard !overflow, time.unixNano > sum else { return time }
        let limit = Timestamp(unixNano: sum)
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
        let instrument = own[keyPath: metric]
        observe(labels.isEmpty ? hostSum(instrument) : sum(instrument, labels), amount, at: time)
    }

    /// The place of one of the host's metrics without labels. Cells stay valid: where others have voided them it is not
    /// remembered.
    private func hostSum(_ instrument: InstrumentID) -> Int32 {
        guard registry.policyGeneration == policyGeneration, table.generation == tableGeneration else {
            return sum(instrument, [])
        }
        if let place = hostSums[instrument.index] { return place }
        let place = sum(instrument, [])
        hostSums[instrument.index] = place
        return place
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
        countDrops(plan, at: time)
        return SeriesDelta(series: sums[Int(plan.sum)].series, sum: 1, count: 1, time: time)
    }

    /// The delta of a single event of the host itself that is to be added later.
    package func pendingCount(_ metric: KeyPath<HostMetrics, InstrumentID>, at time: Timestamp) -> SeriesDelta
    {
        let sum = sums[Int(hostSum(own[keyPath: metric]))]
        return SeriesDelta(series: sum.series, sum: 1, count: 1, time: time)
    }

    /// Takes note of the trace that observations belong to from now on; nil for one that nobody could look at.
    package func observe(in trace: TraceID?) { exemplarTrace = table.showsExemplars ? trace : nil }

    /// Hands over what was added since the last call: a delta for each series and window.
    package func take() -> [SeriesDelta] {
        let deltas = parts.take()
        if sums.count > Self.seriesLimit { forgetSeries() }
        return deltas
    }

    @inline(__always)
    private func observe(_ place: Int32, _ value: Double, at time: Timestamp) {
        if isObserved { observer?(sums[Int(place)].series, value, time) }
        if time > latest { latest = time }
        let part = parts.add(value, to: place, at: time.unixNano)
        if let exemplarTrace { parts.show(value, part, at: time.unixNano, in: exemplarTrace) }
    }

    /// Makes a plan, and room for it where there is none.
    private func plan(_ instrument: InstrumentID, _ labels: [Label]) -> Int32 {
        if keys.isFull || directPlans.count >= keys.limit || directBytes >= Self.directByteLimit { forget() }
        let metric = metrics.known(instrument, generation: policyGeneration)
        let (kept, dropped) = filter.apply(labels, metric.rules)
        let counters = dropped.map { drop in
            let label = report.dropped(metric.name, drop)
            return sum(
                own.labelsDropped,
                [
                    Label("label", label), Label("metric", metric.name),
                    Label("reason", drop.reason.rawValue),
                ]
            )
        }
        let place = sum(instrument, kept)
        let firstDrop = Int32(drops.count)
        for counter in counters { drops.append(counter) }
        let plan = Plan(
            sum: place,
            firstDrop: firstDrop,
            dropCount: Int32(counters.count),
            isCounter: sums[Int(place)].type == .counter
        )
        return Int32(plans.append(plan))
    }

    /// The place of a series, admitted if it is new; later labels of the same name win, and empty ones are left out.
    private func sum(_ instrument: InstrumentID, _ labels: [Label]) -> Int32 {
        let metric = metrics.known(instrument, generation: policyGeneration)
        let admitted = table.admit(
            instrument,
            metrics.descriptor(of: instrument),
            labels: labels.ofSeries,
            limit: metric.rules.seriesLimit
        )
        if admitted.overflowed { report.overflowed(metric.name) }
        if let place = sumBySeries[admitted.id] { return place }
        let series = table.series(admitted.id)
        let isHistogram = series.instrument.type == .histogram
        let place = parts.addSeries(
            admitted.id,
            series.instrument.type,
            bounds: isHistogram ? series.instrument.buckets ?? [] : [],
            // Scrapers may be shown where the numbers of these come from.
            hasExemplars: isHistogram || series.instrument.type == .counter && metric.name.hasSuffix("_total")
        )
        sums.append(
            Sum(
                series: admitted.id,
                instrument: instrument,
                type: series.instrument.type,
                name: metric.name,
                labels: series.labels
            )
        )
        sumBySeries[admitted.id] = place
        return place
    }

    /// Looks whether policies, buckets or places have changed, and if so voids the cells made before.
    package func refresh() {
        let (policies, places) = (registry.policyGeneration, table.generation)
        guard policies != policyGeneration || places != tableGeneration else { return }
        (policyGeneration, tableGeneration) = (policies, places)
        forget()
    }

    private func forget() {
        keys.removeAll()
        directPlans.removeAll()
        directBytes = 0
        plans.removeAll()
        drops.removeAll()
        metrics.forget()
        hostSums.removeAll()
        epoch += 1
    }

    /// Series come and go; those of cells still in use are found again. Only when nothing is waiting to be handed over.
    private func forgetSeries() {
        forget()
        sums.removeAll()
        sumBySeries.removeAll()
        parts.removeSeries()
    }
}
