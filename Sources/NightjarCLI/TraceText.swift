import NightjarBus
import NightjarSignals

/// Traces for people.
enum TraceText {
    /// A chain of spans may be as deep as its sender likes; a line is not.
    private static let deepestIndent = 30
    /// So much of a log line or a reason is shown.
    private static let longestText = 120

    // MARK: - A list

    /// A table of what a list of traces says of each.
    static func list(_ traces: [Value], hasMore: Bool) -> String {
        guard !traces.isEmpty else { return "no traces\n" }
        let count = "\(traces.count) \(traces.count == 1 ? "trace" : "traces")"
        return count + (hasMore ? ", there are more; --limit takes them\n" : "\n")
            + TextTable.text(
                [
                    "STARTED", "TRACE", "NAME", "STATUS", "DURATION", "SPANS", "TOKENS", "AGENT", "SERVICE",
                ],
                traces.map { trace in
                    [
                        trace.text("startTime"), trace.text("traceId"), cut(trace.text("name")),
                        status(trace), trace["durationMs"]?.number.map(EventText.duration) ?? "-",
                        trace.text("spanCount"), tokens(trace["usage"]), cut(trace.text("agent")),
                        cut(trace.text("service")),
                    ]
                }
            )
    }

    private static func status(_ trace: Value) -> String {
        let status = trace.text("status")
        let notes = [
            trace["hasErrors"] == true && status != "error" ? "with errors" : nil,
            trace["isPartial"] == true ? "partial" : nil,
        ].compactMap(\.self)
        return notes.isEmpty ? status : "\(status) (\(notes.joined(separator: ", ")))"
    }

    private static func tokens(_ usage: Value?) -> String {
        var counts = Span.Usage()
        counts.inputTokens = usage?["inputTokens"]?.number
        counts.outputTokens = usage?["outputTokens"]?.number
        counts.cost = usage?["cost"]?.number
        return EventText.tokens(counts) ?? "-"
    }

    // MARK: - One trace

    /// The spans of a trace, each below its parent, then what was said of the trace and its log lines.
    static func tree(_ trace: RecordedTrace) -> String {
        let spans = trace.spans
        let scores = Dictionary(grouping: trace.scores) { $0.spanID.flatMap { trace.getSpan($0)?.id } }
        let feedback = Dictionary(grouping: trace.feedback) { $0.spanID.flatMap { trace.getSpan($0)?.id } }
        let rows = rows(spans.filter { $0.parent == nil }).map { span, depth -> [String] in
            let said = (scores[span.id] ?? []).map(verdict) + (feedback[span.id] ?? []).map(opinion)
            return [
                String(repeating: "  ", count: min(depth, deepestIndent)) + cut(span.span.name),
                span.span.type == .generic ? span.span.typeName : span.span.type.name,
                span.span.status.name,
                span.span.durationMilliseconds.map(EventText.duration) ?? "-",
                span.span.usage.flatMap(EventText.tokens) ?? "-", span.id.description,
                said.joined(separator: "; ") + (span.span.errorInfo.map { " " + cut($0.message) } ?? ""),
            ]
        }
        return heading(trace, spans)
            + TextTable.text(["SPAN", "TYPE", "STATUS", "DURATION", "TOKENS", "ID", "SAID OF IT"], rows)
            + TextTable.text(
                ["OF THE TRACE", "BY", "VERDICT", "WHY"],
                (scores[nil] ?? []).map { score in
                    ["score", score.scorerName, value(of: score), cut(score.error ?? score.reason ?? "-")]
                }
                    + (feedback[nil] ?? []).map { item in
                        [
                            item.feedbackType, item.source, cut(item.value.string ?? item.value.json),
                            cut(item.comment ?? "-"),
                        ]
                    }
            )
            + TextTable.text(
                ["LOGGED", "LEVEL", "MESSAGE", "SPAN"],
                trace.logs.map { log in
                    [
                        log.timestamp.description, log.level.name, cut(log.message),
                        log.spanID?.description ?? "-",
                    ]
                }
            )
    }

    private static func heading(_ trace: RecordedTrace, _ spans: [RecordedSpan]) -> String {
        let root = trace.rootSpan.span
        let facts = [
            "trace \(trace.traceID)", trace.status.name, trace.isPartial ? "partial" : nil,
            root.durationMilliseconds.map(EventText.duration),
            "\(spans.count) \(spans.count == 1 ? "span" : "spans")", "begun \(root.startTime)",
        ]
        return facts.compactMap(\.self).joined(separator: ", ") + "\n"
    }

    /// Every span before its children, with its depth; without recursion, for a chain may be long.
    private static func rows(_ roots: [RecordedSpan]) -> [(span: RecordedSpan, depth: Int)] {
        var rows: [(span: RecordedSpan, depth: Int)] = []
        var waiting = roots.reversed().map { (span: $0, depth: 0) }
        while let next = waiting.popLast() {
            rows.append(next)
            for child in next.span.children.reversed() { waiting.append((child, next.depth + 1)) }
        }
        return rows
    }

    private static func verdict(_ score: Score) -> String { "\(cut(score.scorerName)) \(value(of: score))" }

    private static func value(of score: Score) -> String {
        let parts = [score.score.map { Value.double($0).json }, score.label.map(cut)].compactMap(\.self)
        return parts.isEmpty ? (score.error == nil ? "-" : "failed") : parts.joined(separator: " ")
    }

    private static func opinion(_ feedback: Feedback) -> String {
        "\(cut(feedback.feedbackType)) \(cut(feedback.value.string ?? feedback.value.json))"
    }

    private static func cut(_ text: String) -> String {
        text.count > longestText ? text.prefix(longestText) + "…" : text
    }
}
