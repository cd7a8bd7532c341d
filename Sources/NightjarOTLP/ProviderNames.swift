import CNightjarSignals
import NightjarSignals

/// The names that senders write for who serves a model, folded: `otlp-mapping.md` section 1, after the tables.
enum ProviderNames {
    /// Frameworks that write their own name where the provider's should be.
    private static let frameworks: [StaticString] = [
        "langchain", "Langchain", "autogen", "strands-agents", "crewai", "mcp", "_OTHER",
        "microsoft.agent_framework", "gcp.vertex.agent",
    ]

    /// Spellings of one provider.
    private static let aliases: [(written: StaticString, name: StaticString)] = [
        ("az.ai.openai", "azure.ai.openai"),
        ("az.ai.inference", "azure.ai.inference"),
        ("xai", "x_ai"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("gemini", "gcp.gemini"),
        ("mistralai", "mistral_ai"),
        ("OpenAI", "openai"),
        ("Anthropic", "anthropic"),
        ("Cohere", "cohere"),
        ("Groq", "groq"),
        ("MistralAI", "mistral_ai"),
        ("VertexAI", "gcp.vertex_ai"),
        ("AWS", "aws.bedrock"),
        ("openai.chat", "openai"),
        ("openai.responses", "openai"),
    ]

    /// Whether the text names a framework and says nothing of the provider.
    static func isFramework(_ text: nj_text) -> Bool {
        frameworks.contains { text.equals($0) }
    }

    /// Names of the conventions that have a point of their own begin so.
    private static let dotted: [StaticString] = ["azure.ai.", "aws.", "gcp.", "ibm.watsonx."]

    /// The provider's one name. The AI SDK appends the API to it (`openai.chat`), which is cut off where `cutting`.
    static func folded(_ text: nj_text, cutting: Bool) -> nj_text {
        // Most senders write one of these, and neither is an alias.
        if text.equals("openai") || text.equals("anthropic") { return text }
        for (written, name) in aliases where text.equals(written) { return nj_text(name) }
        guard cutting, let point = text.buffer.firstIndex(of: UInt8(ascii: ".")), point > 0,
            !dotted.contains(where: { text.hasPrefix($0) })
        else {
            return text
        }
        return folded(nj_text(UnsafeRawBufferPointer(rebasing: text.buffer[..<point])), cutting: false)
    }
}
