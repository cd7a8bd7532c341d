import CNightjarSignals
import NightjarBus
package import NightjarSignals

extension OTLPSpanReader {
    /// The whole span, decoded; agent, workflow and duplicates as the row has them settled.
    package func span(_ reference: SpanReference) -> Span {
        let row = reference.row.pointee
        var span = outline(reference)
        setEncoded(reference, &span)
        span.usage = usage(row)
        span.input = input(reference)
        span.output = output(reference)
        if row.isNative {
            NativeMapping.complete(&span, SpanAttributes(reference))
        } else if span.status == .error {
            span.errorInfo = errorInfo(row, span)
        }
        GenerationAttributes.complete(&span, reference)
        return span
    }

    /// The span without attributes, events, links and content.
    package func outline(_ reference: SpanReference) -> Span {
        let row = reference.row.pointee
        var span = Span(
            id: SpanID(value: row.id),
            traceID: row.traceID,
            name: row.name.string ?? "",
            startTime: Timestamp(unixNano: Int64(clamping: row.start_nano))
        )
        if row.parent_id != 0 { span.parentSpanID = SpanID(value: row.parent_id) }
        if row.end_nano != 0 { span.endTime = Timestamp(unixNano: Int64(clamping: row.end_nano)) }
        if row.duplicate_of != 0 { span.duplicateOf = SpanID(value: row.duplicate_of) }
        span.kind = SpanKind(rawValue: row.kind) ?? .internal
        span.type = row.spanType
        span.typeName = row.type_text.string ?? span.type.name
        span.status = row.spanStatus
        span.isEvent = row.isEvent
        setNames(row, &span)
        span.metadata = metadata(reference)
        span.tags = tags(reference)
        if row.isNative {
            NativeMapping.complete(&span, SpanAttributes(reference))
        } else {
            setEntity(reference, &span)
        }
        return span
    }

    private func setNames(_ row: nj_span, _ span: inout Span) {
        span.agent = stated(row.agent, else: row.settled_agent)
        span.workflow = stated(row.workflow, else: row.settled_workflow)
        span.model =
            row.isNative && row.model.isPresent
            ? row.model.string : stated(row.model, else: row.response_model)
        span.responseModel = row.response_model.string
        span.provider = row.provider.string
        span.tool = row.tool.string
        span.service = row.service.string
        span.environment = row.environment.string
        span.finishReason = row.finish_reason.string
        span.timeToFirstTokenMilliseconds = stated(row.time_to_first_token_ms)
    }

    /// What ran, by the span's type, with the name and id that its convention gives it (signals contract, section 3).
    private func setEntity(_ reference: SpanReference, _ span: inout Span) {
        let attributes = SpanAttributes(reference)
        switch span.type {
        case .agentRun:
            span.entityType = "agent"
            span.entityName = reference.row.pointee.agent.string
            span.entityID = attributes.first(ContentKeys.agentID)?.string
        case .workflowRun:
            span.entityType = "workflow_run"
            span.entityName = reference.row.pointee.workflow.string
            span.entityID = attributes.first(ContentKeys.workflowID)?.string
        case .workflowStep:
            span.entityType = "workflow_step"
            span.entityName = attributes.first(ContentKeys.stepName)?.string ?? stepName(span.name)
        case .toolCall, .mcpToolCall:
            span.entityType = "tool"
            span.entityName = span.tool
        default:
            let isJudge = attributes.row(Self.openInferenceKind)?.text.equals("EVALUATOR") == true
            if isJudge || span.typeName.hasPrefix("scorer_") {
                span.entityType = "eval"
                span.entityName = attributes.first([Self.evaluationName])?.string ?? span.name
            }
        }
    }

    private static let openInferenceKind = symbol("openinference.span.kind")
    private static let evaluationName = symbol("evaluation.name")

    private func stepName(_ name: String) -> String {
        for prefix in ["workflow_step ", "executor.process "] where name.hasPrefix(prefix) {
            return String(name.dropFirst(prefix.count))
        }
        return name
    }

    private func setEncoded(_ reference: SpanReference, _ span: inout Span) {
        let slab = reference.slab
        let context = slab.context(of: reference.row)
        span.attributes = AttributeValues.object(slab.attributes(of: reference.row))
        span.resource = AttributeValues.object(
            slab.attributes(context.first_resource_attribute, context.resource_attribute_count)
        )
        let scope = AttributeValues.object(
            slab.attributes(context.first_scope_attribute, context.scope_attribute_count)
        )
        span.scope["name"] = context.scope_name.string.map { .string($0) }
        span.scope["version"] = context.scope_version.string.map { .string($0) }
        if !scope.isEmpty { span.scope["attributes"] = .object(scope) }
        span.events = events(reference)
        span.links = links(reference)
    }

    private func usage(_ row: nj_span) -> Span.Usage? {
        var usage = Span.Usage()
        usage.inputTokens = stated(row.input_tokens)
        usage.outputTokens = stated(row.output_tokens)
        usage.cacheReadTokens = stated(row.cache_read_tokens)
        usage.cacheWriteTokens = stated(row.cache_write_tokens)
        usage.reasoningTokens = stated(row.reasoning_tokens)
        usage.cost = stated(row.cost)
        return usage == Span.Usage() ? nil : usage
    }

    private func errorInfo(_ row: nj_span, _ span: Span) -> Span.ErrorInfo {
        let exception = span.events.last { $0.name == "exception" }
        var error = Span.ErrorInfo(
            message: row.error_message.string ?? row.error_type.string ?? "",
            id: row.error_type.string,
            stack: exception?.attributes["exception.stacktrace"]?.string
        )
        error.domain = span.attributes["error.domain"]?.string
        error.category = span.attributes["error.category"]?.string
        return error
    }

    private func stated(_ number: Double) -> Double? { number.isNaN ? nil : number }

    private func stated(_ own: nj_text, else other: nj_text) -> String? {
        (own.hasBytes || !other.hasBytes ? own : other).string ?? other.string
    }
}
