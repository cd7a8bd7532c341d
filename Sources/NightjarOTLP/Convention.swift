import CNightjarSignals
import NightjarSignals

/// Whose rules a span follows; the raw value is the row's `convention`.
package enum Convention: UInt8, Sendable, CaseIterable {
    /// None that is known.
    case none = 0
    /// Mastra's OTLP exporter, old or new.
    case mastra
    /// OpenInference.
    case openInference
    /// Langfuse.
    case langfuse
    /// LangSmith.
    case langsmith
    /// MLflow without GenAI semantic conventions.
    case mlflow
    /// Traceloop's decorators.
    case traceloop
    /// Claude Code.
    case claudeCode
    /// The Vercel AI SDK up to 6.
    case vercel
    /// OpenTelemetry GenAI of any version.
    case genAI
    /// OpenTelemetry MCP.
    case mcp
    /// OpenLLMetry and GenAI before operation names.
    case legacyGenAI
    /// pydantic-ai's instrumentation 1 and 2.
    case pydanticAI
    /// The workflow spans of Microsoft's Agent Framework.
    case agentFramework
    /// Our own, of spans that were made in process or came as events.
    case native
    /// The agents of Google's Agent Development Kit 1, which have a name and nothing else.
    case agentDevelopmentKit
}

extension Convention {
    /// The convention of one span: our own, else the first row of `otlp-mapping.md` section 1 that matches.
    init(_ facts: SpanFacts, name: nj_text, scope: nj_text) {
        self =
            if facts.has(.nativeType) {
                .native
            } else if facts.has(.mastraType) {
                .mastra
            } else if facts.has(.openInferenceKind) {
                .openInference
            } else if facts.has(.langfuseType) {
                .langfuse
            } else if facts.has(.langsmithKind) {
                .langsmith
            } else if facts.has(.mlflowType) {
                .mlflow
            } else if facts.has(.traceloopKind) {
                .traceloop
            } else if facts.has(.claudeType), Self.isClaudeCode(name: name, scope: scope) {
                .claudeCode
            } else if facts.has(.vercelOperation) {
                .vercel
            } else if facts.has(.mcpMethod) {
                // Row 10 decides the kind where rows 9 and 10 both match.
                .mcp
            } else if facts.has(.operation) {
                .genAI
            } else if facts.has(.llmRequestType) || (facts.has(.requestModel) && facts.has(.system)) {
                .legacyGenAI
            } else if scope.equals("pydantic-ai"), Self.isPydanticName(name) {
                .pydanticAI
            } else if scope.hasPrefix("agent_framework") || scope.hasPrefix("Microsoft.Agents.AI") {
                .agentFramework
            } else if scope.equals("gcp.vertex.agent"), Self.isKitName(name) {
                .agentDevelopmentKit
            } else {
                .none
            }
    }

    private static func isClaudeCode(name: nj_text, scope: nj_text) -> Bool {
        name.hasPrefix("claude_code.") || scope.hasPrefix("com.anthropic.claude_code")
    }

    private static func isKitName(_ name: nj_text) -> Bool {
        name.hasPrefix("agent_run ") || name.hasPrefix("invoke_agent ")
    }

    private static func isPydanticName(_ name: nj_text) -> Bool {
        name.equals("agent run") || name.hasPrefix("running tool") || name.hasPrefix("chat ")
    }
}
