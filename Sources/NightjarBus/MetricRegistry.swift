import NightjarSignals
import Synchronization

/// The metrics of the process by name, and the label policies over them. Safe to use from any thread; workers look an
/// instrument up once and keep its id.
package final class MetricRegistry: Sendable {
    /// More names of one origin are refused: a script that makes names from data would fill the store.
    package static let nameLimit = 10_000

    private struct State {
        var instruments: [InstrumentDescriptor] = []
        /// Who declared buckets or a range for each instrument.
        var shapers: [Set<String>] = []
        var byName: [String: Int32] = [:]
        /// How many names there are of each origin.
        var names: [MetricOrigin: Int] = [:]
        var policies: [String: [String: LabelPolicy]] = [:]
        var buckets = BucketConfiguration()
    }

    private let state = Mutex(State())
    /// Counts changes of policies and buckets, so that workers know when to look again.
    private let generation = Atomic<Int>(0)
    /// Counts changes of what was declared; those of a metric are seen by whoever has seen their count.
    private let declared = Atomic<Int>(0)

    /// A registry without metrics.
    package init() {}

    /// The id of a metric, declared on the spot if its name is new. Help and unit of the first that gave any stay; buckets are
    /// those that `source` (a plugin's name) declared last, and new ones start new histograms; of a received metric the first.
    /// - Throws: ``MetricError`` when the name is invalid, in use with another type, or one too many, or when the buckets are
    ///   invalid or not those of another source.
    package func instrument(
        _ descriptor: InstrumentDescriptor,
        source: String = ""
    ) throws(MetricError) -> InstrumentID {
        let result: Result<InstrumentID, MetricError> = state.withLock { state in
            if let error = Self.conflict(descriptor, source, in: state) { return .failure(error) }
            guard let index = state.byName[descriptor.name] else {
                let index = Int32(state.instruments.count)
                state.instruments.append(descriptor)
                state.shapers.append(descriptor.hasShape ? [source] : [])
                state.byName[descriptor.name] = index
                state.names[descriptor.origin, default: 0] += 1
                return .success(InstrumentID(index: index))
            }
            let place = Int(index)
            let before = state.instruments[place]
            // Under the lock: who reads what is new reads its count too.
            defer {
                if state.instruments[place] != before { declared.wrappingAdd(1, ordering: .releasing) }
            }
            if state.instruments[place].help.isEmpty { state.instruments[place].help = descriptor.help }
            if state.instruments[place].unit.isEmpty { state.instruments[place].unit = descriptor.unit }
            if descriptor.hasShape {
                state.shapers[place].insert(source)
                if !state.instruments[place].hasShape(of: descriptor) {
                    state.instruments[place].buckets = descriptor.buckets
                    state.instruments[place].range = descriptor.range
                    generation.wrappingAdd(1, ordering: .releasing)
                }
            } else if descriptor.origin == .otlp, state.instruments[place].buckets == nil {
                state.instruments[place].buckets = descriptor.buckets
            }
            return .success(InstrumentID(index: index))
        }
        return try result.get()
    }

    /// Why a metric cannot be declared, nil where it can: what a plugin's loader asks before its version goes live.
    package func conflict(_ descriptor: InstrumentDescriptor, source: String = "") -> MetricError? {
        state.withLock { Self.conflict(descriptor, source, in: $0) }
    }

    private static func conflict(
        _ descriptor: InstrumentDescriptor,
        _ source: String,
        in state: State
    ) -> MetricError? {
        func error(_ code: MetricError.Code, _ detail: String) -> MetricError {
            MetricError(code: code, metric: descriptor.name, detail: detail)
        }
        guard descriptor.hasValidName else {
            return error(
                .invalidName,
                "not a metric name; use letters, digits, _ and :, not starting with a digit"
            )
        }
        if descriptor.hasShape, let fault = HistogramBuckets.fault(in: descriptor) {
            return error(.invalidBuckets, fault)
        }
        guard let index = state.byName[descriptor.name] else {
            guard state.names[descriptor.origin, default: 0] >= nameLimit else { return nil }
            return error(
                .tooManyNames,
                "there are \(nameLimit) metric names already; put what varies into labels"
            )
        }
        let present = state.instruments[Int(index)]
        guard present.type == descriptor.type else {
            return error(
                .typeConflict,
                "is a \(present.type.rawValue) already, not a \(descriptor.type.rawValue); use another name"
            )
        }
        guard descriptor.hasShape, !present.hasShape(of: descriptor),
            let other = state.shapers[Int(index)].subtracting([source]).min()
        else { return nil }
        return error(.invalidBuckets, "has other buckets in \(other.isEmpty ? "the host" : other) already")
    }

    /// Lets others change what a source declared: when its plugin has gone. Its buckets stay until then.
    package func withdraw(source: String) {
        state.withLock { state in
            for place in state.shapers.indices { state.shapers[place].remove(source) }
        }
    }

    /// Sets the buckets of `metrics.buckets`; those that change start new histograms.
    /// - Throws: ``MetricError`` that names the entry, when its bounds are invalid; nothing is set then.
    package func setBuckets(_ configuration: BucketConfiguration) throws(MetricError) {
        for (name, bounds) in configuration.bounds.sorted(by: { $0.key < $1.key }) {
            guard let fault = HistogramBuckets.fault(in: bounds) else { continue }
            throw MetricError(code: .invalidBuckets, metric: name, detail: fault)
        }
        state.withLock {
            $0.buckets = configuration
            declared.wrappingAdd(1, ordering: .releasing)
        }
        generation.wrappingAdd(1, ordering: .releasing)
    }

    /// What an id stands for.
    package func descriptor(_ id: InstrumentID) -> InstrumentDescriptor { declaration(id).descriptor }

    /// The metric of a name, whether it is the one that people know it by or the one that it is stored under; of two the one
    /// that is made here. Nil where there is none.
    package func descriptor(named name: String) -> InstrumentDescriptor? {
        let received = InstrumentDescriptor.received(name, type: .gauge).name
        return state.withLock { state in
            (state.byName[name] ?? state.byName[received]).map { state.instruments[Int($0)] }
        }
    }

    /// What an id stands for, and the buckets that users set.
    func declaration(_ id: InstrumentID) -> (descriptor: InstrumentDescriptor, buckets: BucketConfiguration) {
        state.withLock { ($0.instruments[Int(id.index)], $0.buckets) }
    }

    /// Every metric that was declared, and the buckets that users set.
    var declarations: (descriptors: [InstrumentDescriptor], buckets: BucketConfiguration) {
        state.withLock { ($0.instruments, $0.buckets) }
    }

    /// Sets the label policies of one source (configuration, or a plugin), replacing what it had set; the metric `*` is all.
    package func setPolicies(_ policies: [String: LabelPolicy], source: String) {
        state.withLock { $0.policies[source] = policies.isEmpty ? nil : policies }
        generation.wrappingAdd(1, ordering: .releasing)
    }

    /// The number of changes of policies and buckets so far.
    package var policyGeneration: Int { generation.load(ordering: .acquiring) }

    /// The number of changes of declarations so far, and of buckets.
    var declarationGeneration: Int { declared.load(ordering: .acquiring) }

    /// The policy of a metric: those of all sources together.
    package func policy(of metric: String) -> LabelPolicy {
        state.withLock { state in
            state.policies.values.reduce(LabelPolicy()) { $0.combined(with: $1, of: metric) }
        }
    }
}

extension InstrumentDescriptor {
    /// Whether it decides about a histogram's buckets; what is received never changes those that there are.
    fileprivate var hasShape: Bool {
        type == .histogram && origin == .nightjar && (buckets != nil || range != nil)
    }

    fileprivate func hasShape(of other: InstrumentDescriptor) -> Bool {
        buckets == other.buckets && (buckets != nil || range == other.range)
    }
}
