import NightjarBus
import NightjarOTLP
import NightjarPlugins
package import NightjarSignals
package import NightjarStore

/// The receive clock of a run over what is stored: the time at which the event at hand was received. It never goes back. Safe
/// to use from any thread.
package final class StoredClock: PipelineClock {
    private let time = LockedValue(Timestamp(unixNano: 0))

    /// A clock that no event has turned yet.
    package init() {}

    /// When the event at hand was received.
    package func now() -> Timestamp { time.value }

    /// Goes on to the receipt of an event.
    package func turn(to receivedAt: Timestamp) { time.update { $0 = max($0, receivedAt) } }
}

extension RecordedRun {
    /// What is due at the clock's time: traces end, timers fire.
    package func advance() {
        core.advance(now: clock.now())
        settle()
    }

    /// Takes a stored part of a trace in; its receipt is the clock's time.
    /// - Throws: ``InputFault`` where it cannot be read; nothing of it is taken then.
    package func add(_ chunk: StoredChunk) throws(InputFault) {
        do {
            add(try StoredTraceSource.request(chunk), sequence: chunk.sequence)
            settle()
        } catch {
            throw InputFault(description: "chunk \(chunk.sequence) of trace \(name(chunk.traceID)): \(error)")
        }
    }

    /// Takes events in that were received at the clock's time. What the plugins named said when they ran live is left out, for
    /// they say it anew; so are verdicts that the run has found in spans itself.
    /// - Throws: ``InputFault`` where one cannot be written; nothing of them is taken then.
    package func add(_ events: [SignalEvent], without plugins: Set<String> = []) throws(InputFault) {
        let fresh = events.filter { event in
            if case .score(let score) = event, scoreIDs.contains(score.id) { return false }
            return event.plugin.map { !plugins.contains($0) } ?? true
        }
        do {
            try add(fresh, clock.now())
            settle()
        } catch {
            throw InputFault(description: "\(error)")
        }
    }

    /// Ends a trace, as if nothing more of it could come, and forgets it. No other trace may be under way.
    package func end(_ trace: TraceID) {
        finish()
        core.handle(.forget(trace), now: clock.now())
        core.forget(committed: .max)
    }

    /// Takes a whole trace in with what was said of it, received at the clock's time, and ends it.
    /// - Throws: ``InputFault`` where its spans cannot be read.
    package func add(_ trace: StoredTrace, without plugins: Set<String>) throws(InputFault) {
        do {
            add(try trace.slabs())
        } catch {
            throw InputFault(description: "trace \(trace.target.id): \(error)")
        }
        try add(trace.annotations, without: plugins)
        end(trace.target.id)
    }

    /// Takes the spans of a trace in, received at the clock's time.
    func add(_ slabs: [Slab]) {
        spanCount += slabs.reduce(0) { $0 + $1.count }
        core.handle(.spans(slabs, known: [], sequence: 0, sequences: [:]), now: clock.now())
        settle()
    }

    /// The scores since the last call.
    package func takeScores() -> [Score] {
        defer { scores = [] }
        return scores
    }

    /// What was logged since the last call.
    package func takeLogs() -> [Log] {
        defer { logs = [] }
        return logs
    }

    private func settle() {
        collect()
        core.forget(committed: .max)
    }

    private func name(_ trace: TraceID?) -> String { trace.map(\.description) ?? "none" }
}

extension SignalEvent {
    /// The plugin that said it; nil where none did. Scores and feedback name its version too.
    fileprivate var plugin: String? {
        let metadata: Value.Object? =
            switch self {
            case .log(let log): log.metadata
            case .score(let score): score.metadata
            case .feedback(let feedback): feedback.metadata
            default: nil
            }
        return metadata?["plugin"]?.string.map(pluginName)
    }
}

/// The plugin's name in NAME or NAME@VERSION.
func pluginName(_ signature: String) -> String {
    String(signature.prefix { $0 != "@" })
}

/// Reads traces back from where they are stored.
final class StoredTraceSource: TraceSource {
    private let stored: any StoredTraces

    init(stored: any StoredTraces) { self.stored = stored }

    func recall(_ trace: TraceID, before sequence: Int64) -> RecalledTrace? {
        // What cannot be read now is not known now; whoever reads the entries meets the same failure and tells it.
        guard let record = try? stored.trace(trace), let chunks = try? stored.chunks(of: trace) else {
            return nil
        }
        let slabs = chunks.filter { $0.sequence < sequence }.flatMap(Self.slabs)
        return slabs.isEmpty ? nil : RecalledTrace(record: record, slabs: slabs)
    }

    /// The spans of a chunk; none where it cannot be read.
    static func slabs(_ chunk: StoredChunk) -> [Slab] {
        // As above: the chunk is refused, and told of, when it is taken in itself.
        (try? request(chunk).slabs.map(\.slab)) ?? []
    }

    static func request(_ chunk: StoredChunk) throws(OTLPError) -> TraceRequest {
        try TraceRequest.decode(
            Payload(chunk.payload),
            encoding: .protobuf,
            receivedAt: chunk.receivedAt,
            workers: 1,
            limits: .taken
        )
    }
}

/// What is stored, without what some plugins said: they are about to say it anew.
struct TracesWithoutPlugins: StoredTraces {
    let base: any StoredTraces
    let plugins: Set<String>

    func trace(_ id: TraceID) throws(StoreError) -> TraceRecord? { try base.trace(id) }

    func chunks(of trace: TraceID) throws(StoreError) -> [StoredChunk] { try base.chunks(of: trace) }

    func scores(of trace: TraceID) throws(StoreError) -> [ScoreRecord] {
        try base.scores(of: trace).filter { isOfOthers($0.score.metadata) }
    }

    func feedback(of trace: TraceID) throws(StoreError) -> [FeedbackRecord] {
        try base.feedback(of: trace).filter { isOfOthers($0.feedback.metadata) }
    }

    func logs(of trace: TraceID) throws(StoreError) -> [LogRecord] {
        try base.logs(of: trace).filter { isOfOthers($0.log.metadata) }
    }

    private func isOfOthers(_ metadata: Value.Object) -> Bool {
        metadata["plugin"]?.string.map { !plugins.contains(pluginName($0)) } ?? true
    }
}
