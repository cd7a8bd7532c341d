import NightjarBus
package import NightjarPlugins
package import NightjarSignals

extension Engine {
    /// What every plugin rule did for a trace, or would do with it as it is stored; nil for a trace that is neither stored nor
    /// remembered. Blocks while the store is read.
    /// - Throws: ``StoreError`` when the store cannot be read.
    package func explanations(of id: TraceID) throws -> [RuleExplanation]? {
        let trace = try storedTrace(id)
        guard trace != nil || plugins?.runs(of: id).isEmpty == false else { return nil }
        // The rows' inherited names are the trace's: it has to outlive them.
        return withExtendedLifetime(trace) {
            let explained = trace.map {
                ExplainedTrace(view: $0.view(), isOpen: $0.record.isOpen, pending: $0.record.pending)
            }
            return plugins?.explanations(of: id, in: explained, reader: reader) ?? []
        }
    }
}
