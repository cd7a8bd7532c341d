import NightjarBus
import NightjarOTLP
import NightjarSignals
import NightjarStore

/// Events that were made in this process or posted as such, in the form that the journal keeps and workers take. Events of one
/// trace keep their order; between traces there is none to keep, so that spans of many travel, and are decoded, together.
struct EventBatch: Sendable {
    /// What goes to workers at once.
    enum Part: Sendable {
        /// Spans of some traces; their chunks lie next to each other among the batch's, from `first` on.
        case spans(TraceRequest, [TraceChunk], first: Int)
        /// Logs and metrics of one trace, or of none; the place of their chunk among the batch's.
        case events([SignalEvent], partition: Int, chunk: Int)
        /// A score or feedback; its place among the batch's of its kind.
        case annotation(Annotation, place: Int)
    }

    private(set) var parts: [Part] = []
    /// What the journal keeps of the parts; empty where nothing is stored.
    private(set) var chunks: [JournalChunk] = []
    private(set) var scores: [Score] = []
    private(set) var feedback: [Feedback] = []
    /// Spans that are too large to be taken.
    private(set) var rejected: [SignalEvent] = []
    /// Events that only go out, and were left out.
    private(set) var ignored = 0
    private let isStored: Bool

    /// Events of one trace and kind that nothing else of the trace comes between.
    private struct Run {
        enum Kind: Equatable {
            case spans
            case others
            /// A score or feedback, and its place among those of its kind.
            case annotation(place: Int)
        }

        let trace: TraceID?
        let kind: Kind
        var events: [SignalEvent]
    }

    /// `isStored`: whether there is a journal, whose form costs more than all else.
    /// - Throws: ``OTLPError`` where a span cannot be written, which is a fault of this program.
    init(
        _ events: [SignalEvent],
        receivedAt: Timestamp,
        workers: Int,
        isStored: Bool
    ) throws(OTLPError) {
        self.isStored = isStored
        for step in gathered(events) {
            let spans = step.filter { $0.kind == .spans }.map(\.events)
            if !spans.isEmpty { try append(spans, receivedAt, workers) }
            for run in step {
                switch (run.kind, run.events[0]) {
                case (.annotation(let place), .score(let score)):
                    parts.append(.annotation(.score(score), place: place))
                case (.annotation(let place), .feedback(let item)):
                    parts.append(.annotation(.feedback(item), place: place))
                case (.others, _): append(run.events, of: run.trace)
                default: break
                }
            }
        }
    }

    /// The runs by steps: of a trace, the first of its runs is in the first step, the second in the second. What belongs to no
    /// trace comes behind all that was there before it.
    private mutating func gathered(_ events: [SignalEvent]) -> [[Run]] {
        var steps: [[Run]] = []
        var last: [TraceID?: (step: Int, place: Int)] = [:]
        func add(_ event: SignalEvent, _ kind: Run.Kind, isGathered: Bool = false) {
            let trace = event.traceID
            let own = last[trace]
            if let own, isGathered, steps[own.step][own.place].kind == kind,
                trace != nil || own.step == steps.count - 1
            {
                return steps[own.step][own.place].events.append(event)
            }
            let next = own.map { $0.step + 1 } ?? 0
            let step = trace == nil ? max(min(next, steps.count), steps.count - 1) : next
            if step == steps.count { steps.append([]) }
            last[trace] = (step, steps[step].count)
            steps[step].append(Run(trace: trace, kind: kind, events: [event]))
        }
        for event in events {
            switch event {
            case .drop, .traceEnded: ignored += 1
            case .score(let score):
                add(event, .annotation(place: scores.count))
                scores.append(score)
            case .feedback(let item):
                add(event, .annotation(place: feedback.count))
                feedback.append(item)
            default: add(event, event.signal == .tracing ? .spans : .others, isGathered: true)
            }
        }
        return steps
    }

    /// Appends spans of some traces, those of one trace together.
    private mutating func append(
        _ runs: [[SignalEvent]],
        _ receivedAt: Timestamp,
        _ workers: Int
    ) throws(OTLPError) {
        let spans = runs.joined().compactMap { event in
            event.span.map { (span: $0, hasEnded: event.hasEnded) }
        }
        let request = try TraceRequest.decode(
            Payload(SpanEncoder.request(spans)),
            encoding: .protobuf,
            receivedAt: receivedAt,
            workers: workers
        )
        if request.rejected > 0 {
            // Which ones is found out alone.
            guard spans.count == 1 else {
                for event in runs.joined() { try append([[event]], receivedAt, workers) }
                return
            }
            rejected += runs.joined()
        }
        guard request.spanCount > 0 else { return }
        let own = isStored ? request.chunks() : []
        parts.append(.spans(request, own, first: chunks.count))
        chunks += own.map(JournalChunk.init)
    }

    private mutating func append(_ events: [SignalEvent], of trace: TraceID?) {
        parts.append(.events(events, partition: trace.map(Partition.of) ?? 0, chunk: chunks.count))
        guard isStored else { return }
        chunks.append(
            JournalChunk(eventsOf: trace, count: events.count, payload: EventLines.encode(events))
        )
    }
}

extension SignalEvent {
    /// Whether a tracing event tells of an end.
    var hasEnded: Bool {
        switch self {
        case .spanEnded: true
        case .spanUpdated(let span): span.endTime != nil || span.isEvent
        default: false
        }
    }
}

/// Logs and metrics as the journal keeps them: one JSON object a line.
enum EventLines {
    /// The lines; an observation that has no JSON form is left out, for it adds to nothing but the count of refusals.
    static func encode(_ events: [SignalEvent]) -> [UInt8] {
        var writer = JSONWriter()
        for event in events {
            if case .metric(let metric) = event, !metric.value.isFinite { continue }
            writer.write(event.json)
            writer.newline()
        }
        return writer.bytes
    }

    /// The events of lines that `encode` wrote, and of each line that cannot be read why.
    static func decode(_ bytes: [UInt8], now: Timestamp) -> (events: [SignalEvent], faults: [String]) {
        var events: [SignalEvent] = []
        var faults: [String] = []
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (number, line) in lines.enumerated() where line.contains(where: { $0 > 0x20 }) {
            do {
                let value = try Value(jsonBytes: Array(line))
                events.append(try SignalEvent(json: value, now: now, path: "line \(number + 1)"))
            } catch {
                faults.append("line \(number + 1): \(error)")
            }
        }
        return (events, faults)
    }
}
