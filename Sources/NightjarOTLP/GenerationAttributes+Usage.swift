import CNightjarSignals
import NightjarSignals

/// The usage of a generation with its parts, as the signals contract, section 4, has it.
extension GenerationAttributes {
    /// The count of one modality on one side: the attributes that state it, by precedence, and Langfuse's bucket of it.
    private struct Part {
        let name: String
        let keys: [Int32]
        let bucket: String
        /// Its names in a provider's or LangChain's object of details.
        var members: [String] { [name + "_tokens", name] }

        init(_ name: String, _ keys: [StaticString], bucket: String) {
            self.name = name
            self.keys = keys.map(symbol)
            self.bucket = bucket
        }
    }

    private static let inputParts = [
        Part("text", ["gen_ai.usage.text.input_tokens"], bucket: "input_text_tokens"),
        Part(
            "audio",
            [
                "gen_ai.usage.audio.input_tokens", "gen_ai.usage.audio_input_tokens",
                "llm.token_count.prompt_details.audio", "gen_ai.usage.details.input_audio_tokens",
            ],
            bucket: "input_audio_tokens"
        ),
        Part("image", ["gen_ai.usage.image.input_tokens"], bucket: "input_image_tokens"),
    ]

    private static let outputParts = [
        Part(
            "text",
            ["gen_ai.usage.text.output_tokens", "ai.usage.outputTokenDetails.textTokens"],
            bucket: "output_text_tokens"
        ),
        Part(
            "audio",
            [
                "gen_ai.usage.audio.output_tokens", "gen_ai.usage.audio_output_tokens",
                "llm.token_count.completion_details.audio", "gen_ai.usage.details.output_audio_tokens",
            ],
            bucket: "output_audio_tokens"
        ),
        Part("image", ["gen_ai.usage.image.output_tokens"], bucket: "output_image_tokens"),
    ]

    /// Whole usage in JSON: Langfuse's, MLflow's and LangSmith's.
    private static let usageObjects = [
        symbol("langfuse.observation.usage_details"), symbol("mlflow.chat.tokenUsage"),
        symbol("langsmith.metadata.usage_metadata"),
    ]
    private static let inputDetails = [symbol("gen_ai.usage.input_token_details")]
    private static let outputDetails = [symbol("gen_ai.usage.output_token_details")]
    private static let inputMembers = [
        "prompt_tokens_details", "input_tokens_details", "input_token_details",
    ]
    private static let outputMembers = [
        "completion_tokens_details", "output_tokens_details", "output_token_details",
    ]

    /// The counts as the row has them, with the parts of each side.
    var usage: Value.Object {
        let whole = attributes.first(Self.usageObjects).map(AttributeValues.decoded)?.object ?? [:]
        var usage = Value.Object()
        usage["inputTokens"] = count(row.input_tokens)
        usage["outputTokens"] = count(row.output_tokens)
        var input = parts(Self.inputParts, stated: Self.inputDetails, in: whole, Self.inputMembers)
        input["cacheRead"] = count(row.cache_read_tokens)
        input["cacheWrite"] = count(row.cache_write_tokens)
        usage["inputDetails"] = input.ifAny
        var output = parts(Self.outputParts, stated: Self.outputDetails, in: whole, Self.outputMembers)
        output["reasoning"] = count(row.reasoning_tokens)
        usage["outputDetails"] = output.ifAny
        if !row.cost.isNaN {
            usage["cost"] = .object(["amount": .double(row.cost), "currency": "USD"])
        }
        return usage
    }

    private func count(_ number: Double) -> Value? { number.isNaN ? nil : whole(number) }

    private func parts(
        _ parts: [Part],
        stated keys: [Int32],
        in usage: Value.Object,
        _ members: [String]
    ) -> Value.Object {
        let own = attributes.first(keys).map(AttributeValues.decoded)?.object
        let inner: Value.Object? = members.lazy.compactMap { usage[$0]?.object }.first
        let details = own ?? inner ?? [:]
        var found = Value.Object()
        for part in parts {
            let stated: Value? =
                attributes.first(part.keys) ?? part.members.lazy.compactMap { details[$0] }.first
            let value = stated ?? usage[part.bucket]
            guard let number = value?.number, number.isFinite, number >= 0 else { continue }
            found[part.name] = whole(number)
        }
        return found
    }
}
