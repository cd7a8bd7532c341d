import CNightjarSignals
import NightjarSignals

/// The token counts of one span, NaN where nothing is stated. `input` includes the cached parts once `settle` has run.
struct TokenCounts {
    var input = Double.nan
    var output = Double.nan
    var cacheRead = Double.nan
    var cacheWrite = Double.nan
    var reasoning = Double.nan
    /// Whether the parts of the input were stated beside each other instead of as parts of a sum.
    var isDisjoint = false

    /// The counts of a span by `otlp-mapping.md` section 2; `provider` as it was folded.
    init(_ span: SpanWords, provider: nj_text) {
        let facts = span.facts
        input = facts.number(.inputTokens)
        output = facts.number(.outputTokens)
        cacheRead = facts.number(.cacheReadTokens)
        cacheWrite = facts.number(.cacheWriteTokens)
        reasoning = facts.number(.reasoningTokens)
        if facts.has(.langfuseUsage) { fill(from: Self.langfuse(facts.text(.langfuseUsage))) }
        if facts.has(.mlflowUsage) { fill(from: Self.provider(facts.text(.mlflowUsage))) }
        if facts.has(.langsmithUsage) { fill(from: Self.provider(facts.text(.langsmithUsage))) }
        if span.convention == .claudeCode { fill(from: Self.claudeCode(facts)) }
        settle(provider)
    }

    private init() {}

    /// Takes from `other` what is not stated here.
    private mutating func fill(from other: TokenCounts) {
        if input.isNaN {
            input = other.input
            isDisjoint = other.isDisjoint
        }
        if output.isNaN { output = other.output }
        if cacheRead.isNaN { cacheRead = other.cacheRead }
        if cacheWrite.isNaN { cacheWrite = other.cacheWrite }
        if reasoning.isNaN { reasoning = other.reasoning }
    }

    /// Makes the cached parts part of the input (rules 1 and 2).
    private mutating func settle(_ provider: nj_text) {
        let cached = stated(cacheRead) + stated(cacheWrite)
        guard !input.isNaN, cached > 0 else { return }
        // A sum cannot be less than its parts: where it is, it was stated without them, as Anthropic's API does.
        let excludes =
            !provider.hasBytes || provider.equals("anthropic") || provider.equals("aws.bedrock")
        if isDisjoint || (excludes && input < cached) { input += cached }
    }

    /// Claude Code states four counts beside each other (section 10).
    private static func claudeCode(_ facts: SpanFacts) -> TokenCounts {
        var counts = TokenCounts()
        counts.input = facts.number(.bareInputTokens)
        counts.output = facts.number(.bareOutputTokens)
        counts.cacheRead = facts.number(.bareCacheReadTokens)
        counts.cacheWrite = facts.number(.bareCacheWriteTokens)
        counts.isDisjoint = true
        return counts
    }

    /// Langfuse's `usage_details`: a provider's own shape, or Langfuse's, whose buckets lie beside each other.
    private static func langfuse(_ json: nj_text) -> TokenCounts {
        var own = TokenCounts()
        forEachEntry(of: json) { key, reader throws(JSONError) in
            if key.equals("input") {
                own.input = try reader.plainNumber()
            } else if key.equals("output") {
                own.output = try reader.plainNumber()
            } else if key.equals("cache_read_input_tokens") || key.equals("input_cached_tokens")
                || key.equals("input_cache_read")
            {
                own.cacheRead = try reader.plainNumber()
            } else if key.equals("cache_creation_input_tokens") || key.equals("input_cache_creation")
                || key.equals("input_cache_write")
            {
                own.cacheWrite = try reader.plainNumber()
            } else if key.equals("output_reasoning_tokens") || key.equals("output_reasoning") {
                own.reasoning = try reader.plainNumber()
            } else {
                try reader.skipValue()
            }
        }
        guard !own.input.isNaN || !own.output.isNaN else { return provider(json) }
        own.isDisjoint = true
        own.output += own.output.isNaN ? 0 : own.stated(own.reasoning)
        return own
    }

    /// The usage object of a provider's API or of LangChain: sums with their parts in objects of details.
    private static func provider(_ json: nj_text) -> TokenCounts {
        var counts = TokenCounts()
        forEachEntry(of: json) { key, reader throws(JSONError) in
            if key.equals("input_tokens") || key.equals("prompt_tokens") {
                counts.input = try reader.plainNumber()
            } else if key.equals("output_tokens") || key.equals("completion_tokens") {
                counts.output = try reader.plainNumber()
            } else if key.equals("cache_read_input_tokens") {
                counts.cacheRead = try reader.plainNumber()
            } else if key.equals("cache_creation_input_tokens") {
                counts.cacheWrite = try reader.plainNumber()
            } else if key.equals("prompt_tokens_details") || key.equals("input_tokens_details")
                || key.equals("input_token_details") || key.equals("completion_tokens_details")
                || key.equals("output_tokens_details") || key.equals("output_token_details")
            {
                try counts.readParts(&reader)
            } else {
                try reader.skipValue()
            }
        }
        return counts
    }

    private mutating func readParts(_ reader: inout JSONReader) throws(JSONError) {
        var parts = self
        try reader.forEachEntry { key, reader throws(JSONError) in
            if key.equals("cached_tokens") || key.equals("cache_read") {
                parts.cacheRead = try reader.plainNumber()
            } else if key.equals("cache_creation") || key.equals("cache_write") {
                parts.cacheWrite = try reader.plainNumber()
            } else if key.equals("reasoning_tokens") || key.equals("reasoning") {
                parts.reasoning = try reader.plainNumber()
            } else {
                try reader.skipValue()
            }
        }
        self = parts
    }

    private func stated(_ count: Double) -> Double { count.isNaN ? 0 : count }
}
