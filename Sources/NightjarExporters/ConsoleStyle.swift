import NightjarSignals

/// How signals look on the console: time, mark, what it is about, then details in a fixed order.
struct ConsoleStyle: Sendable {
    private enum Colour: String {
        case dim = "2"
        case bold = "1"
        case red = "31"
        case green = "32"
        case yellow = "33"
        case blue = "34"
        case magenta = "35"
        case cyan = "36"
    }

    /// Longer texts are cut: a line of the console is for an overview.
    private static let longestText = 160

    let hasColours: Bool

    // MARK: Spans

    func start(_ span: Span, depth: Int) -> String {
        line(
            span.startTime,
            paint("▶", .blue),
            depth,
            [title(span), span.parentSpanID == nil ? trace(span.traceID) : nil]
        )
    }

    func end(_ span: Span, depth: Int) -> String {
        let mark =
            span.isEvent ? paint("•", .blue) : span.status == .error ? paint("✗", .red) : paint("✓", .green)
        let failure = span.errorInfo.map { paint(cut($0.message), .red) }
        return line(
            span.endTime ?? span.startTime,
            mark,
            depth,
            [
                title(span), span.isEvent ? nil : span.durationMilliseconds.map { duration($0) }, about(span),
                span.usage.flatMap(tokens), failure, span.parentSpanID == nil ? trace(span.traceID) : nil,
            ]
        )
    }

    private func title(_ span: Span) -> String {
        let type = span.type == .generic ? span.typeName : span.type.name
        return type == SpanType.generic.name
            ? paint(cut(span.name), .bold) : "\(paint(type, .cyan)) \(paint(cut(span.name), .bold))"
    }

    /// Agent, model and tool, unless the name says it already.
    private func about(_ span: Span) -> String? {
        let facts = [("agent", span.agent), ("model", span.model), ("tool", span.tool)]
        let told = facts.compactMap { label, value in
            value.flatMap { span.name.contains($0) ? nil : "\(label)=\(cut($0))" }
        }
        return told.isEmpty ? nil : told.joined(separator: " ")
    }

    private func tokens(_ usage: Span.Usage) -> String? {
        let counts = [("in", usage.inputTokens), ("out", usage.outputTokens)]
            .compactMap { label, count in count.map { "\(number($0)) \(label)" } }
        var parts = counts.isEmpty ? [] : [counts.joined(separator: " + ") + " tokens"]
        if let cached = usage.cacheReadTokens, cached > 0 { parts.append("\(number(cached)) cached") }
        if let cost = usage.cost { parts.append("$\(number(cost))") }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    // MARK: Other signals

    func line(_ log: Log) -> String {
        let name = log.level.name.uppercased()
        let mark =
            switch log.level {
            case .debug: paint(name, .dim)
            case .info: paint(name, .green)
            case .warn: paint(name, .yellow)
            case .error, .fatal: paint(name, .red)
            }
        let data = log.data.entries.map { "\(paint($0.key + "=", .dim))\(cut(text($0.value)))" }
        return line(
            log.timestamp,
            mark,
            0,
            [cut(log.message, to: 4 * Self.longestText), data.isEmpty ? nil : data.joined(separator: " ")]
                + [ids(log.traceID, log.spanID)]
        )
    }

    func line(_ metric: Metric) -> String {
        let labels = metric.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(cut($0.value))\"" }
        let series = labels.isEmpty ? metric.name : "\(metric.name){\(labels.joined(separator: ", "))}"
        return line(metric.timestamp, paint("metric", .magenta), 0, [series, signed(metric)])
    }

    private func signed(_ metric: Metric) -> String {
        let value = paint(number(metric.value), .bold)
        return metric.type == .counter ? "+" + value : value
    }

    func line(_ score: Score) -> String {
        let verdict = [score.score.map(number), score.label].compactMap(\.self).joined(separator: " ")
        return line(
            score.timestamp,
            paint("score", .yellow),
            0,
            [
                paint(score.scorerName, .bold), verdict.isEmpty ? nil : verdict,
                score.error.map { paint("failed: \(cut($0))", .red) }, score.reason.map { "“\(cut($0))”" },
                ids(score.traceID, score.spanID),
            ]
        )
    }

    func line(_ feedback: Feedback) -> String {
        line(
            feedback.timestamp,
            paint("feedback", .yellow),
            0,
            [
                paint(feedback.feedbackType, .bold), cut(text(feedback.value)), "from \(feedback.source)",
                feedback.comment.map { "“\(cut($0))”" }, ids(feedback.traceID, feedback.spanID),
            ]
        )
    }

    func line(_ drop: Drop) -> String {
        line(
            drop.timestamp,
            paint("lost", .red),
            0,
            [
                "\(drop.count) \(drop.signal.rawValue) events: \(drop.reason)",
                drop.exporter.map { "at \($0)" },
                drop.detail.map { cut($0) },
            ]
        )
    }

    // MARK: Pieces

    private func line(_ time: Timestamp, _ mark: String, _ depth: Int, _ parts: [String?]) -> String {
        let text = parts.compactMap(\.self).joined(separator: paint(" · ", .dim))
        return "\(paint(clock(time), .dim)) \(String(repeating: "  ", count: depth))\(mark) \(text)"
    }

    /// The time of day in UTC to the millisecond; the day is the reader's.
    private func clock(_ time: Timestamp) -> String {
        let day: Int64 = 86_400_000
        let millisecond = ((time.unixNano / 1_000_000) % day + day) % day
        let parts: [(Int64, Int)] = [
            (millisecond / 3_600_000, 2), (millisecond / 60_000 % 60, 2), (millisecond / 1000 % 60, 2),
        ]
        return parts.map { padded($0.0, $0.1) }.joined(separator: ":") + "." + padded(millisecond % 1000, 3)
    }

    private func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private func duration(_ milliseconds: Double) -> String {
        switch milliseconds {
        case ..<1: "\(number(milliseconds)) ms"
        case ..<1000: "\(Int(milliseconds)) ms"
        case ..<60_000: "\(number(milliseconds / 1000)) s"
        default: "\(Int(min(milliseconds, 1e15)) / 60_000) min \(Int(min(milliseconds, 1e15)) / 1000 % 60) s"
        }
    }

    /// A number with at most three digits after the point.
    private func number(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
        let rounded = (value * 1000).rounded() / 1000
        if rounded == 0, value != 0 { return "\(value)" }
        return rounded == rounded.rounded() ? String(Int(rounded)) : "\(rounded)"
    }

    private func text(_ value: Value) -> String { value.string ?? value.json }

    private func trace(_ id: TraceID) -> String { paint("trace \(id.description.prefix(8))", .dim) }

    private func ids(_ trace: TraceID?, _ span: SpanID?) -> String? {
        trace.map { trace in
            paint(
                "trace \(trace.description.prefix(8))" + (span.map { "/\($0.description.prefix(8))" } ?? ""),
                .dim
            )
        }
    }

    /// The text on one line and of a bounded length; control characters, which could move the cursor, are shown as a dot.
    private func cut(_ text: String, to length: Int = longestText) -> String {
        var out = ""
        for (count, character) in text.enumerated() {
            if count == length { return out + "…" }
            let isControl = character.unicodeScalars.contains { $0.properties.generalCategory == .control }
            if character.isNewline {
                out += "⏎"
            } else if isControl {
                out += "·"
            } else {
                out.append(character)
            }
        }
        return out
    }

    private func paint(_ text: String, _ colour: Colour) -> String {
        hasColours ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
    }
}
