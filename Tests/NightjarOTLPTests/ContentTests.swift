import CNightjarSignals
import NightjarOTLP
import NightjarSignals
import Testing

/// Where each sender puts what went in and what came out: the mapping's section 14.
struct ContentTests {
    struct Sent: Sendable, CustomTestStringConvertible {
        let sender: String
        var name = "span"
        var scope = "test"
        var isRoot = false
        let attributes: [(String, TestValue)]
        var events: [(name: String, time: UInt64, attributes: [(String, TestValue)])] = []
        /// As text: messages' parts, or the value.
        let input: String?
        let output: String?
        var testDescription: String { sender }
    }

    private static let message = #"[{"role":"user","parts":[{"type":"text","content":"hi"}]}]"#
    private static let answer = #"[{"role":"assistant","parts":[{"type":"text","content":"yo"}]}]"#
    private static let chat: (String, TestValue) = ("gen_ai.operation.name", "chat")
    private static let tool: (String, TestValue) = ("gen_ai.operation.name", "execute_tool")

    static let genAI = [
        Sent(
            sender: "GenAI 1.37",
            attributes: [
                chat, ("gen_ai.input.messages", .text(message)), ("gen_ai.output.messages", .text(answer)),
                ("gen_ai.system_instructions", #"[{"type":"text","content":"S"}]"#),
            ],
            input: "S\nhi",
            output: "yo"
        ),
        Sent(
            sender: "GenAI, instructions as text",
            attributes: [
                chat, ("gen_ai.input.messages", .text(message)), ("gen_ai.system_instructions", "S"),
            ],
            input: "S\nhi",
            output: nil
        ),
        Sent(
            sender: "GenAI, tool",
            attributes: [
                tool, ("gen_ai.tool.call.arguments", #"{"a":1}"#), ("gen_ai.tool.call.result", "7 degrees"),
            ],
            input: #"{"a":1}"#,
            output: "7 degrees"
        ),
        Sent(
            sender: "GenAI, the whole request in one event",
            attributes: [chat],
            events: [
                (
                    "gen_ai.client.inference.operation.details", 1,
                    [
                        ("gen_ai.input.messages", .text(message)),
                        ("gen_ai.output.messages", .text(answer)),
                        ("gen_ai.system_instructions", #"[{"type":"text","content":"S"}]"#),
                    ]
                )
            ],
            input: "S\nhi",
            output: "yo"
        ),
        Sent(
            sender: "GenAI 1.28, an event a message",
            attributes: [chat],
            events: [
                ("gen_ai.system.message", 1, [("content", "S")]),
                ("gen_ai.user.message", 2, [("content", "hi")]),
                ("gen_ai.choice", 3, [("message", #"{"content":"yo"}"#)]),
            ],
            input: "S\nhi",
            output: "yo"
        ),
        Sent(
            sender: "GenAI 1.26, prompt and completion as events",
            attributes: [chat],
            events: [
                (
                    "gen_ai.content.prompt", 1,
                    [("gen_ai.prompt", #"[{"role":"user","content":"hi"}]"#)]
                ),
                (
                    "gen_ai.content.completion", 2,
                    [("gen_ai.completion", #"[{"role":"assistant","content":"yo"}]"#)]
                ),
            ],
            input: "hi",
            output: "yo"
        ),
        Sent(
            sender: "Strands",
            attributes: [chat],
            events: [
                ("gen_ai.user.message", 1, [("content", #"[{"text":"hi"}]"#)]),
                (
                    "gen_ai.assistant.message", 2,
                    [("content", #"[{"toolUse":{"toolUseId":"t","name":"look","input":{}}}]"#)]
                ),
                ("gen_ai.choice", 3, [("message", #"[{"text":"yo"}]"#), ("finish_reason", "end_turn")]),
            ],
            input: "hi",
            output: "yo"
        ),
        Sent(
            sender: "Strands, tool",
            attributes: [tool],
            events: [
                ("gen_ai.tool.message", 1, [("role", "tool"), ("content", #"{"city":"Oslo"}"#)]),
                ("gen_ai.choice", 2, [("message", "7 degrees"), ("id", "t")]),
            ],
            input: #"{"city":"Oslo"}"#,
            output: "7 degrees"
        ),
    ]

    static let conventions = [
        Sent(
            sender: "OpenInference, text that looks like JSON",
            attributes: [
                ("openinference.span.kind", "CHAIN"), ("input.value", "42"),
                ("input.mime_type", "text/plain"),
                ("output.value", #"{"a":1}"#), ("output.mime_type", "application/json"),
            ],
            input: "42",
            output: #"{"a":1}"#
        ),
        Sent(
            sender: "OpenInference, messages alone",
            attributes: [
                ("openinference.span.kind", "LLM"), ("llm.input_messages.0.message.role", "user"),
                ("llm.input_messages.0.message.content", "hi"),
                ("llm.output_messages.0.message.role", "assistant"),
                ("llm.output_messages.0.message.content", "yo"),
            ],
            input: "hi",
            output: "yo"
        ),
        Sent(
            sender: "Traceloop",
            attributes: [
                ("traceloop.span.kind", "task"), ("traceloop.entity.input", "\"in\""),
                ("traceloop.entity.output", "[1]"), ("gen_ai.prompt.0.content", "no"),
            ],
            input: "in",
            output: "[1]"
        ),
        Sent(
            sender: "Mastra",
            attributes: [
                ("mastra.span.type", "agent_run"), ("mastra.agent_run.input", "\"hi\""),
                ("mastra.agent_run.output", #"{"text":"yo"}"#),
            ],
            input: "hi",
            output: "yo"
        ),
        Sent(
            sender: "Mastra, a type of another name here",
            attributes: [
                ("mastra.span.type", "client_tool_call"), ("mastra.client_tool_call.input", #"{"a":1}"#),
                ("mastra.client_tool_call.output", "\"yo\""),
            ],
            input: #"{"a":1}"#,
            output: "yo"
        ),
        Sent(
            sender: "Mastra 2025",
            attributes: [("mastra.span.type", "agent_run"), ("input", "hi"), ("output", "yo")],
            input: "hi",
            output: "yo"
        ),
        Sent(
            sender: "AI SDK, run",
            attributes: [
                ("ai.operationId", "ai.generateText"), ("ai.prompt", #"{"system":"S","prompt":"hi"}"#),
                ("ai.response.text", "yo"),
            ],
            input: "S\nhi",
            output: "yo"
        ),
        Sent(
            sender: "AI SDK, object",
            attributes: [
                ("ai.operationId", "ai.generateObject.doGenerate"),
                ("ai.prompt.messages", #"[{"role":"user","content":[{"type":"text","text":"hi"}]}]"#),
                ("ai.response.object", #"{"a":1}"#),
            ],
            input: "hi",
            output: #"{"a":1}"#
        ),
        Sent(
            sender: "AI SDK, tool",
            attributes: [
                ("ai.operationId", "ai.toolCall"), ("ai.toolCall.args", #"{"a":1}"#),
                ("ai.toolCall.result", "\"7\""),
            ],
            input: #"{"a":1}"#,
            output: "7"
        ),
        Sent(
            sender: "Langfuse, trace on the root",
            isRoot: true,
            attributes: [
                ("langfuse.observation.type", "agent"), ("langfuse.trace.input", "\"hi\""),
                ("langfuse.trace.output", "yo"),
            ],
            input: "hi",
            output: "yo"
        ),
        Sent(
            sender: "Langfuse, trace below the root",
            attributes: [
                ("langfuse.observation.type", "agent"), ("langfuse.trace.input", "hi"),
                ("langfuse.trace.output", "yo"),
            ],
            input: nil,
            output: nil
        ),
        Sent(
            sender: "Langfuse",
            isRoot: true,
            attributes: [
                ("langfuse.observation.type", "generation"),
                (
                    "langfuse.observation.input",
                    #"{"tools":[],"messages":[{"role":"user","content":"hi"}]}"#
                ),
                ("langfuse.observation.output", #"{"role":"assistant","content":"yo"}"#),
                ("langfuse.trace.input", "no"), ("langfuse.trace.output", "no"),
            ],
            input: "hi",
            output: "yo"
        ),
        Sent(
            sender: "LangSmith",
            attributes: [
                ("langsmith.span.kind", "llm"),
                (
                    "gen_ai.prompt",
                    #"{"messages":[[{"lc":1,"type":"constructor","id":["x","HumanMessage"],"#
                        .appendingText(#""kwargs":{"content":"hi","type":"human"}}]]}"#)
                ),
                ("gen_ai.completion", #"{"generations":[[{"text":"yo","generation_info":{}}]]}"#),
            ],
            input: "hi",
            output: "yo"
        ),
        Sent(
            sender: "MLflow",
            attributes: [
                ("mlflow.spanType", "\"CHAT_MODEL\""),
                ("mlflow.spanInputs", #"{"messages":[{"role":"user","content":"hi"}]}"#),
                ("mlflow.spanOutputs", #"{"choices":[{"message":{"role":"assistant","content":"yo"}}]}"#),
            ],
            input: "hi",
            output: "yo"
        ),
        Sent(
            sender: "Agent Development Kit",
            scope: "gcp.vertex.agent",
            attributes: [
                chat,
                (
                    "gcp.vertex.agent.llm_request",
                    #"{"model":"g","config":{"system_instruction":"S"},"#
                        .appendingText(#""contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#)
                ),
                (
                    "gcp.vertex.agent.llm_response",
                    #"{"content":{"role":"model","parts":[{"text":"yo"}]},"finish_reason":"STOP"}"#
                ),
            ],
            input: "S\nhi",
            output: "yo"
        ),
        Sent(
            sender: "Agent Development Kit, tool",
            scope: "gcp.vertex.agent",
            attributes: [
                tool, ("gcp.vertex.agent.tool_call_args", #"{"a":1}"#),
                ("gcp.vertex.agent.tool_response", #"{"r":2}"#),
            ],
            input: #"{"a":1}"#,
            output: #"{"r":2}"#
        ),
        Sent(
            sender: "Claude Code",
            scope: "com.anthropic.claude_code",
            attributes: [("span.type", "interaction"), ("user_prompt", "hi"), ("response", "yo")],
            input: "hi",
            output: "yo"
        ),
        Sent(
            sender: "Claude Code, tool",
            scope: "com.anthropic.claude_code",
            attributes: [
                ("span.type", "tool"), ("tool_parameters", #"{"a":1}"#), ("tool_result", "done"),
            ],
            input: #"{"a":1}"#,
            output: "done"
        ),
    ]

    static let pydantic = [
        Sent(
            sender: "pydantic-ai 1, agent",
            name: "agent run",
            scope: "pydantic-ai",
            attributes: [
                (
                    "all_messages_events",
                    #"[{"event.name":"gen_ai.user.message","content":"hi"},"#
                        .appendingText(#"{"event.name":"gen_ai.assistant.message","content":"yo"}]"#)
                )
            ],
            input: "hi",
            output: "yo"
        ),
        Sent(
            sender: "pydantic-ai 1, request",
            name: "chat m",
            scope: "pydantic-ai",
            attributes: [
                chat,
                (
                    "events",
                    #"[{"event.name":"gen_ai.user.message","content":"hi","role":"user"},{"event.name":"#
                        .appendingText(
                            #""gen_ai.choice","index":0,"message":{"role":"assistant","content":"yo"}}]"#
                        )
                ),
            ],
            input: "hi",
            output: "yo"
        ),
        Sent(
            sender: "pydantic-ai 1, tool",
            name: "running tool: look",
            scope: "pydantic-ai",
            attributes: [("tool_arguments", #"{"a":1}"#), ("tool_response", "7")],
            input: #"{"a":1}"#,
            output: "7"
        ),
        Sent(
            sender: "pydantic-ai 4, agent",
            name: "invoke_agent a",
            scope: "pydantic-ai",
            attributes: [
                ("gen_ai.operation.name", "invoke_agent"), ("final_result", "yo"),
                (
                    "pydantic_ai.all_messages",
                    #"[{"role":"user","parts":[{"type":"text","content":"hi"}]},{"role":"assistant","#
                        .appendingText(#""parts":[{"type":"text","content":"no"}]}]"#)
                ),
            ],
            input: "hi",
            output: "yo"
        ),
        Sent(
            sender: "an attribute that only has the name",
            attributes: [chat, ("events", "[1,2]")],
            input: nil,
            output: nil
        ),
    ]

    @Test(arguments: genAI + conventions + pydantic)
    func `content is found where its sender puts it`(_ sent: Sent) throws {
        var span = TestSpan(parent: sent.isRoot ? [] : [9], name: sent.name, attributes: sent.attributes)
        span.events = sent.events
        for (bytes, encoding) in [
            (body([span], scope: sent.scope), TraceRequest.Encoding.protobuf),
            (jsonBody([span], scope: sent.scope), .json),
        ] {
            let request = try TraceRequest.decode(
                bytes,
                encoding: encoding,
                receivedAt: Timestamp(unixNano: 1),
                workers: 1
            )
            let reference = try #require(request.references.first)
            #expect(Self.text(OTLPSpanReader().inputText(reference)) == sent.input)
            #expect(Self.text(OTLPSpanReader().outputText(reference)) == sent.output)
        }
    }

    private static func text(_ bytes: [UInt8]?) -> String? {
        bytes.map { String(decoding: $0, as: UTF8.self) }
    }
}

extension String {
    /// A literal that goes on in the next line.
    fileprivate func appendingText(_ rest: String) -> TestValue { .text(self + rest) }
}
