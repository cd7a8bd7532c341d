package import CNightjarSignals
import NightjarBus
package import NightjarSignals

/// The content of spans that came apart from them, in log records that name them: messages that went in and came out (mapping
/// contract, section 14).
package struct LogContents: Sendable {
    /// What is known of one span.
    struct Content {
        var input: [Value] = []
        var output: [Value] = []
        /// What each message was, so that a record which was sent again adds none.
        var seen: [(timestamp: Timestamp, message: Value)] = []
    }

    private(set) var bySpan: [SpanID: Content] = [:]

    /// No content.
    package init() {}

    /// The content in log lines, in their order.
    package init(_ logs: [Log]) {
        for log in logs { add(log) }
    }

    /// Whether nothing is known of any span.
    package var isEmpty: Bool { bySpan.isEmpty }

    private static let whole = "gen_ai.client.inference.operation.details"
    private static let parts: [String: Bool] = [
        "gen_ai.system.message": true, "gen_ai.user.message": true, "gen_ai.assistant.message": true,
        "gen_ai.tool.message": true, "gen_ai.content.prompt": true, "gen_ai.choice": false,
        "gen_ai.content.completion": false,
    ]

    /// Whether a log line carries content of a span.
    package static func isContent(_ log: Log) -> Bool {
        guard log.spanID != nil, let name = log.data["event.name"]?.string else { return false }
        return name == whole || parts[name] != nil
    }

    /// Adds what a log line carries.
    package mutating func add(_ log: Log) {
        guard Self.isContent(log), let span = log.spanID, let name = log.data["event.name"]?.string else {
            return
        }
        if name == Self.whole {
            addWhole(log, of: span)
        } else {
            let message = Self.message(log, name)
            var content = bySpan[span] ?? Content()
            if content.seen.contains(where: { $0.timestamp == log.timestamp && $0.message == message }) {
                return
            }
            content.seen.append((log.timestamp, message))
            if Self.parts[name] == true {
                content.input.append(message)
            } else {
                content.output.append(message)
            }
            bySpan[span] = content
        }
    }

    /// One record that carries all of a request's messages.
    private mutating func addWhole(_ log: Log, of span: SpanID) {
        let body = log.data["body"]?.object ?? [:]
        func list(_ key: String) -> [Value] {
            guard let value = (log.data[key] ?? body[key]).map(AttributeValues.decoded) else { return [] }
            return value.array ?? [value]
        }
        var content = bySpan[span] ?? Content()
        let instructions = list("gen_ai.system_instructions")
        let system: [Value] =
            instructions.isEmpty ? [] : [.object(["role": "system", "parts": .array(instructions)])]
        let (input, output) = (system + list("gen_ai.input.messages"), list("gen_ai.output.messages"))
        if !input.isEmpty { content.input = input }
        if !output.isEmpty { content.output = output }
        if !content.input.isEmpty || !content.output.isEmpty { bySpan[span] = content }
    }

    /// The message of a record of its own, in the form that span events of these names have.
    private static func message(_ log: Log, _ name: String) -> Value {
        let body = log.data["body"] ?? (log.message.isEmpty ? nil : AttributeValues.decoded(log.message))
        var message: Value.Object
        if let object = body?.object {
            message = object
        } else {
            message = log.data
            message["event.name"] = nil
            if let body { message["content"] = body }
        }
        message["event.name"] = .string(name)
        for key in ["message", "tool_calls", "content"] {
            message[key] = message[key].map(AttributeValues.decoded)
        }
        if parts[name] == false, message["role"] == nil { message["role"] = "assistant" }
        return .object(message)
    }
}

/// Reads spans with the content that came in log records where they have none of their own. Thread-safe.
package struct LogContentReader: SpanReader {
    private let base = OTLPSpanReader()
    private let contents: LogContents

    /// A reader of spans and of what log records say of them.
    package init(_ contents: LogContents) { self.contents = contents }

    private func content(_ span: SpanReference) -> LogContents.Content? {
        contents.bySpan[SpanID(value: span.row.pointee.id)]
    }

    private func loggedInput(_ span: SpanReference) -> Value? {
        content(span).flatMap { $0.input.isEmpty ? nil : .array($0.input) }
    }

    private func loggedOutput(_ span: SpanReference) -> Value? {
        content(span).flatMap { $0.output.isEmpty ? nil : .array($0.output) }
    }

    /// The plain text of what went in.
    package func inputText(_ span: SpanReference) -> [UInt8]? {
        base.inputText(span)
            ?? loggedInput(span).map { Array((Messages($0, role: "user").text ?? "").utf8) }
    }

    /// The plain text of what came out.
    package func outputText(_ span: SpanReference) -> [UInt8]? {
        base.outputText(span)
            ?? loggedOutput(span).map { Array((Messages($0, role: "assistant").conclusion.text ?? "").utf8) }
    }

    /// What went in.
    package func input(_ span: SpanReference) -> Value? { base.input(span) ?? loggedInput(span) }

    /// What came out.
    package func output(_ span: SpanReference) -> Value? { base.output(span) ?? loggedOutput(span) }

    /// A generation's messages, those that went in before those that came out.
    package func messages(_ span: SpanReference) -> Value? {
        guard span.row.pointee.spanType == .modelGeneration, content(span) != nil else {
            return base.messages(span)
        }
        let input = base.input(span) == nil ? loggedInput(span) : nil
        let output = base.output(span) == nil ? loggedOutput(span) : nil
        let all =
            (input.map { Messages($0, role: "user").value.array ?? [] } ?? [])
            + (base.messages(span)?.array ?? [])
            + (output.map { Messages($0, role: "assistant").value.array ?? [] } ?? [])
        return all.isEmpty ? nil : .array(all)
    }

    /// The tool calls that a generation asked for.
    package func toolCalls(_ span: SpanReference) -> Value? {
        if let calls = base.toolCalls(span) { return calls }
        guard span.row.pointee.spanType == .modelGeneration, let output = loggedOutput(span) else {
            return nil
        }
        let calls = Messages(output, role: "assistant").conclusion.toolCalls
        return calls.isEmpty ? nil : .array(calls)
    }

    /// The span's own metadata.
    package func metadata(_ span: SpanReference) -> Value.Object { base.metadata(span) }

    /// The span's tags.
    package func tags(_ span: SpanReference) -> [String] { base.tags(span) }

    /// The points in time within the span.
    package func events(_ span: SpanReference) -> [Span.Event] { base.events(span) }

    /// The references to other spans.
    package func links(_ span: SpanReference) -> [Span.Link] { base.links(span) }

    /// The value of an attribute row.
    package func value(_ attribute: nj_attribute) -> Value { base.value(attribute) }

    /// The span without attributes, events, links and content.
    package func outline(_ span: SpanReference) -> Span { base.outline(span) }

    /// The whole span, decoded.
    package func span(_ reference: SpanReference) -> Span {
        var span = base.span(reference)
        if span.input == nil { span.input = loggedInput(reference) }
        if span.output == nil { span.output = loggedOutput(reference) }
        return span
    }
}
