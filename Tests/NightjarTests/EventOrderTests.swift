import Nightjar
import NightjarBus
import NightjarSignals
import Testing

/// The order in which handlers get what a program emits (signals contract, section 12).
struct EventOrderTests {
    @Test
    func `of each trace every handler gets all kinds of events in the order in which they were emitted`()
        async throws
    {
        try await Program.run { program in
            let seen = Locked<[SignalEvent]>([])
            let subscription = program.observability.bus.subscribe(
                "watcher",
                to: [.tracing, .log, .score, .feedback]
            ) { event in seen.update { $0.append(event) } }
            defer { subscription.cancel() }
            var emitted: [TraceID: [String]] = [:]
            let runs = (0..<5).map { number in
                let run = program.observability.startSpan("run \(number)", type: .agentRun, parent: .none)
                emitted[run.traceID] = ["span_started run \(number)"]
                return run
            }
            for step in 0..<4 {
                // In between what belongs to no trace.
                program.observability.logger.info("pause \(step)")
                for run in runs {
                    let call = run.startSpan("call \(step)", type: .toolCall)
                    run.logger.info("line \(step)")
                    try call.addScore(ScoreInput(scorerName: "tone \(step)", score: 1))
                    try call.addFeedback(
                        FeedbackInput(source: "user", feedbackType: "thumbs \(step)", value: 1)
                    )
                    call.end()
                    emitted[run.traceID]? += [
                        "span_started call \(step)", "log line \(step)", "score tone \(step)",
                        "feedback thumbs \(step)", "span_ended call \(step)",
                    ]
                }
            }
            #expect(await program.observability.flush())
            for run in runs {
                let events = seen.current.filter { $0.traceID == run.traceID }
                #expect(events.map(Self.text) == emitted[run.traceID])
            }
            let pauses = seen.current.filter { $0.traceID == nil }
            #expect(pauses.map(Self.text) == (0..<4).map { "log pause \($0)" })
        }
    }

    private static func text(_ event: SignalEvent) -> String {
        switch event {
        case .spanStarted(let span): "span_started \(span.name)"
        case .spanUpdated(let span): "span_updated \(span.name)"
        case .spanEnded(let span): "span_ended \(span.name)"
        case .log(let log): "log \(log.message)"
        case .score(let score): "score \(score.scorerName)"
        case .feedback(let item): "feedback \(item.feedbackType)"
        default: "\(event)"
        }
    }
}
