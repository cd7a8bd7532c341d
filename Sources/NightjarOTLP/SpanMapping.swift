import CNightjarSignals
import NightjarSignals

/// Writes onto a row what the span itself says, by the rules of its convention.
enum SpanMapping {
    static func apply(_ span: SpanWords, _ outcome: SpanOutcome, _ context: nj_context, to row: inout nj_span)
    {
        row.convention = span.convention.rawValue
        if span.convention == .native { return NativeMapping.apply(span, outcome, context, to: &row) }
        setType(span, &row)
        setNames(span, &row)
        setModel(span, &row)
        setCounts(span, outcome, &row)
        let isError = ErrorRules.isError(span, outcome)
        row.setState(hasEnded: false, isEvent: false, isError: isError)
        if isError {
            row.error_type = ErrorRules.type(span, outcome)
            row.error_message = ErrorRules.message(span, outcome)
        }
        setRunContext(span, context, &row)
    }

    private static func setType(_ span: SpanWords, _ row: inout nj_span) {
        // A log record that Logfire sends as a span is about nothing but itself.
        let isLog = span.facts.text(.logfireType).equals("log")
        let type = isLog ? .generic : KindRules.type(span)
        row.type = type.rawValue
        let isUnknown = type == .generic && span.convention == .mastra
        row.type_text = isUnknown ? span.word(.mastraType) : nj_text(SpanType.names[Int(type.rawValue)])
    }

    private static func setNames(_ span: SpanWords, _ row: inout nj_span) {
        let type = SpanType(rawValue: row.type) ?? .generic
        row.agent = NameRules.agent(span, type: type)
        row.workflow = NameRules.workflow(span, type: type)
        if type.isTool { row.tool = NameRules.tool(span) }
    }

    private static func setModel(_ span: SpanWords, _ row: inout nj_span) {
        if let attribute = span.facts.attribute(.provider) {
            let isKits = span.convention == .vercel || attribute.keyText.equals("ai.model.provider")
            row.provider = ProviderNames.folded(span.word(.provider), cutting: isKits)
        }
        row.response_model = span.word(.responseModel)
        row.model = span.word(.model)
        if !row.model.isPresent {
            if span.convention == .claudeCode || span.convention == .mlflow {
                row.model = span.word(.bareModel)
            } else if span.scope.equals("pydantic-ai") {
                row.model = span.word(.pydanticModel)
            }
        }
        if span.isAgentDevelopmentKit {
            row.model = withoutProvider(row.model, row.provider)
            row.response_model = withoutProvider(row.response_model, row.provider)
        }
    }

    /// Google's kit writes `openai/gpt-4o` for models of LiteLLM; what stands before the slash goes if it is the provider.
    private static func withoutProvider(_ model: nj_text, _ provider: nj_text) -> nj_text {
        guard let slash = model.buffer.firstIndex(of: UInt8(ascii: "/")), slash + 1 < model.buffer.count
        else {
            return model
        }
        let head = nj_text(UnsafeRawBufferPointer(rebasing: model.buffer[..<slash]))
        let isProvider = ProviderNames.folded(head, cutting: false).equals(provider)
        return isProvider ? model.dropFirst(slash + 1) : model
    }

    private static func setCounts(_ span: SpanWords, _ outcome: SpanOutcome, _ row: inout nj_span) {
        let counts = TokenCounts(span, provider: row.provider)
        row.input_tokens = counts.input
        row.output_tokens = counts.output
        row.cache_read_tokens = counts.cacheRead
        row.cache_write_tokens = counts.cacheWrite
        row.reasoning_tokens = counts.reasoning
        row.cost = cost(span.facts)
        row.finish_reason = finishReason(span)
        row.time_to_first_token_ms = timeToFirstToken(span, outcome, startNano: row.start_nano)
    }

    private static func cost(_ facts: SpanFacts) -> Double {
        if facts.has(.cost) { return facts.number(.cost) }
        if facts.has(.langfuseCost) {
            let cost = langfuseCost(facts.text(.langfuseCost))
            if !cost.isNaN { return cost }
        }
        return facts.number(.bareCost)
    }

    /// The total that Langfuse's `cost_details` state, else the sum of their parts.
    private static func langfuseCost(_ json: nj_text) -> Double {
        var total = Double.nan
        var parts = Double.nan
        forEachEntry(of: json) { key, reader throws(JSONError) in
            if key.equals("total") {
                total = try reader.plainNumber()
            } else {
                parts = TokenCounts.sum(parts, try reader.plainNumber())
            }
        }
        return total.isNaN ? parts : total
    }

    /// The reason, or the first of several, sent as a list, as JSON text or as plain text.
    private static func finishReason(_ span: SpanWords) -> nj_text {
        guard let attribute = span.facts.attribute(.finishReason) else {
            return span.convention == .claudeCode ? span.word(.stopReason) : .absent
        }
        if attribute.tag == UInt8(NJ_ARRAY.rawValue) { return firstText(of: attribute.encoded) }
        let text = attribute.text
        guard text.hasPrefix("[") else { return unquoted(text, slab: span.slab) }
        var reader = JSONReader(text.buffer)
        var isFirst = true
        guard (try? reader.begin(.array)) != nil, (try? reader.nextElement(&isFirst)) == true,
            let reason = try? reader.text(span.slab)
        else {
            // Not the list it looks like, so there is no first reason to take.
            return .absent
        }
        return reason
    }

    private static func firstText(of list: UnsafeRawBufferPointer) -> nj_text {
        var reader = WireReader(list)
        var element = nj_attribute()
        while !reader.isAtEnd {
            // The list was checked when the span was decoded; a fault here can only end the search.
            guard let tag = try? reader.tag() else { return .absent }
            guard tag == CommonTag.element else {
                guard (try? reader.skip(tag)) != nil else { return .absent }
                continue
            }
            guard var value = try? reader.message() else { return .absent }
            guard (try? value.anyValue(into: &element, depth: 0)) != nil else { return .absent }
            return element.text
        }
        return .absent
    }

    private static func timeToFirstToken(_ span: SpanWords, _ outcome: SpanOutcome, startNano: UInt64)
        -> Double
    {
        let facts = span.facts
        if facts.has(.secondsToFirstToken) { return facts.number(.secondsToFirstToken) * 1000 }
        if facts.has(.firstTokenInstant) {
            let text = unquoted(facts.text(.firstTokenInstant), slab: span.slab).string ?? ""
            let instant = Timestamp(iso8601: text).flatMap { UInt64(exactly: $0.unixNano) }
            let time = instant.map { milliseconds(from: startNano, to: $0) } ?? .nan
            if !time.isNaN { return time }
        }
        if facts.has(.millisecondsToFirstToken) { return facts.number(.millisecondsToFirstToken) }
        if facts.has(.latencyToFirstToken) { return facts.number(.latencyToFirstToken) * 1000 }
        return milliseconds(from: startNano, to: outcome.firstChunkNano)
    }

    private static func milliseconds(from start: UInt64, to end: UInt64) -> Double {
        end >= start && start > 0 ? Double(end - start) / 1_000_000 : .nan
    }

    private static func setRunContext(_ span: SpanWords, _ context: nj_context, _ row: inout nj_span) {
        let chain = span.langChain
        row.session_id = span.first(span.scalar(.session), chain.session, chain.thread)
        row.user_id = span.first(span.scalar(.user), chain.user)
        if span.convention == .mastra {
            // Exporters of 2025 copy the caller's metadata under their own names.
            row.session_id = span.first(row.session_id, span.scalar(.bareSession))
            row.user_id = span.first(row.user_id, span.scalar(.bareUser))
        }
        row.environment = span.first(span.word(.environment), context.environment)
        row.service = context.service
    }
}
