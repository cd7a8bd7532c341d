package import NightjarSignals

/// A request or a tool call of which only a log record tells, as the span that it is (mapping contract, section 10). Claude Code
/// sends such records; a record that is sent again gives the same span again.
package struct ReportedSpan: Sendable {
    /// The span. It lies in a trace of its prompt; where the record names a trace, in that one's ``TraceID/standIn``.
    package let span: Span
    /// The trace that the record names: where that sends spans, this one tells nothing new.
    package let namedTrace: TraceID?

    private static let scopePrefix = "com.anthropic.claude_code"
    private static let eventPrefix = "claude_code."

    /// The span of a record; nil where it tells of no ended work.
    init?(_ record: LogRecord, _ surroundings: Surroundings, _ receivedAt: Timestamp) {
        let names = [record.eventName, record.attributes["event.name"]?.string, record.body?.string]
            .compactMap(\.self)
        guard
            surroundings.scopeName.hasPrefix(Self.scopePrefix)
                || names.contains(where: { $0.hasPrefix(Self.eventPrefix) }),
            let name = names.first(where: { !$0.isEmpty })
        else { return nil }
        let event = name.hasPrefix(Self.eventPrefix) ? String(name.dropFirst(Self.eventPrefix.count)) : name
        guard ["api_request", "api_error", "tool_result"].contains(event) else { return nil }
        namedTrace = record.traceID
        var span = Self.outline(record, surroundings, event, receivedAt)
        if event == "tool_result" {
            Self.tellTool(record.attributes, &span)
        } else {
            Self.tellRequest(record.attributes, failed: event == "api_error", &span)
        }
        self.span = span
    }

    private static func outline(
        _ record: LogRecord,
        _ surroundings: Surroundings,
        _ event: String,
        _ receivedAt: Timestamp
    ) -> Span {
        let carried = Carried(record.attributes)
        let (trace, id) = identity(record, event)
        let end = record.timestamp(receivedAt)
        let duration = count(record.attributes["duration_ms"])
        var span = Span(
            id: id,
            traceID: trace,
            name: eventPrefix + event,
            startTime: duration.map { end.advanced(by: .nanoseconds(-Int64(clamped($0) * 1_000_000))) } ?? end
        )
        // How long it took is not known where the record does not say it.
        if duration != nil { span.endTime = end }
        span.attributes = carried.rest
        span.resource = surroundings.resource
        span.scope = ["name": .string(surroundings.scopeName)]
        if let named = record.traceID {
            span.scope = ["name": .string(TraceID.standInScope.description)]
            span.links = record.spanID.map { [Span.Link(traceID: named, spanID: $0)] } ?? []
        }
        let correlation = carried.correlation(surroundings.correlation)
        span.agent = "claude_code"
        (span.service, span.environment) = (correlation.serviceName, correlation.environment)
        for (key, text) in [
            ("sessionId", correlation.sessionID), ("userId", correlation.userID),
            ("organizationId", correlation.organizationID), ("environment", correlation.environment),
            ("serviceName", correlation.serviceName),
        ] {
            span.metadata[key] = text.map(Value.string)
        }
        span.metadata = span.metadata.merging(carried.metadata)
        return span
    }

    /// The same for the same record, and another for every other.
    private static func identity(_ record: LogRecord, _ event: String) -> (trace: TraceID, span: SpanID) {
        let session = text(record.attributes["session.id"])
        let prompt = text(record.attributes["prompt.id"])
        var hash = StableHash()
        for field in [
            session, prompt, event, text(record.attributes["event.sequence"]),
            text(record.attributes["request_id"]), text(record.attributes["tool_use_id"]),
            String(record.statedNano),
        ] {
            hash.add(field)
        }
        let span = SpanID(value: max(UInt64(truncatingIfNeeded: hash.value), 1))
        if let named = record.traceID { return (named.standIn, span) }
        // What one prompt led to is one trace.
        var run = StableHash()
        for field in ["claude_code", session, prompt, prompt == nil ? span.description : nil] {
            run.add(field)
        }
        let trace = TraceID(
            high: UInt64(truncatingIfNeeded: run.value >> 64),
            low: UInt64(truncatingIfNeeded: run.value)
        )
        return (trace, span)
    }

    private static func tellRequest(_ attributes: Value.Object, failed: Bool, _ span: inout Span) {
        span.type = .modelGeneration
        span.typeName = span.type.name
        span.kind = .client
        span.model = text(attributes["model"])
        span.provider = "anthropic"
        if failed || isFalse(attributes["success"]) { fail(attributes, &span) }
        // Four counts that exclude each other; the input has all that was sent.
        let (read, write) = (
            count(attributes["cache_read_tokens"]), count(attributes["cache_creation_tokens"])
        )
        let sent = [count(attributes["input_tokens"]), read, write].compactMap(\.self)
        var usage = Span.Usage()
        usage.inputTokens = sent.isEmpty ? nil : sent.reduce(0, +)
        usage.outputTokens = count(attributes["output_tokens"])
        (usage.cacheReadTokens, usage.cacheWriteTokens) = (read, write)
        usage.cost = count(attributes["cost_usd"])
        if usage != Span.Usage() { span.usage = usage }
    }

    private static func tellTool(_ attributes: Value.Object, _ span: inout Span) {
        let parameters = attributes["tool_parameters"].map(AttributeValues.decoded)
        let name = text(attributes["tool_name"])
        let parts =
            name?.hasPrefix("mcp__") == true ? name?.dropFirst(5).split(separator: "__", maxSplits: 1) : nil
        let remote =
            text(parameters?["mcp_tool_name"]) ?? (parts?.count == 2 ? parts?.last.map(String.init) : nil)
        let isRemote = remote != nil || parameters?["mcp_server_name"] != nil || parts != nil
        span.type = isRemote ? .mcpToolCall : .toolCall
        span.typeName = span.type.name
        span.tool = remote ?? name
        span.entityType = "tool"
        span.entityName = span.tool
        span.input = parameters ?? attributes["tool_input"].map(AttributeValues.decoded)
        if isFalse(attributes["success"]) { fail(attributes, &span) }
    }

    private static func fail(_ attributes: Value.Object, _ span: inout Span) {
        let message = text(attributes["error"]) ?? text(attributes["error_message"]) ?? ""
        span.errorInfo = Span.ErrorInfo(message: message, id: text(attributes["error.type"]))
        span.status = .error
    }

    private static func isFalse(_ value: Value?) -> Bool {
        value == .bool(false) || value?.string?.lowercased() == "false"
    }

    /// A count that was sent as a number or as text.
    private static func count(_ value: Value?) -> Double? {
        value?.number.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
    }

    /// At most a year: longer is no duration of a call.
    private static func clamped(_ milliseconds: Double) -> Double { min(milliseconds, 365 * 86_400_000) }

    private static func text(_ value: Value?) -> String? {
        switch value {
        case .string(let text): text.isEmpty ? nil : text
        case .int(let number): String(number)
        default: nil
        }
    }
}
