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
        if facts.has(.inputDetails) { fill(from: Self.parts(facts.text(.inputDetails))) }
        if facts.has(.outputDetails) { fill(from: Self.parts(facts.text(.outputDetails))) }
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
        let cached = Self.sum(cacheRead, cacheWrite)
        guard cached > 0 else { return }
        if isDisjoint {
            input = Self.sum(input, cached)
            return
        }
        guard !input.isNaN else { return }
        // A sum cannot be less than its parts: where it is, it was stated without them, as Anthropic's API does.
        let excludes =
            !provider.hasBytes || provider.equals("anthropic") || provider.equals("aws.bedrock")
        if excludes, input < cached { input += cached }
    }

    /// The sum of two counts, of which one or both may not be stated.
    static func sum(_ left: Double, _ right: Double) -> Double {
        left.isNaN ? right : right.isNaN ? left : left + right
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
        var isOwn = false
        forEachEntry(of: json) { key, reader throws(JSONError) in
            if key.equals("input") || key.equals("output") { isOwn = true }
            switch bucket(key) {
            case .none: try reader.skipValue()
            case .input: own.input = sum(own.input, try reader.plainNumber())
            case .output: own.output = sum(own.output, try reader.plainNumber())
            case .cacheRead: own.cacheRead = sum(own.cacheRead, try reader.plainNumber())
            case .cacheWrite: own.cacheWrite = sum(own.cacheWrite, try reader.plainNumber())
            case .reasoning: own.reasoning = sum(own.reasoning, try reader.plainNumber())
            }
        }
        guard isOwn else { return provider(json) }
        own.isDisjoint = true
        own.output = sum(own.output, own.reasoning)
        return own
    }

    private enum Bucket { case none, input, output, cacheRead, cacheWrite, reasoning }

    /// Langfuse adds every bucket named after one side to that side.
    private static func bucket(_ key: JSONReader.Text) -> Bucket {
        if key.equals("input") { return .input }
        if key.equals("output") { return .output }
        // A provider's own sums beside the buckets say the same once more.
        if key.equals("input_tokens") || key.equals("output_tokens") { return .none }
        if key.equals("cache_read_input_tokens") || key.equals("input_cached_tokens")
            || key.equals("input_cache_read")
        {
            return .cacheRead
        }
        if key.equals("cache_creation_input_tokens") || key.equals("input_cache_creation")
            || key.equals("input_cache_write")
        {
            return .cacheWrite
        }
        if key.equals("output_reasoning_tokens") || key.equals("output_reasoning") { return .reasoning }
        let name = nj_text(key.raw)
        return name.hasPrefix("input_") ? .input : name.hasPrefix("output_") ? .output : .none
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

    /// The parts of one side alone.
    private static func parts(_ json: nj_text) -> TokenCounts {
        var counts = TokenCounts()
        var reader = JSONReader(json.buffer)
        do throws(JSONError) {
            try counts.readParts(&reader)
        } catch {
            // The sender's content, not a fault of the request: what was read so far holds.
            return counts
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
}
