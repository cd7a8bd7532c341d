import NightjarSignals
import Synchronization

/// The metrics of the process by name, and the label policies over them. Safe to use from any thread; workers look an
/// instrument up once and keep its id.
package final class MetricRegistry: Sendable {
    /// More names are refused: a script that makes names from data would fill the store.
    package static let nameLimit = 10_000

    private struct State {
        var instruments: [InstrumentDescriptor] = []
        var byName: [String: Int32] = [:]
        var policies: [String: [String: LabelPolicy]] = [:]
    }

    private let state = Mutex(State())
    /// Counts changes of policies, so that workers know when to look again.
    private let generation = Atomic<Int>(0)

    /// A registry without metrics.
    package init() {}

    /// The id of a metric, declared on the spot if its name is new. Help, unit and buckets of the first that gave any stay.
    /// - Throws: ``MetricError`` when the name is invalid, in use with another type, or one too many.
    package func instrument(_ descriptor: InstrumentDescriptor) throws(MetricError) -> InstrumentID {
        let result: Result<InstrumentID, MetricError> = state.withLock { state in
            if let error = Self.conflict(descriptor, in: state) { return .failure(error) }
            if let index = state.byName[descriptor.name] {
                let place = Int(index)
                if state.instruments[place].help.isEmpty { state.instruments[place].help = descriptor.help }
                if state.instruments[place].unit.isEmpty { state.instruments[place].unit = descriptor.unit }
                return .success(InstrumentID(index: index))
            }
            let index = Int32(state.instruments.count)
            state.instruments.append(descriptor)
            state.byName[descriptor.name] = index
            return .success(InstrumentID(index: index))
        }
        return try result.get()
    }

    /// Why a metric cannot be declared, nil where it can: what a plugin's loader asks before its version goes live.
    package func conflict(_ descriptor: InstrumentDescriptor) -> MetricError? {
        state.withLock { Self.conflict(descriptor, in: $0) }
    }

    private static func conflict(_ descriptor: InstrumentDescriptor, in state: State) -> MetricError? {
        guard isMetricName(descriptor.name) else {
            return MetricError(
                code: .invalidName,
                metric: descriptor.name,
                detail: "not a metric name; use letters, digits, _ and :, not starting with a digit"
            )
        }
        guard let index = state.byName[descriptor.name] else {
            guard state.instruments.count >= nameLimit else { return nil }
            return MetricError(
                code: .tooManyNames,
                metric: descriptor.name,
                detail: "there are \(nameLimit) metric names already; put what varies into labels"
            )
        }
        let present = state.instruments[Int(index)]
        guard present.type != descriptor.type else { return nil }
        return MetricError(
            code: .typeConflict,
            metric: descriptor.name,
            detail:
                "is a \(present.type.rawValue) already, not a \(descriptor.type.rawValue); use another name"
        )
    }

    /// What an id stands for.
    package func descriptor(_ id: InstrumentID) -> InstrumentDescriptor {
        state.withLock { $0.instruments[Int(id.index)] }
    }

    /// Sets the label policies of one source (configuration, or a plugin), replacing what it had set; the metric `*` is all.
    package func setPolicies(_ policies: [String: LabelPolicy], source: String) {
        state.withLock { $0.policies[source] = policies.isEmpty ? nil : policies }
        generation.wrappingAdd(1, ordering: .releasing)
    }

    /// The number of policy changes so far.
    package var policyGeneration: Int { generation.load(ordering: .acquiring) }

    /// The policy of a metric: those of all sources together.
    package func policy(of metric: String) -> LabelPolicy {
        state.withLock { state in
            var policy = LabelPolicy()
            for policies in state.policies.values {
                if let all = policies["*"] { policy = policy.combined(with: all) }
                if let own = policies[metric] { policy = policy.combined(with: own) }
            }
            return policy
        }
    }
}
