public import NightjarSignals

extension RecordedTrace {
    /// The trace that events tell of: of each span its end, or the last that was told of it; of scores and feedback of one id
    /// the last. Without `traceID` it is the trace of the first span. Nil where there is no span of it.
    public init?(events: some Sequence<SignalEvent>, traceID: TraceID? = nil, annotator: Annotator? = nil) {
        var told = ToldTrace(traceID)
        for event in events { told.add(event) }
        guard let id = told.traceID else { return nil }
        self.init(
            traceID: id,
            spans: told.spans,
            scores: told.scores,
            feedback: told.feedback,
            logs: told.logs,
            annotator: annotator
        )
    }

    /// The trace in what the JSON exporter wrote: one event a line; empty lines are passed over.
    /// - Throws: `InputErrors` with the number of the line and the place in it; nil where there is no span of the trace.
    public init?(
        lines: some StringProtocol,
        traceID: TraceID? = nil,
        annotator: Annotator? = nil
    ) throws(InputErrors) {
        var events: [SignalEvent] = []
        for (number, line) in lines.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            guard line.contains(where: { !$0.isWhitespace }) else { continue }
            let place = "line \(number + 1)"
            let value: Value
            do throws(JSONError) {
                value = try Value(json: String(line))
            } catch {
                throw InputErrors([InputError(path: place, message: "is not JSON: \(error)")])
            }
            events.append(try SignalEvent(json: value, now: Timestamp(unixNano: 0), path: place))
        }
        self.init(events: events, traceID: traceID, annotator: annotator)
    }
}

/// What events tell of one trace.
private struct ToldTrace {
    private(set) var traceID: TraceID?
    private(set) var spans: [Span] = []
    private(set) var scores: [Score] = []
    private(set) var feedback: [Feedback] = []
    private(set) var logs: [Log] = []
    private var places: [SpanID: Int] = [:]

    init(_ traceID: TraceID?) { self.traceID = traceID }

    mutating func add(_ event: SignalEvent) {
        if traceID == nil, event.span != nil { traceID = event.traceID }
        guard event.traceID == traceID else { return }
        switch event {
        case .spanStarted(let span), .spanUpdated(let span), .spanEnded(let span): add(span)
        case .log(let log): logs.append(log)
        case .score(let score):
            scores.removeAll { $0.id == score.id }
            scores.append(score)
        case .feedback(let item):
            feedback.removeAll { $0.id == item.id }
            feedback.append(item)
        case .metric, .drop, .traceEnded: break
        }
    }

    private mutating func add(_ span: Span) {
        guard let place = places[span.id] else {
            places[span.id] = spans.count
            spans.append(span)
            return
        }
        // A start that comes after the end tells nothing.
        if spans[place].status != .running, span.status == .running { return }
        spans[place] = span
    }
}
