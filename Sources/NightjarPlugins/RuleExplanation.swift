import CNightjarLua
import CNightjarSignals
package import NightjarBus
package import NightjarSignals

/// What one rule did for a trace, or why it did nothing.
package struct RuleExplanation: Sendable, Equatable {
    /// What became of the rule.
    package enum Outcome: String, Sendable, CaseIterable {
        /// It was called, and the last call ran to its end.
        case ran
        /// Its last call failed.
        case failed
        /// It was left out: its circuit was open.
        case circuitOpen = "circuit_open"
        /// Nothing of the trace matches.
        case noMatch = "no_match"
        /// It takes a share of all traces, and not this one.
        case sampledOut = "sampled_out"
        /// What it is called for has not happened yet.
        case waiting
        /// It is called for something that is not kept with a trace, so nothing can be said now.
        case noEvent = "no_event"
        /// Everything matches, but no call is remembered.
        case wouldRun = "would_run"
        /// The trace is not stored, so nothing can be said now.
        case notStored = "not_stored"
    }

    /// What is remembered of the calls of a rule for one trace.
    package struct Calls: Sendable, Equatable {
        /// Which load of the plugin they were of.
        package let generation: Int
        /// How many there were.
        package let calls: Int
        /// How many of them failed.
        package let errors: Int
        /// How much they emitted.
        package let emitted: Int
        /// The mean CPU time of those that were timed; where none was, that of all calls of the rule; nil before any was.
        package let meanMicroseconds: Double?
    }

    /// The plugin.
    package let plugin: String
    /// Which load of the plugin runs now.
    package let generation: Int
    /// The rule's label, as in ``PluginStatus/Rule/label``.
    package let rule: String
    /// What it is called for.
    package let event: String
    /// Where it was declared, as FILE:LINE.
    package let place: String
    /// Its match as JSON.
    package let match: String?
    /// What became of it.
    package fileprivate(set) var outcome: Outcome
    /// The key of its match that fails; nil where none does, or the match is a list of alternatives.
    package fileprivate(set) var key: String?
    /// The span that fails it: of several, the one that fails the fewest keys.
    package fileprivate(set) var span: SpanID?
    /// Its calls; nil where none is remembered.
    package fileprivate(set) var calls: Calls?
}

/// A trace at rest, for the question why rules did what they did.
package struct ExplainedTrace {
    /// Its spans with every fact that is known.
    package let view: TraceView
    /// Whether its end is still to come, again or for the first time.
    package let isOpen: Bool
    /// The spans that wait for an ancestor; the id 0 alone stands for every span.
    package let pending: Set<UInt64>

    /// A trace.
    package init(view: TraceView, isOpen: Bool, pending: some Sequence<SpanID>) {
        self.view = view
        self.isOpen = isOpen
        self.pending = Set(pending.map(\.value))
    }
}

extension PluginHost {
    /// What every rule that runs now did for a trace: as far as it is remembered, else what it would do with the trace as it is
    /// stored. By plugin, in the order of their declarations. Without `trace` only what is remembered can be told.
    package func explanations(
        of id: TraceID,
        in trace: ExplainedTrace?,
        reader: any SpanReader
    ) -> [RuleExplanation] {
        let runs = runs(of: id)
        let judge = trace.map { RuleJudge($0, reader: reader) }
        return sets.current.plugins.flatMap { plugin in
            zip(plugin.declared, plugin.rules).map { rule, record in
                var explanation = RuleExplanation(
                    plugin: plugin.name,
                    generation: plugin.generation,
                    rule: record.label,
                    event: record.event,
                    place: rule.place,
                    match: rule.match.text,
                    outcome: .notStored
                )
                let own = runs.filter { $0.plugin == plugin.name && $0.label == record.label }
                if let newest = own.map(\.generation).max() {
                    explanation.tell(own.filter { $0.generation == newest }, record)
                } else if let judge {
                    judge.judge(rule, &explanation)
                }
                return explanation
            }
        }
    }
}

extension RuleExplanation {
    /// Tells what is remembered: the runs of one generation.
    fileprivate mutating func tell(_ runs: [RunMemory.Run], _ record: RuleRecord) {
        guard let last = runs.last else { return }
        outcome =
            switch last.outcome {
            case .ran: .ran
            case .failed: .failed
            case .circuitOpen: .circuitOpen
            }
        let timed = runs.reduce(into: (nanoseconds: 0, calls: 0)) {
            $0 = ($0.nanoseconds + $1.timed.nanoseconds, $0.calls + $1.timed.calls)
        }
        calls = Calls(
            generation: last.generation,
            calls: runs.reduce(0) { $0 + $1.calls },
            errors: runs.reduce(0) { $0 + $1.errors },
            emitted: runs.reduce(0) { $0 + $1.emitted },
            meanMicroseconds: timed.calls == 0
                ? record.status.meanMicroseconds : Double(timed.nanoseconds) / Double(timed.calls) / 1000
        )
    }
}

/// Says what rules would do with a trace. Belongs to whoever made it.
private struct RuleJudge {
    private let trace: ExplainedTrace
    private let scope: SpanScope
    private let spans: UnsafeBufferPointer<nj_span_ref>

    init(_ trace: ExplainedTrace, reader: any SpanReader) {
        self.trace = trace
        scope = SpanScope(reader: reader)
        scope.turn(to: trace.view, now: Timestamp(unixNano: 0))
        let raw = scope.rawTrace?.pointee
        // The scope keeps them for as long as it looks at the trace.
        spans = UnsafeBufferPointer(start: raw?.spans, count: Int(raw?.count ?? 0))
    }

    func judge(_ rule: Rule, _ explanation: inout RuleExplanation) {
        switch rule.role {
        case .every: explanation.outcome = .noEvent
        case .sampler: explanation.outcome = .wouldRun
        case .process:
            if rule.event.isOfSpan { judgeSpans(rule, &explanation) } else { explanation.outcome = .noEvent }
        case .rule, .scorer:
            // Whether a span was told of before it ended is not kept.
            let isOfNews = rule.event == .spanUpdated || rule.event == .spanStarted && rule.isEarly
            if rule.event == .traceEnded {
                judgeTrace(rule, &explanation)
            } else if rule.event.isOfSpan, !isOfNews {
                judgeSpans(rule, &explanation)
            } else {
                explanation.outcome = .noEvent
            }
        }
    }

    /// As ``PluginSession/traceEnded(_:now:into:)`` decides.
    private func judgeTrace(_ rule: Rule, _ explanation: inout RuleExplanation) {
        guard isSampled(rule) else {
            explanation.outcome = .sampledOut
            return
        }
        if trace.isOpen, trace.view.revision == 0 || rule.again {
            explanation.outcome = .waiting
            return
        }
        let matches = rule.match.traces
        guard !matches.isEmpty, !matches.contains(where: { $0.holds(in: scope) }) else {
            explanation.outcome = .wouldRun
            return
        }
        explanation.outcome = .noMatch
        guard matches.count == 1, let failure = matches[0].failure(in: scope) else { return }
        explanation.key = failure.key
        explanation.span = failure.span
    }

    /// As ``PluginSession/span(_:_:trace:now:into:)`` decides for each span.
    private func judgeSpans(_ rule: Rule, _ explanation: inout RuleExplanation) {
        let isFirst = rule.role == .process
        var isWaiting = false
        var duplicate: SpanID?
        for span in spans where rule.match.span?.holds(span, in: scope) != false {
            let row = span.span.pointee
            if rule.event == .spanEnded, !row.hasEnded {
                isWaiting = true
            } else if !isFirst, !rule.isEarly, isPending(row.id) {
                isWaiting = true
            } else if !isFirst, !rule.takesDuplicates, row.duplicate_of != 0 {
                duplicate = duplicate ?? span.spanID
            } else {
                explanation.outcome = isSampled(rule) ? .wouldRun : .sampledOut
                return
            }
        }
        // What a span inherits may still come, and with it a match.
        guard !isWaiting, isFirst || rule.isEarly || trace.pending.isEmpty else {
            explanation.outcome = .waiting
            return
        }
        explanation.outcome = .noMatch
        if let duplicate {
            (explanation.key, explanation.span) = ("duplicate_of", duplicate)
            return
        }
        let keys = SpanKeys(rule.match.spanKeys)
        guard let nearest = keys.nearest(of: spans, in: scope),
            let failure = keys.failure(of: nearest, in: scope)
        else { return }
        (explanation.key, explanation.span) = (failure.key, nearest.spanID)
    }

    private func isPending(_ span: UInt64) -> Bool {
        trace.pending.contains(0) || trace.pending.contains(span)
    }

    private func isSampled(_ rule: Rule) -> Bool {
        RuleSlot.isSampled(trace.view.id, scorer: rule.scorer ?? "", share: rule.options.sample)
    }
}
