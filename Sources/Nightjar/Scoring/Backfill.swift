import NightjarBus
import NightjarOTLP
package import NightjarPlugins
package import NightjarSignals

/// What became of the scores of one trace.
package struct ScoredTrace: Sendable {
    /// The trace.
    package let target: ScoringTarget
    /// What the scorers say.
    package let scores: [Score]
    /// The feedback on the trace and its spans.
    package let feedback: [Feedback]
    /// What is stored of the trace already.
    let stored: [Score]
}

/// How a scoring of stored traces went.
package struct ScoringOutcome: Sendable, Equatable {
    /// How many traces there were in the window, those included that an earlier run did.
    package var traces = 0
    /// How many an earlier run of the same backfill did.
    package var resumed = 0
    /// How many the scorers looked at.
    package var looked = 0
    /// How many were left out, for this version had scored them before, or they did not match.
    package var leftOut = 0
    /// How many are still under way, and were left out.
    package var open = 0
    /// How many scores were written.
    package var written = 0
    /// How many said what is stored already.
    package var unchanged = 0
    /// Whether there were more traces than the window's limit.
    package var isCut = false
    /// Whether it got to the end.
    package var isFinished = false
    /// Why traces could not be read.
    package var faults: [String] = []

    /// Nothing done.
    package init() {}
}

/// Runs scorers over stored traces, in the order of receipt, and hands on what they say.
package struct StoredScoring {
    /// Where the traces come from.
    package let source: any ScoringSource
    /// Which of them are looked at; nil: all.
    package var filter: TraceFilter?
    /// Whether those are left out that this version has scored before.
    package var missingOnly = false
    /// Asked before each trace.
    package var isStopped: () -> Bool = { false }
    /// Told after each trace how far it is.
    package var progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }

    /// A scoring of the traces of a source.
    package init(_ source: any ScoringSource) { self.source = source }

    /// Scores the traces of a window after a given one; `each` gets every trace that the scorers looked at, `passed` the target
    /// of every trace that is done, looked at or not.
    /// - Throws: whatever the source and the bodies throw.
    package func run(
        _ window: StoredWindow,
        by scorers: [ScorerRun],
        after last: ScoringTarget? = nil,
        each: (_ index: Int, ScoredTrace, inout ScoringOutcome) throws -> Void,
        passed: (ScoringTarget, inout ScoringOutcome) throws -> Void = { _, _ in }
    ) throws -> ScoringOutcome {
        let found = try source.targets(window)
        var outcome = ScoringOutcome()
        (outcome.traces, outcome.open, outcome.isCut) = (found.targets.count, found.open, found.isCut)
        let targets = found.targets.drop { target in last.map { !ScoringTarget.isBefore($0, target) } ?? false
        }
        outcome.resumed = found.targets.count - targets.count
        for (place, target) in targets.enumerated() {
            if isStopped() || scorers.contains(where: \.isExhausted) { return outcome }
            try look(at: target, by: scorers, &outcome, each)
            try passed(target, &outcome)
            progress(outcome.resumed + place + 1, outcome.traces)
        }
        // A script whose memory is full has not looked at the last traces.
        outcome.isFinished = !scorers.contains(where: \.isExhausted)
        return outcome
    }

    private func look(
        at target: ScoringTarget,
        by scorers: [ScorerRun],
        _ outcome: inout ScoringOutcome,
        _ each: (Int, ScoredTrace, inout ScoringOutcome) throws -> Void
    ) throws {
        guard let trace = try source.trace(target) else { return }
        let said: [[Score]]
        do throws(RecordedRun.InputFault) {
            guard try matches(trace), !isScored(trace, scorers) else {
                outcome.leftOut += 1
                return
            }
            said = try scorers.map { run throws(RecordedRun.InputFault) in try run.scores(of: trace) }
        } catch {
            outcome.faults.append(error.description)
            return
        }
        outcome.looked += 1
        for (index, scores) in said.enumerated() {
            let scored = ScoredTrace(
                target: target,
                scores: scores,
                feedback: trace.feedback,
                stored: trace.scores
            )
            try each(index, scored, &outcome)
        }
    }

    private func isScored(_ trace: StoredTrace, _ scorers: [ScorerRun]) -> Bool {
        missingOnly && scorers.allSatisfy { $0.isScored(in: trace.scores) }
    }

    private func matches(_ trace: StoredTrace) throws(RecordedRun.InputFault) -> Bool {
        guard let filter else { return true }
        do throws(OTLPError) {
            let state = TraceState.settled(
                trace.target.id,
                slabs: try trace.slabs(),
                completing: SpanCompletion.complete
            )
            // The rows' inherited names are the state's: it has to outlive them.
            return withExtendedLifetime(state) { filter.holds(for: state.view()) }
        } catch {
            throw RecordedRun.InputFault(description: "trace \(trace.target.id): \(error)")
        }
    }
}

/// Writes the scores of stored traces. It may end at any moment: what is written is marked, and nothing is written twice.
package struct Backfill {
    /// So many scores, or traces, or so much time, lie between two markers at most.
    private static let scoresAtOnce = 500
    private static let tracesAtOnce = 500
    private static let longestStep = Duration.seconds(1)

    /// Where scores go.
    package let sink: any ScoringSink
    /// The file of the marker.
    package let markerFile: String
    /// The clock of the steps.
    package var now: () -> ContinuousClock.Instant = { .now }

    /// A backfill.
    package init(into sink: any ScoringSink, markerFile: String) {
        self.sink = sink
        self.markerFile = markerFile
    }

    /// Scores the traces of a window and writes what is new, or goes on where a run of the same task was ended.
    /// - Throws: whatever the source and the sink throw; a further run goes on.
    package func run(
        _ scoring: StoredScoring,
        _ window: StoredWindow,
        by scorers: ScorerRun,
        task: Value
    ) throws -> ScoringOutcome {
        var marker =
            BackfillMarker(file: markerFile, task: task) ?? BackfillMarker(task: task, window: window)
        var pending: [Score] = []
        var reached = marker.last
        var step = (traces: 0, began: now())
        func commit(_ outcome: inout ScoringOutcome) throws {
            if !pending.isEmpty { try sink.write(pending) }
            outcome.written += pending.count
            marker.written += pending.count
            marker.done += step.traces
            marker.last = reached
            pending = []
            step = (0, now())
            try marker.save(to: markerFile)
        }
        // Before anything is done, so that a window that is settled now is kept.
        try marker.save(to: markerFile)
        var outcome = try scoring.run(
            marker.window,
            by: [scorers],
            after: marker.last,
            each: { _, trace, outcome in
                let stored = Dictionary(trace.stored.map { ($0.id, $0) }) { $1 }
                let fresh = trace.scores.filter { score in
                    stored[score.id].map { !score.saysTheSame(as: $0) } ?? true
                }
                outcome.unchanged += trace.scores.count - fresh.count
                pending += fresh
            },
            passed: { target, outcome in
                reached = target
                step.traces += 1
                guard
                    pending.count >= Self.scoresAtOnce || step.traces >= Self.tracesAtOnce
                        || now() - step.began >= Self.longestStep
                else { return }
                try commit(&outcome)
            }
        )
        try commit(&outcome)
        if outcome.isFinished { BackfillMarker.remove(markerFile) }
        return outcome
    }
}

extension TraceFilter {
    /// Reads a condition over stored traces: JSON, or a table as a script would write it.
    /// - Throws: ``PluginFault`` with what is wrong.
    package convenience init(_ text: String) throws(PluginFault) {
        try self.init(text, reader: OTLPSpanReader())
    }
}
