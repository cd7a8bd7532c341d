import NightjarOTLP
import NightjarSignals
import Testing

/// A generation's attributes under the names of the signals contract, whoever sent it.
struct GenerationAttributesTests {
    private static func span(
        _ attributes: [(String, TestValue)],
        scope: String = "test",
        _ change: (inout TestSpan) -> Void = { _ in }
    ) throws -> Span {
        var span = TestSpan(attributes: attributes)
        change(&span)
        let request = try TraceRequest.decode(
            body([span], scope: scope),
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
        return OTLPSpanReader().span(try #require(request.references.first))
    }

    @Test func `a request says model, usage and time under the names of the contract`() throws {
        let span = try Self.span([
            ("gen_ai.operation.name", "chat"), ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "gpt"), ("gen_ai.response.model", "gpt-1"),
            ("gen_ai.response.finish_reasons", ["stop"]), ("gen_ai.request.stream", true),
            ("gen_ai.usage.input_tokens", 10), ("gen_ai.usage.output_tokens", "4"),
            ("gen_ai.usage.cache_read.input_tokens", 6), ("gen_ai.usage.cache_write.input_tokens", 1),
            ("gen_ai.usage.reasoning.output_tokens", 2), ("gen_ai.usage.audio.input_tokens", 3),
            ("gen_ai.usage.image.output_tokens", 1), ("gen_ai.usage.text.output_tokens", 3),
            ("operation.cost", 0.5), ("gen_ai.response.time_to_first_chunk", 0.25),
        ])
        let wanted: Value.Object = [
            "model": "gpt", "responseModel": "gpt-1", "provider": "openai", "finishReason": "stop",
            "streaming": true, "completionStartTime": "1970-01-01T00:00:01.250Z",
            "usage": [
                "inputTokens": 10, "outputTokens": 4,
                "inputDetails": ["audio": 3, "cacheRead": 6, "cacheWrite": 1],
                "outputDetails": ["text": 3, "image": 1, "reasoning": 2],
                "cost": ["amount": 0.5, "currency": "USD"],
            ],
        ]
        for (key, value) in wanted.entries { #expect(span.attributes[key] == value, "\(key)") }
        // What came stays beside it.
        #expect(span.attributes["gen_ai.request.model"] == "gpt")
        #expect(span.attributes["gen_ai.usage.output_tokens"] == "4")
    }

    static let parameters: [(sender: String, attributes: [(String, TestValue)])] = [
        (
            "GenAI",
            [
                ("gen_ai.operation.name", "chat"), ("gen_ai.request.temperature", 0.5),
                ("gen_ai.request.top_p", 0.9), ("gen_ai.request.max_tokens", 64),
                ("gen_ai.request.frequency_penalty", "0.25"), ("gen_ai.request.stop_sequences", ["end"]),
            ]
        ),
        (
            "OpenInference",
            [
                ("openinference.span.kind", "LLM"),
                (
                    "llm.invocation_parameters",
                    #"{"temperature":0.5,"top_p":0.9,"max_tokens":64,"frequency_penalty":0.25,"stop":"end"}"#
                ),
            ]
        ),
        (
            "Langfuse",
            [
                ("langfuse.observation.type", "generation"),
                (
                    "langfuse.observation.model.parameters",
                    #"{"temperature":"0.5","top_p":0.9,"max_tokens":64,"frequency_penalty":0.25,"stop":["end"],"seed":"Infinity"}"#
                ),
            ]
        ),
        (
            "AI SDK",
            [
                ("ai.operationId", "ai.generateText.doGenerate"), ("ai.settings.temperature", 0.5),
                ("ai.settings.topP", 0.9), ("ai.settings.maxOutputTokens", 64),
                ("ai.settings.frequencyPenalty", 0.25), ("ai.settings.stopSequences", ["end"]),
            ]
        ),
        (
            "Mastra",
            [
                ("mastra.span.type", "model_generation"), ("gen_ai.request.temperature", 0.5),
                ("gen_ai.request.top_p", 0.9), ("gen_ai.request.max_tokens", 64),
                ("gen_ai.request.frequency_penalty", 0.25), ("gen_ai.request.stop_sequences", "[\"end\"]"),
            ]
        ),
    ]

    @Test(arguments: parameters.indices)
    func `a request's parameters are the same ones, whoever sends them`(_ place: Int) throws {
        let (sender, attributes) = Self.parameters[place]
        let wanted: Value = [
            "temperature": 0.5, "topP": 0.9, "maxOutputTokens": 64, "frequencyPenalty": 0.25,
            "stopSequences": ["end"],
        ]
        #expect(try Self.span(attributes).attributes["parameters"] == wanted, "\(sender)")
    }

    static let parts: [(attributes: [(String, TestValue)], input: Value?, output: Value?)] = [
        (
            [
                ("openinference.span.kind", "LLM"), ("llm.token_count.prompt_details.audio", 2),
                ("llm.token_count.completion_details.audio", 0),
            ], ["audio": 2], ["audio": 0]
        ),
        (
            [
                ("mastra.span.type", "model_generation"), ("gen_ai.usage.audio_input_tokens", 2),
                ("gen_ai.usage.audio_output_tokens", 1),
            ], ["audio": 2], ["audio": 1]
        ),
        (
            [
                ("langfuse.observation.type", "generation"),
                (
                    "langfuse.observation.usage_details",
                    #"{"input":1,"input_image_tokens":2,"output":1,"output_audio_tokens":3}"#
                ),
            ], ["image": 2], ["audio": 3]
        ),
        (
            [
                ("langfuse.observation.type", "generation"),
                (
                    "langfuse.observation.usage_details",
                    #"{"prompt_tokens":9,"prompt_tokens_details":{"audio_tokens":2,"text_tokens":7}}"#
                ),
            ], ["audio": 2, "text": 7], nil
        ),
        (
            [
                ("langsmith.span.kind", "llm"),
                (
                    "langsmith.metadata.usage_metadata",
                    #"{"input_tokens":9,"input_token_details":{"audio":2},"output_token_details":{"audio":1}}"#
                ),
            ], ["audio": 2], ["audio": 1]
        ),
        ([("gen_ai.operation.name", "chat"), ("gen_ai.usage.audio.input_tokens", -1)], nil, nil),
    ]

    @Test(arguments: parts.indices)
    func `counts by modality are parts of their side`(_ place: Int) throws {
        let (attributes, input, output) = Self.parts[place]
        let usage = try Self.span(attributes).attributes["usage"]
        #expect(usage?["inputDetails"] == input)
        #expect(usage?["outputDetails"] == output)
    }

    @Test func `what a sender writes under such a name stays, and other spans get none`() throws {
        let span = try Self.span(
            [("span.type", "llm_request"), ("model", "claude"), ("input_tokens", 3), ("usage", "mine")],
            scope: "com.anthropic.claude_code"
        )
        #expect(span.attributes["usage"] == "mine")
        #expect(span.attributes["model"] == "claude")
        let tool = try Self.span([("gen_ai.operation.name", "execute_tool"), ("gen_ai.request.model", "m")])
        #expect(tool.attributes == ["gen_ai.operation.name": "execute_tool", "gen_ai.request.model": "m"])
    }

    @Test func `a streamed call of the AI SDK says so`() throws {
        for (operation, isStreaming) in [
            ("ai.streamText.doStream", true), ("ai.generateText.doGenerate", false),
        ] {
            let span = try Self.span([("ai.operationId", .text(operation))])
            #expect(span.attributes["streaming"] == .bool(isStreaming))
        }
    }

    @Test func `an error has the domain and category that its sender names`() throws {
        let span = try Self.span([
            ("mastra.span.type", "tool_call"), ("error.type", "TOOL_FAILED"), ("error.message", "no price"),
            ("error.domain", "tool"), ("error.category", "user"),
        ])
        #expect(span.errorInfo?.id == "TOOL_FAILED")
        #expect(span.errorInfo?.message == "no price")
        #expect(span.errorInfo?.domain == "tool")
        #expect(span.errorInfo?.category == "user")
    }

    @Test func `bare keys of the run context are metadata where Mastra wrote them`() throws {
        let bare: [(String, TestValue)] = [
            ("runId", "r"), ("threadId", "t"), ("userId", 7), ("resourceId", "x"), ("other", "no"),
        ]
        let span = try Self.span([("mastra.span.type", "agent_run")] + bare)
        #expect(
            span.metadata == [
                "runId": "r", "threadId": "t", "userId": "7", "resourceId": "x", "sessionId": "t",
                "serviceName": "tests",
            ]
        )
        #expect(try Self.span(bare).metadata == ["serviceName": "tests"])
    }
}
