/// The rules about counts, cost and time: the mapping's section 2, and the end of section 14.
extension RuleTables {
    private static func langfuse(_ about: String, _ usage: String, _ says: String) -> Rule {
        Rule(
            "Langfuse, \(about)",
            "g",
            [
                ("langfuse.observation.type", "generation"),
                ("langfuse.observation.usage_details", .text(usage)),
            ],
            "type=model_generation \(says)"
        )
    }

    private static func chat(_ about: String, _ attributes: [(String, TestValue)], _ says: String) -> Rule {
        Rule(about, "chat", [("gen_ai.operation.name", "chat")] + attributes, "type=model_generation" + says)
    }

    static let blobs: [Rule] = [
        langfuse(
            "OpenAI's shape",
            #"{"prompt_tokens":125,"completion_tokens":29,"total_tokens":154,"#
                + #""prompt_tokens_details":{"cached_tokens":64,"audio_tokens":0},"#
                + #""completion_tokens_details":{"reasoning_tokens":4}}"#,
            "in=125 out=29 read=64 reasoning=4"
        ),
        langfuse(
            "Anthropic's shape",
            #"{"input_tokens":5,"output_tokens":2,"cache_read_input_tokens":100,"cache_creation_input_tokens":7}"#,
            "in=112 out=2 read=100 write=7"
        ),
        langfuse(
            "buckets",
            #"{"input":50,"output":9,"cache_read_input_tokens":20,"cache_creation_input_tokens":5,"total":84}"#,
            "in=75 out=9 read=20 write=5"
        ),
        langfuse(
            "buckets by modality",
            #"{"input":10,"input_audio_tokens":4,"input_cached_tokens":3,"output":5,"output_reasoning_tokens":2,"#
                + #""output_audio_tokens":1,"total":25}"#,
            "in=17 out=8 read=3 reasoning=2"
        ),
        langfuse(
            "buckets without input",
            #"{"output":5,"cache_read_input_tokens":20}"#,
            "in=20 out=5 read=20"
        ),
        langfuse("nothing cached", #"{"input":5,"output":2,"total":7,"unit":"TOKENS"}"#, "in=5 out=2"),
        langfuse(
            "sums beside the buckets",
            #"{"input":5,"input_tokens":5,"output":2,"output_tokens":2}"#,
            "in=5 out=2"
        ),
        langfuse("numbers as text", #"{"input":"5","output":"2"}"#, "in=5 out=2"),
        langfuse("negative numbers", #"{"input":-5,"output":2}"#, "out=2"),
        chat("broken usage", [("langfuse.observation.usage_details", "{\"input\":")], ""),
        chat(
            "usage beside the attributes",
            [
                ("gen_ai.usage.input_tokens", 9),
                (
                    "langfuse.observation.usage_details",
                    #"{"input":1,"output":2,"cache_read_input_tokens":3}"#
                ),
            ],
            " in=9 out=2 read=3"
        ),
        Rule(
            "MLflow, Anthropic",
            "m",
            [
                ("mlflow.spanType", "\"CHAT_MODEL\""),
                (
                    "mlflow.chat.tokenUsage",
                    #"{"input_tokens":3,"output_tokens":2,"cache_read_input_tokens":10,"cache_creation_input_tokens":1}"#
                ),
            ],
            "type=model_generation in=14 out=2 read=10 write=1"
        ),
        Rule(
            "LangSmith, details apart",
            "llm",
            [
                ("langsmith.span.kind", "llm"), ("gen_ai.usage.input_tokens", 25),
                ("gen_ai.usage.output_tokens", 7),
                ("gen_ai.usage.input_token_details", #"{"cache_read":10,"audio":0}"#),
                ("gen_ai.usage.output_token_details", #"{"reasoning":2}"#),
            ],
            "type=model_generation in=25 out=7 read=10 reasoning=2"
        ),
    ]

    static let settling: [Rule] = [
        chat(
            "aws.bedrock without the cached parts",
            [
                ("gen_ai.system", "aws.bedrock"), ("gen_ai.usage.input_tokens", 5),
                ("gen_ai.usage.cache_read_input_tokens", 10), ("gen_ai.usage.cache_write_input_tokens", 2),
            ],
            " provider=aws.bedrock in=17 read=10 write=2"
        ),
        chat(
            "anthropic with the cached parts",
            [
                ("gen_ai.system", "anthropic"), ("gen_ai.usage.input_tokens", 12),
                ("gen_ai.usage.cache_read.input_tokens", 10),
                ("gen_ai.usage.cache_creation.input_tokens", 2),
            ],
            " provider=anthropic in=12 read=10 write=2"
        ),
        chat(
            "nothing sent",
            [("gen_ai.system", "anthropic"), ("gen_ai.usage.cache_read.input_tokens", 10)],
            " provider=anthropic read=10"
        ),
        chat("zero", [("gen_ai.usage.input_tokens", 0), ("gen_ai.usage.output_tokens", 0)], " in=0 out=0"),
        chat(
            "three spellings",
            [
                ("gen_ai.usage.prompt_tokens", 7), ("gen_ai.usage.input_tokens", 7),
                ("llm.token_count.prompt", 7), ("gen_ai.usage.completion_tokens", 3),
                ("gen_ai.usage.output_tokens", 3), ("gen_ai.usage.total_tokens", 10),
            ],
            " in=7 out=3"
        ),
        Rule(
            "Claude Code, all of the input cached",
            "claude_code.llm_request",
            [
                ("span.type", "llm_request"), ("output_tokens", "5"), ("cache_read_tokens", "10"),
                ("cache_creation_tokens", "2"), ("cost_usd", "0.25"), ("ttft_ms", 300),
            ],
            "type=model_generation in=12 out=5 read=10 write=2 cost=0.25 ttft=300"
        ),
        Rule(
            "Claude Code, failed",
            "claude_code.llm_request",
            [("span.type", "llm_request"), ("success", false), ("error.type", "overloaded_error")],
            "type=model_generation error=overloaded_error"
        ),
        Rule(
            "Langfuse, cost in parts",
            "g",
            [
                ("langfuse.observation.type", "generation"),
                ("langfuse.observation.cost_details", #"{"input":0.25,"output":0.5}"#),
            ],
            "type=model_generation cost=0.75"
        ),
        Rule(
            "Langfuse, cost over a bare one",
            "g",
            [
                ("langfuse.observation.type", "generation"), ("cost_usd", 9),
                ("langfuse.observation.cost_details", #"{"input":0.25,"total":0.5}"#),
            ],
            "type=model_generation cost=0.5"
        ),
        chat(
            "time of the first token before the span",
            [
                ("langfuse.observation.completion_start_time", "1970-01-01T00:00:00.5Z"),
                ("ai.response.msToFirstChunk", 12),
            ],
            " ttft=12"
        ),
        Rule(
            "Mastra, time of the first token",
            "chat m",
            [
                ("mastra.span.type", "model_generation"),
                ("mastra.completion_start_time", "1970-01-01T00:00:01.250Z"),
            ],
            "type=model_generation ttft=250"
        ),
        Rule(
            "Mastra 2025, cache write",
            "chat m",
            [
                ("mastra.span.type", "model_generation"), ("gen_ai.usage.input_tokens", 9),
                ("gen_ai.usage.cached_input_tokens", 3), ("gen_ai.usage.cache_write_tokens", 2),
                ("gen_ai.response.finish_reasons", "stop"),
            ],
            "type=model_generation in=9 read=3 write=2 finish=stop"
        ),
    ]
}
