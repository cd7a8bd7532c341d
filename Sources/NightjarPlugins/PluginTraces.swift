package import NightjarBus
package import NightjarSignals

/// Where rules find traces that they ask for by id, and what was said of them. Called on the worker's thread, within a rule's
/// call: an answer must come soon.
package protocol PluginTraces {
    /// A trace as it is known now; nil where it is not known.
    func trace(_ id: TraceID) -> TraceView?
    /// The scores, the feedback or the logs of a trace, the oldest first; bounded.
    func events(of id: TraceID, _ signal: Signal) -> [SignalEvent]
    /// Reads spans of a trace with the content that came in log records; nil where none did.
    func joinedReader(of id: TraceID) -> (any SpanReader)?
}

extension PluginTraces {
    /// Nothing came in log records.
    package func joinedReader(of id: TraceID) -> (any SpanReader)? { nil }
}
