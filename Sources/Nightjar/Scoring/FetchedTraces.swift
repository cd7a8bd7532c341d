package import NightjarBus
package import NightjarSignals
package import NightjarStore

/// What rules may look up where traces are fetched one by one: what was said of the trace at hand. Safe to use from any thread.
package final class FetchedTraces: StoredTraces {
    private let current = LockedValue<StoredTrace?>(nil)
    private let plugins: Set<String>

    /// Nothing at hand. What the plugins of these names said before is left out: they are about to say it anew.
    package init(without plugins: Set<String>) { self.plugins = plugins }

    /// Goes on to a trace.
    package func turn(to trace: StoredTrace) { current.update { $0 = trace } }

    /// Nothing but the trace at hand is known, and that the worker has.
    package func trace(_ id: TraceID) -> TraceRecord? { nil }

    /// As above.
    package func chunks(of trace: TraceID) -> [StoredChunk] { [] }

    /// The scores of the trace at hand.
    package func scores(of trace: TraceID) -> [ScoreRecord] {
        said(of: trace, \.scores, \.metadata).map { ScoreRecord(score: $0, createdAt: $0.timestamp) }
    }

    /// The feedback on the trace at hand.
    package func feedback(of trace: TraceID) -> [FeedbackRecord] {
        said(of: trace, \.feedback, \.metadata).map { FeedbackRecord(feedback: $0, createdAt: $0.timestamp) }
    }

    /// The logs of the trace at hand.
    package func logs(of trace: TraceID) -> [LogRecord] {
        said(of: trace, \.logs, \.metadata).enumerated().map {
            LogRecord(id: Int64($0.offset), log: $0.element, createdAt: $0.element.timestamp)
        }
    }

    private func said<Signal>(
        of trace: TraceID,
        _ signals: (StoredTrace) -> [Signal],
        _ metadata: (Signal) -> Value.Object
    ) -> [Signal] {
        guard let known = current.value, known.target.id == trace else { return [] }
        return signals(known).filter { signal in
            metadata(signal)["plugin"]?.string.map { !plugins.contains(pluginName($0)) } ?? true
        }
    }
}
