import NightjarBus
import NightjarOTLP
import NightjarSignals

/// Where what is remembered of streams of metrics is read back.
protocol StreamSource {
    /// The states of these streams; those that are not known are left out.
    func streams(_ ids: [UInt64]) -> [UInt64: StreamState]
}

/// Turns received metrics into what they add to their series. Belongs to one worker: every stream's points must come here.
final class ReceivedMetrics {
    /// What is remembered of a stream, and with which hand-over it went to the store; `pending` where it has not yet.
    private struct Stream {
        var state: CumulativeToDelta.State
        var receivedAt: Timestamp
        var ticket: UInt64

        static let pending = UInt64.max
        var bytes: Int { 96 + (state.reading?.approximateBytes ?? 0) }
    }

    /// Bounds of what is held in memory; beyond them the streams that were idle longest are forgotten here, not in the store.
    struct Limits {
        var streams = 100_000
        var bytes = 64 << 20
    }

    private let series: ReceivedSeries
    private let aggregator: MetricAggregator
    private let source: (any StreamSource)?
    private let limits: Limits
    private var streams: [UInt64: Stream] = [:]
    private var bytes = 0
    private var changed: [UInt64] = []
    private var deltas: [SeriesDelta] = []

    /// What is refused or wrong is counted by `aggregator`.
    init(
        _ series: ReceivedSeries,
        _ aggregator: MetricAggregator,
        source: (any StreamSource)?,
        limits: Limits = Limits()
    ) {
        self.series = series
        self.aggregator = aggregator
        self.source = source
        self.limits = limits
    }

    func take(_ request: ReceivedRequest) {
        recall(request)
        for point in request.points { take(point, receivedAt: request.receivedAt) }
    }

    /// Adds what has come about since the last call to what a worker hands over.
    func hand(over effects: inout Effects, ticket: UInt64) {
        for id in changed {
            guard var stream = streams[id] else { continue }
            stream.ticket = ticket
            streams[id] = stream
            effects.streams.append(
                StreamState(id: id, state: stream.state.encoded, time: stream.receivedAt)
            )
        }
        effects.deltas += deltas
        changed.removeAll(keepingCapacity: true)
        deltas.removeAll(keepingCapacity: true)
    }

    /// Keeps within the limits: streams whose state is in the store can be read back from there.
    func forget(committed: UInt64) {
        guard streams.count > limits.streams || bytes > limits.bytes else { return }
        // A twentieth more than needed, so that not every batch has to look for the oldest.
        let (most, mostBytes) = (limits.streams / 20 * 19, limits.bytes / 20 * 19)
        for (id, stream) in streams.filter({ $0.value.ticket <= committed }).sorted(by: {
            $0.value.ticket < $1.value.ticket
        }) {
            guard streams.count > most || bytes > mostBytes else { return }
            streams[id] = nil
            bytes -= stream.bytes
        }
    }

    /// Reads back what the store remembers of streams that are not at hand.
    private func recall(_ request: ReceivedRequest) {
        guard let source else { return }
        let unknown = Set(request.points.lazy.map(\.stream).filter { self.streams[$0] == nil })
        guard !unknown.isEmpty else { return }
        for (id, stored) in source.streams(Array(unknown)) {
            guard let state = CumulativeToDelta.State(encoded: stored.state) else { continue }
            set(id, Stream(state: state, receivedAt: stored.time, ticket: 0))
        }
    }

    private func take(_ point: OTLPMetricPoint, receivedAt: Timestamp) {
        let number = point.reading.number
        guard number.isFinite else {
            let metric = InstrumentDescriptor.received(point.name, type: .gauge).name
            return aggregator.reject(number.isNaN ? .notANumber : .infinite, metric: metric)
        }
        let time = aggregator.clamped(point.time, receivedAt: receivedAt)
        var previous = streams[point.stream]?.state
        // A mark of a clock that ran ahead must not hold back what comes once the clock is right.
        if let mark = previous?.time, point.time == time,
            mark > receivedAt.advanced(by: MetricAggregator.clockAllowance)
        {
            previous?.time = Timestamp(unixNano: .min)
        }
        let step = step(point.measured, after: previous)
        if previous != step.state { remember(point.stream, step.state, receivedAt) }
        // A series is there from its first point on, even if that only sets the mark.
        guard let added = step.increment ?? (previous == nil ? point.measured.reading.nothing : nil)
        else { return }
        for observation in point.observations(added) { add(observation, at: time) }
    }

    /// A sum that may fall and comes in increments is shown as what it has come to.
    private func step(
        _ point: OTLPMetricPoint,
        after previous: CumulativeToDelta.State?
    ) -> CumulativeToDelta.Step {
        var step = CumulativeToDelta.step(point, after: previous)
        guard case .sum(let change, false)? = step.increment else { return step }
        var value = change
        if case .sum(let before, false)? = previous?.reading, (before + change).isFinite { value += before }
        step.increment = .gauge(value)
        step.state.reading = .sum(value, isMonotonic: false)
        return step
    }

    private func add(_ observation: ReceivedObservation, at time: Timestamp) {
        let type = observation.descriptor.type
        guard type != .counter || observation.sum >= 0 else {
            return aggregator.reject(.negativeIncrement, metric: observation.descriptor.name)
        }
        do throws(MetricError) {
            let place = try series.place(observation.descriptor, labels: observation.labels)
            var delta = SeriesDelta(
                series: place.series,
                sum: observation.sum,
                count: observation.count,
                time: time,
                buckets: observation.counts(by: place.bounds),
                type: type,
                values: observation.values
            )
            delta.sketch = observation.sketch
            deltas.append(delta)
        } catch {
            aggregator.reject(error.code, metric: error.metric)
        }
    }

    private func remember(_ id: UInt64, _ state: CumulativeToDelta.State, _ receivedAt: Timestamp) {
        if streams[id]?.ticket != Stream.pending { changed.append(id) }
        set(id, Stream(state: state, receivedAt: receivedAt, ticket: Stream.pending))
    }

    private func set(_ id: UInt64, _ stream: Stream) {
        if let old = streams.updateValue(stream, forKey: id) { bytes -= old.bytes }
        bytes += stream.bytes
    }
}
