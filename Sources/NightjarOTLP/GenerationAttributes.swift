import CNightjarSignals
import NightjarSignals

/// What a request to a model says, under the names that the signals contract, section 4, gives it: written beside the
/// sender's own attributes, under keys that it has not itself.
struct GenerationAttributes {
    let attributes: SpanAttributes
    let row: nj_span

    /// Completes the attributes of a generation that came from a sender of another kind.
    static func complete(_ span: inout Span, _ reference: SpanReference) {
        guard span.type == .modelGeneration, !reference.row.pointee.isNative else { return }
        let own = GenerationAttributes(attributes: SpanAttributes(reference), row: reference.row.pointee)
        for (key, value) in own.normalised where span.attributes[key] == nil { span.attributes[key] = value }
    }

    private var normalised: [(String, Value)] {
        let found: [(String, Value?)] = [
            ("model", text(row.model)), ("provider", text(row.provider)),
            ("responseModel", text(row.response_model)), ("finishReason", text(row.finish_reason)),
            ("streaming", isStreaming), ("parameters", parameters.ifAny), ("usage", usage.ifAny),
            ("completionStartTime", completionStart),
        ]
        return found.compactMap { key, value in value.map { (key, $0) } }
    }

    private func text(_ text: nj_text) -> Value? {
        text.hasBytes ? text.string.map(Value.string) : nil
    }

    private var isStreaming: Value? {
        if case .bool(let isStreaming)? = attributes.first(Self.streaming) { return .bool(isStreaming) }
        guard let operation = attributes.first(Self.vercelOperation)?.string else { return nil }
        return .bool(operation.hasSuffix(".doStream"))
    }

    private var completionStart: Value? {
        guard !row.time_to_first_token_ms.isNaN, row.start_nano != 0 else { return nil }
        let start = Timestamp(unixNano: Int64(clamping: row.start_nano))
        let instant = Timestamp(unixMilliseconds: row.time_to_first_token_ms)
        return instant.map { .string(start.advanced(by: .nanoseconds($0.unixNano)).description) }
    }

    private static let streaming = [
        symbol("gen_ai.request.stream"), symbol("gen_ai.is_streaming"), symbol("llm.is_streaming"),
    ]
    private static let vercelOperation = [symbol("ai.operationId")]
}

// MARK: - Parameters

extension GenerationAttributes {
    /// A parameter of a request: the attributes that state it, by precedence, and its names in objects of parameters.
    private struct Parameter {
        let name: String
        let keys: [Int32]
        let members: [String]

        init(_ name: String, _ keys: [StaticString], _ members: [String]) {
            self.name = name
            self.keys = keys.map(symbol)
            self.members = members
        }
    }

    private static let parameterTable = [
        Parameter(
            "temperature",
            ["gen_ai.request.temperature", "ai.settings.temperature", "langsmith.metadata.ls_temperature"],
            ["temperature"]
        ),
        Parameter("topP", ["gen_ai.request.top_p", "ai.settings.topP"], ["top_p", "topP"]),
        Parameter("topK", ["gen_ai.request.top_k", "llm.top_k", "ai.settings.topK"], ["top_k", "topK"]),
        Parameter(
            "maxOutputTokens",
            [
                "gen_ai.request.max_tokens", "ai.settings.maxOutputTokens", "ai.settings.maxTokens",
                "langsmith.metadata.ls_max_tokens",
            ],
            ["max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens", "maxTokens"]
        ),
        Parameter(
            "frequencyPenalty",
            ["gen_ai.request.frequency_penalty", "llm.frequency_penalty", "ai.settings.frequencyPenalty"],
            ["frequency_penalty", "frequencyPenalty"]
        ),
        Parameter(
            "presencePenalty",
            ["gen_ai.request.presence_penalty", "llm.presence_penalty", "ai.settings.presencePenalty"],
            ["presence_penalty", "presencePenalty"]
        ),
        Parameter("seed", ["gen_ai.request.seed", "ai.settings.seed"], ["seed"]),
    ]

    private static let stopSequences = Parameter(
        "stopSequences",
        ["gen_ai.request.stop_sequences", "llm.chat.stop_sequences", "ai.settings.stopSequences"],
        ["stop_sequences", "stopSequences", "stop"]
    )

    /// Objects of parameters in JSON: OpenInference's and Langfuse's.
    private static let parameterObjects = [
        symbol("llm.invocation_parameters"), symbol("langfuse.observation.model.parameters"),
    ]

    private var parameters: Value.Object {
        let members = attributes.first(Self.parameterObjects).map(AttributeValues.decoded)?.object ?? [:]
        func stated(_ parameter: Parameter) -> Value? {
            attributes.first(parameter.keys) ?? parameter.members.lazy.compactMap { members[$0] }.first
        }
        var found = Value.Object()
        for parameter in Self.parameterTable { found[parameter.name] = stated(parameter).flatMap(number) }
        if let sequences = stated(Self.stopSequences).map(AttributeValues.decoded), sequences != .null {
            found["stopSequences"] = sequences.array == nil ? .array([sequences]) : sequences
        }
        return found
    }

    /// A finite number, also where it was sent as text: some senders write `Infinity` for what is not limited.
    private func number(_ value: Value) -> Value? {
        guard let number = value.number, number.isFinite else { return nil }
        return whole(number)
    }

    /// A number without a fraction where it has none.
    func whole(_ number: Double) -> Value { Int64(exactly: number).map(Value.int) ?? .double(number) }
}
