import CNightjarSignals
import NightjarSignals

/// What a span of our own says of itself: its carried attributes, else the attributes of its type (signals contract,
/// section 4), its entity and its metadata.
enum NativeMapping {
    /// Fills a row.
    static func apply(_ span: SpanWords, _ outcome: SpanOutcome, _ context: nj_context, to row: inout nj_span)
    {
        let facts = span.facts
        row.type = KindRules.type(span).rawValue
        row.type_text = facts.text(.nativeType)
        // It ended, but when is not known.
        if facts.flag(.nativeEnded) { row.end_nano = 0 }
        row.setState(
            hasEnded: facts.flag(.nativeEnded),
            isEvent: facts.flag(.nativeIsEvent),
            isError: outcome.code == 2
        )
        setNames(facts, &row)
        setRunContext(span, context, &row)
        setCounts(facts, &row)
        guard row.spanStatus == .error else { return }
        row.error_message = outcome.message
        forEachText(of: facts.attribute(.nativeError), slab: span.slab) { key, text in
            if key.equals("id") { row.error_type = text }
        }
    }

    private static func setNames(_ facts: SpanFacts, _ row: inout nj_span) {
        let entity = facts.text(.nativeEntityName)
        row.agent = stated(facts.text(.nativeAgent), else: entity, where: row.spanType == .agentRun)
        row.tool = stated(facts.text(.nativeTool), else: entity, where: row.spanType.isTool)
        row.workflow = stated(facts.text(.nativeWorkflow), else: entity, where: row.spanType == .workflowRun)
        row.model = facts.text(.nativeModel)
        row.response_model = facts.text(.nativeResponseModel)
        row.provider = facts.text(.nativeProvider)
        row.finish_reason = facts.text(.nativeFinishReason)
    }

    private static func stated(_ text: nj_text, else other: nj_text, where applies: Bool) -> nj_text {
        text.isPresent ? text : applies ? other : .absent
    }

    private static func setRunContext(_ span: SpanWords, _ context: nj_context, _ row: inout nj_span) {
        row.service = first(span.facts.text(.nativeService), context.service)
        row.environment = first(span.facts.text(.nativeEnvironment), context.environment)
        forEachText(of: span.facts.attribute(.nativeMetadata), slab: span.slab) { key, text in
            if key.equals("sessionId") {
                row.session_id = text
            } else if key.equals("userId") {
                row.user_id = text
            } else if key.equals("environment") {
                row.environment = first(row.environment, text)
            } else if key.equals("serviceName") {
                row.service = first(row.service, text)
            }
        }
    }

    private static func first(_ left: nj_text, _ right: nj_text) -> nj_text { left.isPresent ? left : right }

    /// Calls `body` with the members of an object that are text, whether the attribute is its JSON or the object itself.
    private static func forEachText(
        of attribute: nj_attribute?,
        slab: Slab,
        _ body: (nj_text, nj_text) -> Void
    ) {
        guard let attribute else { return }
        if attribute.tag == UInt8(NJ_STRING.rawValue) {
            NightjarOTLP.forEachEntry(of: attribute.text) { key, reader throws(JSONError) in
                let text = try reader.text(slab)
                if text.isPresent { body(nj_text(key.raw), text) }
            }
        } else {
            forEachEntry(of: attribute) { key, value in
                if value.text.isPresent { body(key, value.text) }
            }
        }
    }

    /// Calls `body` with the members of a map.
    private static func forEachEntry(of map: nj_attribute?, _ body: (nj_text, nj_attribute) -> Void) {
        guard let map, map.tag == UInt8(NJ_MAP.rawValue) else { return }
        AttributeValues.forEachEntry(of: map.encoded) { body($0.keyText, $0) }
    }
}

// MARK: - Counts

extension NativeMapping {
    private static func setCounts(_ facts: SpanFacts, _ row: inout nj_span) {
        var counts = row
        forEachEntry(of: facts.attribute(.nativeUsage)) { key, value in
            if key.equals("inputTokens") {
                counts.input_tokens = number(value)
            } else if key.equals("outputTokens") {
                counts.output_tokens = number(value)
            } else {
                setParts(key, value, &counts)
            }
        }
        row = counts
        row.time_to_first_token_ms = timeToFirstToken(facts, start: row.start_nano)
    }

    private static func setParts(_ group: nj_text, _ parts: nj_attribute, _ row: inout nj_span) {
        var counts = row
        forEachEntry(of: parts) { key, value in
            if group.equals("inputDetails"), key.equals("cacheRead") {
                counts.cache_read_tokens = number(value)
            } else if group.equals("inputDetails"), key.equals("cacheWrite") {
                counts.cache_write_tokens = number(value)
            } else if group.equals("outputDetails"), key.equals("reasoning") {
                counts.reasoning_tokens = number(value)
            } else if group.equals("cost"), key.equals("amount") {
                counts.cost = number(value)
            }
        }
        row = counts
    }

    private static func timeToFirstToken(_ facts: SpanFacts, start: UInt64) -> Double {
        if facts.has(.nativeMillisecondsToFirstToken) { return facts.number(.nativeMillisecondsToFirstToken) }
        guard let attribute = facts.attribute(.nativeFirstTokenInstant) else { return .nan }
        let instant =
            attribute.text.string.flatMap { Timestamp(iso8601: $0) }
            ?? Timestamp(unixMilliseconds: number(attribute))
        guard let instant, start > 0, instant.unixNano >= Int64(clamping: start) else { return .nan }
        return Double(instant.unixNano - Int64(clamping: start)) / 1_000_000
    }
}

// MARK: - The whole span

extension NativeMapping {
    /// What rows have no room for: the entity and why it failed.
    static func complete(_ span: inout Span, _ attributes: SpanAttributes) {
        span.entityType = attributes.carried(NativeKeys.entityType)?.text.string
        span.entityID = attributes.carried(NativeKeys.entityID)?.text.string
        span.entityName = attributes.carried(NativeKeys.entityName)?.text.string
        guard let error = attributes.carried(NativeKeys.error).map(AttributeValues.parsed)?.object else {
            return
        }
        span.errorInfo = Span.ErrorInfo(json: error)
    }
}
