/// What a worker remembers of metrics, so that a new series does not ask for all of it again: what their policies come to until
/// those change, and how they are declared. Belongs to one worker.
final class KnownMetrics {
    /// A metric.
    final class Metric {
        let name: String
        let rules: LabelFilter.Rules
        fileprivate var descriptor: InstrumentDescriptor
        /// What the registry's count of changes was before the descriptor was asked for.
        fileprivate var declarations: Int

        fileprivate init(_ rules: LabelFilter.Rules, _ descriptor: InstrumentDescriptor, _ declarations: Int)
        {
            (name, self.rules) = (descriptor.name, rules)
            (self.descriptor, self.declarations) = (descriptor, declarations)
        }
    }

    private let registry: MetricRegistry
    private let filter: LabelFilter
    private var metrics: [Metric?] = []

    init(_ registry: MetricRegistry, _ filter: LabelFilter) {
        self.registry = registry
        self.filter = filter
    }

    /// What there is to know of a metric. It is remembered where policies are still those of `generation`.
    func known(_ instrument: InstrumentID, generation: Int) -> Metric {
        let place = Int(instrument.index)
        let isCurrent = registry.policyGeneration == generation
        if isCurrent, place < metrics.count, let known = metrics[place] { return known }
        let declarations = registry.declarationGeneration
        let descriptor = registry.resolvedDescriptor(instrument)
        let policy = filter.policy(of: descriptor.name, registry.policy(of: descriptor.name))
        let known = Metric(filter.rules(policy), descriptor, declarations)
        guard isCurrent else { return known }
        while metrics.count <= place { metrics.append(nil) }
        metrics[place] = known
        return known
    }

    /// A metric as it is declared now, with the bounds of a histogram's buckets.
    func descriptor(of instrument: InstrumentID) -> InstrumentDescriptor {
        let place = Int(instrument.index)
        let declarations = registry.declarationGeneration
        guard place < metrics.count, let known = metrics[place] else {
            return registry.resolvedDescriptor(instrument)
        }
        guard known.declarations != declarations else { return known.descriptor }
        let descriptor = registry.resolvedDescriptor(instrument)
        (known.descriptor, known.declarations) = (descriptor, declarations)
        return descriptor
    }

    /// Forgets everything: policies have changed.
    func forget() { metrics.removeAll() }
}
