import Foundation
import NightjarSignals

/// Live events for people, a line each: when, what, its name, whose, how it went, of which trace.
struct EventText: Sendable {
    /// Longer texts are cut: a line is for an overview.
    private static let longestText = 160
    /// As wide as the longest kind.
    private static let kindWidth = 12

    let paint: TerminalPaint

    /// Whether an event tells of the stream itself rather than of what passes.
    static func isAboutStream(_ name: String) -> Bool { ["gap", "dropped", "bye"].contains(name) }

    /// The line of an event. One that cannot be read is shown as it came.
    func line(_ event: ServerSentEvent) -> String {
        guard let json = try? Value(json: event.data) else {
            // A newer server may say what this command does not know.
            return paint(event.data)
        }
        switch event.name {
        case "gap": return gap(json["gap"])
        case "dropped": return dropped(json["dropped"])
        case "bye": return paint("-- the server stops", .yellow)
        case "plugin_error": return pluginError(json["pluginError"])
        default:
            // As above.
            guard let signal = try? SignalEvent(json: json, now: Timestamp(unixNano: 0)) else {
                return paint(event.data)
            }
            return line(signal)
        }
    }

    // MARK: - About the stream

    private func gap(_ gap: Value?) -> String {
        let count = gap?["count"]?.json
        return switch gap?["reason"]?.string {
        case "reconnected":
            paint(
                "-- gap: \(count.map { "\($0) events" } ?? "an unknown number of events") passed while nobody read; "
                    + "they are not repeated",
                .yellow
            )
        case let reason:
            paint("-- gap: the server lost \(count ?? "some") events (\(reason ?? "unknown"))", .yellow)
        }
    }

    private func dropped(_ dropped: Value?) -> String {
        paint(
            "-- dropped: this reader was too slow, \(dropped?["count"]?.json ?? "some") events for it are lost",
            .red
        )
    }

    private func pluginError(_ error: Value?) -> String {
        let count = error?["count"]?.number ?? 1
        return joined(
            error?["timestamp"]?.string.flatMap { Timestamp(iso8601: $0) },
            "plugin_error",
            .red,
            [
                paint("\(error?.text("plugin") ?? "-")/\(error?.text("rule") ?? "-")", .bold),
                cut(error?["message"]?.string ?? ""), count > 1 ? "(\(Value.double(count).json) times)" : nil,
                error?["traceId"]?.string.map { paint($0, .dim) },
            ]
        )
    }

    // MARK: - Signals

    private func line(_ event: SignalEvent) -> String {
        switch event {
        case .spanStarted(let span): line(span, event.name, at: span.startTime)
        case .spanUpdated(let span), .spanEnded(let span):
            line(span, event.name, at: span.endTime ?? span.startTime)
        case .log(let log): line(log)
        case .metric(let metric): line(metric)
        case .score(let score): line(score)
        case .feedback(let feedback): line(feedback)
        case .drop(let drop):
            joined(
                drop.timestamp,
                event.name,
                .red,
                [
                    "\(drop.count) \(drop.signal.rawValue)", cut(drop.reason), drop.exporter.map { cut($0) },
                    drop.detail.map { cut($0) },
                ]
            )
        case .traceEnded(let end):
            joined(
                nil,
                event.name,
                .blue,
                [
                    end.isPartial ? paint("partial", .yellow) : nil,
                    end.revision > 1 ? "revision \(end.revision)" : nil,
                    paint(end.traceID.description, .dim),
                ]
            )
        }
    }

    private func line(_ span: Span, _ kind: String, at time: Timestamp) -> String {
        let colour: TerminalPaint.Colour = span.status == .error ? .red : span.endTime == nil ? .blue : .green
        let type = span.type == .generic ? span.typeName : span.type.name
        let facts = [("agent", span.agent), ("model", span.model), ("tool", span.tool)]
            .compactMap { key, value in value.map { "\(key)=\(cut($0))" } }
        return joined(
            time,
            kind,
            colour,
            [
                paint(type, .cyan), paint(cut(span.name), .bold), facts.joined(separator: " "),
                span.durationMilliseconds.map(Self.duration), paint(span.status.name, colour),
                span.usage.flatMap(Self.tokens), span.errorInfo.map { paint(cut($0.message), .red) },
                paint(span.traceID.description, .dim),
            ]
        )
    }

    private func line(_ log: Log) -> String {
        let colour: TerminalPaint.Colour =
            switch log.level {
            case .debug: .dim
            case .info: .green
            case .warn: .yellow
            case .error, .fatal: .red
            }
        return joined(
            log.timestamp,
            "log",
            colour,
            [
                paint(log.level.name, colour), cut(log.message),
                log.data.entries.map { "\($0.key)=\(cut($0.value.string ?? $0.value.json))" }
                    .joined(separator: " "), log.traceID.map { paint($0.description, .dim) },
            ]
        )
    }

    private func line(_ metric: Metric) -> String {
        let labels = metric.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\(cut($0.value))" }
        return joined(
            metric.timestamp,
            "metric",
            .magenta,
            [
                paint(metric.name, .bold), Value.double(metric.value).json, labels.joined(separator: " "),
                metric.traceID.map { paint($0.description, .dim) },
            ]
        )
    }

    private func line(_ score: Score) -> String {
        joined(
            score.timestamp,
            "score",
            .yellow,
            [
                paint(cut(score.scorerName), .bold), score.score.map { Value.double($0).json },
                score.label.map { cut($0) }, score.error.map { paint(cut($0), .red) },
                score.reason.map { "“\(cut($0))”" },
            ] + targets(score.traceID, score.spanID, score.sessionID)
        )
    }

    private func line(_ feedback: Feedback) -> String {
        joined(
            feedback.timestamp,
            "feedback",
            .yellow,
            [
                paint(cut(feedback.feedbackType), .bold),
                cut(feedback.value.string ?? feedback.value.json), "from \(cut(feedback.source))",
                feedback.comment.map { "“\(cut($0))”" },
            ] + targets(feedback.traceID, feedback.spanID, feedback.sessionID)
        )
    }

    private func targets(_ trace: TraceID?, _ span: SpanID?, _ session: String?) -> [String?] {
        [
            span.map { paint("span \($0)", .dim) }, session.map { paint("session \(cut($0))", .dim) },
            trace.map { paint($0.description, .dim) },
        ]
    }

    // MARK: - Parts

    private func joined(
        _ time: Timestamp?,
        _ kind: String,
        _ colour: TerminalPaint.Colour,
        _ parts: [String?]
    ) -> String {
        let kind = kind + String(repeating: " ", count: max(0, Self.kindWidth - kind.count))
        let clock = time.map(Self.clock) ?? String(repeating: " ", count: 12)
        let rest = parts.compactMap(\.self).filter { !$0.isEmpty }.joined(separator: "  ")
        return "\(paint(clock, .dim))  \(paint(kind, colour))  \(rest)"
    }

    private func cut(_ text: String) -> String {
        let clean = TextTable.clean(text)
        return clean.count > Self.longestText ? clean.prefix(Self.longestText) + "…" : clean
    }
}

extension EventText {
    /// The time of day in UTC with milliseconds.
    static func clock(_ time: Timestamp) -> String {
        let milliseconds = time.unixNano / 1_000_000
        let fraction = ((milliseconds % 1000) + 1000) % 1000
        let second = Timestamp(unixNano: (milliseconds - fraction) * 1_000_000).description
        return "\(second.dropFirst(11).prefix(8)).\(String(format: "%03d", Int(fraction)))"
    }

    /// A duration with the unit that suits it.
    static func duration(_ milliseconds: Double) -> String {
        switch milliseconds {
        case ..<1000: return String(format: milliseconds < 10 ? "%.1f ms" : "%.0f ms", milliseconds)
        case ..<60_000: return String(format: "%.2f s", milliseconds / 1000)
        default:
            // More than the age of the world is no duration of anything.
            let seconds = Int(min(milliseconds / 1000, 1e15))
            return "\(seconds / 60) min \(seconds % 60) s"
        }
    }

    /// Token counts and cost; nil where none are known.
    static func tokens(_ usage: Span.Usage) -> String? {
        let counts = [("in", usage.inputTokens), ("out", usage.outputTokens)]
            .compactMap { name, count in count.map { "\(Value.double($0).json) \(name)" } }
        var parts = counts.isEmpty ? [] : [counts.joined(separator: " + ") + " tokens"]
        if let cost = usage.cost { parts.append("$\(Value.double(cost).json)") }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }
}
