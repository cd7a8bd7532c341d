import NightjarTesting

/// Turns a planned trace into drafts of its spans, in the words of one instrumentation.
struct TraceWriter {
    private static let words = (0..<500).map { "w\($0)" }
    private static let millisecond: UInt64 = 1_000_000

    let shape: LoadShape
    let vocabulary: Vocabulary
    var random: SeededGenerator
    private var trace = TraceDraft(high: 0, low: 0)
    private var session = ""

    init(_ shape: LoadShape, _ vocabulary: Vocabulary, random: SeededGenerator) {
        (self.shape, self.vocabulary, self.random) = (shape, vocabulary, random)
    }

    /// The drafts of a trace that starts at a time.
    mutating func write(_ root: PlannedSpan, startNano: UInt64) -> TraceDraft {
        trace = TraceDraft(high: random.identifier(), low: random.identifier())
        session = "session-\(random.below(100_000))"
        _ = write(root, parent: 0, startNano: startNano)
        return trace
    }

    /// Writes a span after everything below it; returns when it ended.
    private mutating func write(_ span: PlannedSpan, parent: UInt64, startNano: UInt64) -> UInt64 {
        let id = random.identifier()
        var end = startNano
        for child in span.children { end = write(child, parent: id, startNano: end) }
        end += UInt64(span.milliseconds) * Self.millisecond
        var draft = SpanDraft(
            scope: vocabulary.scope,
            id: id,
            parent: parent,
            startNano: startNano,
            endNano: end
        )
        describe(span, in: &draft)
        trace.spans.append(draft)
        return end
    }

    private mutating func describe(_ span: PlannedSpan, in draft: inout SpanDraft) {
        var words = vocabulary
        if span.role == .libraryCall {
            words = .genAI
            draft.scope = "opentelemetry.instrumentation.openai_v2"
        }
        draft.name = span.name
        if let kind = words.kinds[span.role] {
            draft.attributes.append((words.kindKey, .text(kind)))
            if words.namesOperations, let operation = Vocabulary.genAI.kinds[span.role] {
                draft.name = "\(operation) \(span.name)"
            }
        }
        switch span.role {
        case .chat, .libraryCall: describeChat(span, words, in: &draft)
        case .tool: describeTool(span, words, in: &draft)
        case .agent: describeAgent(span, words, in: &draft)
        case .workflow: draft.attributes.append((words.workflowKey, .text(span.name)))
        case .step: draft.attributes.append((words.stepKey, .text(span.name)))
        case .wrapper:
            draft.attributes.append(("openinference.span.kind", .text("CHAIN")))
            draft.attributes.append(("graph.node.id", .text(span.name)))
        case .protocolCall:
            (draft.name, draft.kind) = ("tools/call \(span.name)", 3)
            draft.attributes.append(("mcp.method.name", .text("tools/call")))
            draft.attributes.append(("gen_ai.tool.name", .text(span.name)))
        case .request: draft.attributes.append(("app.route", .text("/items")))
        }
        if span.hasFailed { fail(span, in: &draft) }
        pad(&draft, to: count(span.role))
    }

    private mutating func describeChat(
        _ span: PlannedSpan,
        _ words: Vocabulary,
        in draft: inout SpanDraft
    ) {
        draft.kind = 3
        if let mark = words.chatMark { draft.attributes.append((mark.key, .text(mark.word))) }
        let provider = TracePlanner.models.first { $0.name == span.name }?.provider ?? "openai"
        draft.attributes += [
            (words.providerKey, .text(provider)),
            (words.modelKey, .text(span.name)),
            (words.responseModelKey, .text(span.name)),
            ("gen_ai.response.id", .text("resp-\(draft.id)")),
            ("gen_ai.response.finish_reasons", .texts(["stop"])),
            ("gen_ai.request.temperature", .number(0.7)),
            ("gen_ai.request.max_tokens", .integer(4096)),
            ("server.address", .text("api.example.com")),
            ("server.port", .integer(443)),
            (words.sessionKey, .text(session)),
        ]
        if let usage = span.usage {
            draft.attributes += [
                (words.inputTokens, .integer(usage.input)), (words.outputTokens, .integer(usage.output)),
                (words.cacheRead, .integer(usage.cacheRead)),
            ]
            if usage.cacheWrite > 0 {
                draft.attributes.append((words.cacheWrite, .integer(usage.cacheWrite)))
            }
        }
        let input = shape.content == .long ? longLength() : 300 + random.below(700)
        add("user", input, under: words.input, "llm.input_messages", to: &draft)
        let output = shape.content == .long ? 500 + random.below(3500) : 300 + random.below(700)
        add("assistant", output, under: words.output, "llm.output_messages", to: &draft)
    }

    private mutating func describeTool(
        _ span: PlannedSpan,
        _ words: Vocabulary,
        in draft: inout SpanDraft
    ) {
        draft.attributes += [
            (words.toolKey, .text(span.name)),
            ("gen_ai.tool.call.id", .text("call-\(draft.id)")),
            ("gen_ai.tool.type", .text("function")),
        ]
        guard shape.content != .none else { return }
        draft.attributes += [
            (words.arguments, .text("{\"query\": \"\(text(28))\"}")), (words.result, .text(text(60))),
        ]
    }

    private mutating func describeAgent(
        _ span: PlannedSpan,
        _ words: Vocabulary,
        in draft: inout SpanDraft
    ) {
        draft.attributes += [
            (words.agentKey, .text(span.name)),
            (words.sessionKey, .text(session)),
        ]
        if shape.content != .none {
            add("user", 200 + random.below(400), under: words.input, "llm.input_messages", to: &draft)
        }
        guard let key = words.aggregateInput else { return }
        let total = span.children.compactMap(\.usage).reduce(0) { $0 + $1.input }
        draft.attributes.append((key, .integer(total)))
    }

    private func fail(_ span: PlannedSpan, in draft: inout SpanDraft) {
        draft.hasFailed = true
        draft.attributes.append(("error.type", .text("TimeoutError")))
        if span.role == .tool { draft.exception = "TimeoutError" }
    }

    private func count(_ role: PlannedSpan.Role) -> Int {
        switch role {
        case .chat, .libraryCall: shape.attributes.chat
        case .tool: shape.attributes.tool
        case .agent: shape.attributes.agent
        default: shape.attributes.other
        }
    }

    private mutating func pad(_ draft: inout SpanDraft, to count: Int) {
        var number = 0
        while draft.attributes.count < count {
            draft.attributes.append(("app.detail_\(number)", .text(text(24))))
            number += 1
        }
    }

    /// How long a whole conversation is.
    private mutating func longLength() -> Int {
        random.below(200) == 0 ? 200_000 : 8000 + random.below(24_000)
    }

    /// Adds a message of some length: in one attribute, or cut into pieces of about 60 bytes with a role each.
    private mutating func add(
        _ role: String,
        _ length: Int,
        under key: String,
        _ list: String,
        to draft: inout SpanDraft
    ) {
        switch shape.content {
        case .none: break
        case .captured, .long: draft.attributes.append((key, .text(message(role, length))))
        case .flattened:
            for index in 0..<max(1, length / 60) {
                let part = "\(list).\(index).message"
                draft.attributes.append(("\(part).role", .text(role)))
                draft.attributes.append(("\(part).content", .text(text(min(length, 60)))))
            }
        }
    }

    /// A message as instrumentations write it: JSON in a string.
    private mutating func message(_ role: String, _ length: Int) -> String {
        "[{\"role\": \"\(role)\", \"parts\": [{\"type\": \"text\", \"content\": \"\(text(length))\"}]}]"
    }

    /// About so many bytes of words: it compresses like text and holds nobody's words.
    private mutating func text(_ length: Int) -> String {
        var text = ""
        text.reserveCapacity(length + 4)
        while text.utf8.count < length {
            if !text.isEmpty { text += " " }
            text += Self.words[random.below(Self.words.count)]
        }
        return text
    }
}
