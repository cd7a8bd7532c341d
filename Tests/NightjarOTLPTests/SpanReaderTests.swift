import CNightjarSignals
import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Testing

/// Content of recorded and of written spans, across conventions.
struct SpanReaderTests {
    private static let reader = OTLPSpanReader()

    /// The first recorded span of a client with this name and type that did not fail.
    private static func recorded(_ client: String, _ name: String, _ type: SpanType) throws -> SpanReference {
        for request in try Captures.named(client).traceRequests {
            for reference in try request.decoded().references {
                let row = reference.row.pointee
                if row.name.string == name, row.spanType == type, row.spanStatus == .ok { return reference }
            }
        }
        throw Missing(description: "\(client) \(name)")
    }

    private struct Missing: Error { let description: String }

    private static func written(
        _ attributes: [(String, TestValue)],
        _ change: (inout TestSpan) -> Void = { _ in }
    ) throws
        -> SpanReference
    {
        var span = TestSpan(attributes: attributes)
        change(&span)
        let request = try TraceRequest.decode(
            body([span]),
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
        return try #require(request.references.first)
    }

    private static func text(_ bytes: [UInt8]?) -> String? {
        bytes.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(arguments: [
        ("genai-openai", "chat gpt-4o-mini"), ("genai-langchain", "chat gpt-4o-mini"),
        ("pydantic-ai", "chat gpt-4o-mini"),
        ("traceloop", "openai.chat"), ("oi-openai-agents", "response"), ("oi-langchain", "ChatOpenAI"),
        ("oi-anthropic", "messages.create"), ("langsmith", "ChatOpenAI"), ("langfuse", "OpenAI-generation"),
    ])
    func `a recorded request is the same conversation in whatever shape it was sent`(
        _ client: String,
        _ name: String
    ) throws {
        // The driver of every client asks the same; of several requests take one that has seen no tool yet.
        let references = try Captures.named(client).traceRequests.flatMap { try $0.decoded().references }
        let first = try #require(
            references.first {
                $0.row.pointee.name.string == name && Self.reader.messages($0)?.array?.count == 3
                    && Self.reader.toolCalls($0) != nil
            }
        )
        let messages = try #require(Self.reader.messages(first)?.array)
        #expect(messages.map { $0["role"]?.string } == ["system", "user", "assistant"])
        #expect(messages[0]["parts"] == [["type": "text", "text": "Be short."]])
        let call = try #require(Self.reader.toolCalls(first)?.array?.first)
        #expect(call["name"]?.string == "get_weather" || call["name"]?.string == "lookup_price")
        #expect(call["arguments"]?.object != nil)
        #expect(call["id"]?.string?.isEmpty == false)
        #expect(Self.text(Self.reader.inputText(first))?.hasPrefix("Be short.\n") == true)
        #expect(Self.text(Self.reader.outputText(first)) == "")
    }

    @Test(arguments: [
        ("genai-langchain", "execute_tool get_weather", #"{"city":"Oslo"}"#, "Oslo: 7 degrees, light rain"),
        ("pydantic-ai", "execute_tool get_weather", #"{"city":"Oslo"}"#, "Oslo: 7 degrees, light rain"),
        ("oi-openai-agents", "get_weather", #"{"city":"Oslo"}"#, "Oslo: 7 degrees, light rain"),
        ("oi-langchain", "get_weather", "Oslo", "Oslo: 7 degrees, light rain"),
        ("langsmith", "get_weather", #"{"city":"Oslo"}"#, "Oslo: 7 degrees, light rain"),
        ("langfuse", "get_weather", #"{"args":[],"kwargs":{"city":"Oslo"}}"#, "Oslo: 7 degrees, light rain"),
        (
            "traceloop", "get_weather.tool", #"{"args":[],"kwargs":{"city":"Oslo"}}"#,
            "Oslo: 7 degrees, light rain"
        ),
        ("semantic-kernel", "execute_tool P-get_weather", #"{"city":"Oslo"}"#, "Oslo: 7 degrees, light rain"),
        ("synth-vercel-ai", "ai.toolCall", #"{"city":"Oslo"}"#, "7 degrees"),
        ("synth-mastra", "execute_tool get-weather", #"{"city":"Oslo"}"#, "7 degrees"),
    ])
    func `a recorded tool call says what went in and what came out`(
        _ client: String,
        _ name: String,
        _ input: String,
        _ output: String
    ) throws {
        let reference = try Self.recorded(client, name, .toolCall)
        #expect(Self.text(Self.reader.inputText(reference)) == input)
        #expect(Self.text(Self.reader.outputText(reference)) == output)
    }

    @Test(arguments: [
        ("genai-langchain", "invoke_agent trip_planner", "Short answer number"),
        ("pydantic-ai", "invoke_agent trip_planner", "Short answer number"),
        ("langsmith", "trip_planner", "Short answer number"),
        ("oi-langchain", "trip_planner", "Short answer number"),
        ("langfuse", "trip_planner", "Short answer number"),
        ("traceloop", "trip_planner.agent", "Short answer number"),
        ("semantic-kernel", "invoke_agent trip_planner", "Short answer number"),
        ("synth-vercel-ai", "ai.generateText", "done"), ("synth-mastra", "invoke_agent trip-planner", "done"),
    ])
    func `a recorded agent's output is its last answer`(_ client: String, _ name: String, _ start: String)
        throws
    {
        let reference = try Self.recorded(client, name, .agentRun)
        #expect(Self.text(Self.reader.outputText(reference))?.hasPrefix(start) == true)
    }

    @Test(arguments: [
        (#"[{"role":"user","content":[{"type":"input_text","text":"hi"}]}]"#, "hi"),
        (
            #"{"model":"c","system":[{"type":"text","text":"S"}],"messages":[{"role":"user","content":"hi"}]}"#,
            "S\nhi"
        ),
        (#"{"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]}]}"#, "a\nb"),
        (#"{"input":"question","model":"m"}"#, "question"),
        ("plain words", "plain words"), ("42", "42"), (#""quoted""#, "quoted"), ("{broken", "{broken"),
        (#"[["human","one"],["ai","two"]]"#, "one\ntwo"),
    ])
    func `input of any shape has its text`(_ input: String, _ text: String) throws {
        let reference = try Self.written([
            ("gen_ai.operation.name", "chat"), ("gen_ai.input.messages", .text(input)),
        ])
        #expect(Self.text(Self.reader.inputText(reference)) == text)
    }

    @Test func `indexed keys become messages, in the order of their numbers`() throws {
        var attributes: [(String, TestValue)] = [("openinference.span.kind", "LLM")]
        for index in [10, 2, 0] {
            attributes.append(("llm.input_messages.\(index).message.role", "user"))
            attributes.append(("llm.input_messages.\(index).message.content", .text("text \(index)")))
        }
        attributes.append(("llm.output_messages.0.message.role", "assistant"))
        attributes.append(("llm.output_messages.0.message.tool_calls.0.tool_call.id", "c1"))
        attributes.append(("llm.output_messages.0.message.tool_calls.0.tool_call.function.name", "look"))
        attributes.append(
            ("llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments", #"{"x":1}"#)
        )
        let reference = try Self.written(attributes)
        #expect(Self.text(Self.reader.inputText(reference)) == "text 0\ntext 2\ntext 10")
        #expect(Self.reader.toolCalls(reference) == [["id": "c1", "name": "look", "arguments": ["x": 1]]])
    }

    @Test func `old OpenLLMetry keys become messages`() throws {
        let reference = try Self.written([
            ("gen_ai.operation.name", "chat"), ("gen_ai.prompt.0.role", "user"),
            ("gen_ai.prompt.0.content", "hi"),
            ("gen_ai.completion.0.role", "assistant"), ("gen_ai.completion.0.content", "hello"),
        ])
        #expect(Self.text(Self.reader.inputText(reference)) == "hi")
        #expect(Self.text(Self.reader.outputText(reference)) == "hello")
    }

    @Test func `messages in span events are read`() throws {
        let reference = try Self.written([("gen_ai.operation.name", "chat")]) { span in
            span.events = [
                ("gen_ai.system.message", 1, [("content", "S")]),
                ("gen_ai.user.message", 2, [("content", "hi")]),
                ("gen_ai.choice", 3, [("message", #"{"content":"hello"}"#), ("finish_reason", "stop")]),
            ]
        }
        #expect(
            Self.reader.messages(reference)?.array?.map { $0["role"]?.string } == [
                "system", "user", "assistant",
            ]
        )
        #expect(Self.text(Self.reader.outputText(reference)) == "hello")
    }

    @Test func `metadata are the caller's keys and the run context`() throws {
        let reference = try Self.written([
            ("langfuse.trace.metadata.tier", "\"gold\""), ("langfuse.observation.metadata.n", "3"),
            ("mastra.metadata.region", "eu"), ("metadata", #"{"a":{"b":1}}"#), ("session.id", "s"),
            ("user.id", "u"),
        ])
        #expect(
            Self.reader.metadata(reference) == [
                "tier": "gold", "n": 3, "region": "eu", "a": ["b": 1], "sessionId": "s", "userId": "u",
                "serviceName": "tests",
            ]
        )
    }

    @Test(arguments: [
        ("tag.tags", TestValue.list(["a", "b"])), ("langsmith.span.tags", "a, b"),
        ("mastra.tags", #"["a","b"]"#),
    ])
    func `tags are lists, JSON or text with commas`(_ key: String, _ value: TestValue) throws {
        #expect(Self.reader.tags(try Self.written([(key, value)])) == ["a", "b"])
    }

    @Test func `a span without content has none`() throws {
        let reference = try Self.written([("x", 1)])
        #expect(Self.reader.input(reference) == nil)
        #expect(Self.reader.outputText(reference) == nil)
        #expect(Self.reader.messages(reference) == nil)
        #expect(Self.reader.toolCalls(reference) == nil)
    }
}
