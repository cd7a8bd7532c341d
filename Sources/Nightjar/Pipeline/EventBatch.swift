import NightjarBus
import NightjarOTLP
import NightjarSignals
import NightjarStore

/// Events that were made in this process or posted as such, in the form that the journal keeps and workers take. Events of one
/// trace keep their order: each run of spans, and each run of logs and metrics, is a part of its own.
struct EventBatch: Sendable {
    /// What goes to a worker as one item.
    enum Part: Sendable {
        /// Spans of one trace; the place of their chunk among the batch's.
        case spans(TraceRequest, trace: TraceID, chunk: Int)
        /// Logs and metrics of one trace, or of none; the place of their chunk among the batch's.
        case events([SignalEvent], partition: Int, chunk: Int)
        /// A score or feedback; its place among the batch's of its kind.
        case annotation(Annotation, place: Int)
    }

    private(set) var parts: [Part] = []
    private(set) var chunks: [JournalChunk] = []
    private(set) var scores: [Score] = []
    private(set) var feedback: [Feedback] = []
    /// Spans that are too large to be taken.
    private(set) var rejected: [SignalEvent] = []
    /// Events that only go out, and were left out.
    private(set) var ignored = 0

    /// Neighbouring events of one trace and kind.
    private struct Run {
        let trace: TraceID?
        let isSpans: Bool
        var events: [SignalEvent]
    }

    /// - Throws: ``OTLPError`` where a span cannot be written, which is a fault of this program.
    init(_ events: [SignalEvent], receivedAt: Timestamp, workers: Int) throws(OTLPError) {
        for run in gathered(events) {
            if run.isSpans, let trace = run.trace {
                try append(spans: run.events, of: trace, receivedAt, workers)
            } else if !run.events.isEmpty {
                append(run)
            }
        }
    }

    /// The runs in the order of their first events. Between traces there is no order to keep.
    private mutating func gathered(_ events: [SignalEvent]) -> [Run] {
        var runs: [Run] = []
        var open: [TraceID?: Int] = [:]
        for event in events {
            switch event {
            case .drop, .traceEnded: ignored += 1
            case .score, .feedback:
                open[event.traceID] = nil
                runs.append(Run(trace: event.traceID, isSpans: false, events: [event]))
            default:
                let isSpans = event.signal == .tracing
                if let place = open[event.traceID], runs[place].isSpans == isSpans {
                    runs[place].events.append(event)
                } else {
                    open[event.traceID] = runs.count
                    runs.append(Run(trace: event.traceID, isSpans: isSpans, events: [event]))
                }
            }
        }
        return runs
    }

    private mutating func append(
        spans events: [SignalEvent],
        of trace: TraceID,
        _ receivedAt: Timestamp,
        _ workers: Int
    ) throws(OTLPError) {
        let spans = events.compactMap { event in
            event.span.map { (span: $0, hasEnded: event.hasEnded) }
        }
        let payload = Payload(SpanEncoder.request(spans))
        let request = try TraceRequest.decode(
            payload,
            encoding: .protobuf,
            receivedAt: receivedAt,
            workers: workers
        )
        if request.rejected > 0 { rejected += events }
        guard request.spanCount > 0 else { return }
        for chunk in request.chunks() {
            parts.append(.spans(request, trace: trace, chunk: chunks.count))
            chunks.append(JournalChunk(chunk))
        }
    }

    private mutating func append(_ run: Run) {
        switch run.events[0] {
        case .score(let score):
            parts.append(.annotation(.score(score), place: scores.count))
            scores.append(score)
        case .feedback(let item):
            parts.append(.annotation(.feedback(item), place: feedback.count))
            feedback.append(item)
        default:
            let partition = run.trace.map(Partition.of) ?? 0
            parts.append(.events(run.events, partition: partition, chunk: chunks.count))
            chunks.append(
                JournalChunk(
                    eventsOf: run.trace,
                    count: run.events.count,
                    payload: EventLines.encode(run.events)
                )
            )
        }
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
