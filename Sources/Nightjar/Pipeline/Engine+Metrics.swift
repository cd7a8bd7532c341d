package import NightjarBus
import NightjarSignals
import NightjarStore

extension Engine {
    /// What a metric was; nil where nothing is stored. Reads on a queue of its own.
    /// - Throws: ``MetricQueryError`` that says what to write instead, or ``StoreError``.
    package func metric(_ query: MetricQuery) async throws -> MetricAnswer? {
        guard let store else { return nil }
        let now = clock.now()
        guard let instrument = registry.descriptor(named: query.name) else { throw unknownMetric(query.name) }
        let plan = try MetricPlan(query, instrument, now: now)
        return try await reads.run { try store.metric(plan, now: now) }
    }

    /// The traces that the numbers of `/metrics` come from, since they were first asked for.
    package var exemplars: Exemplars { ledger.exemplars }

    private func unknownMetric(_ name: String) -> MetricQueryError {
        let known = registry.resolvedDescriptors.map(\.shownName)
        var near = nearestName(to: name, among: known).map { [$0] } ?? []
        near += known.filter { !name.isEmpty && $0.contains(name) && !near.contains($0) }
        let cure =
            near.isEmpty
            ? "GET /api/metrics lists those that there are"
            : "did you mean \(near.prefix(3).joined(separator: ", "))?"
        return MetricQueryError(isUnknownMetric: true, "there is no metric \(name); \(cure)")
    }
}
