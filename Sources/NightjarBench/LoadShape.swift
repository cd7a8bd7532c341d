import NightjarTesting

/// How large the generated fleet is, and how its spans are filled.
struct LoadShape: Sendable {
    var agents = 40
    var tools = 60
    var workflows = 12
    var services = 8
    /// An exporter sends a request as soon as so many spans wait: the batch of OpenTelemetry's SDKs.
    var batch = 512
    /// Attributes of a chat, a tool call, an agent run and anything else.
    var attributes = (chat: 20, tool: 10, agent: 12, other: 5)
    var content = Content.captured

    /// What spans carry of prompts and answers.
    enum Content: Sendable {
        /// Nothing: the instrumentation keeps it off.
        case none
        /// Short texts, each in one attribute.
        case captured
        /// Whole conversations; of one chat in 200, one of 200 KB.
        case long
        /// As short, each message in attributes of its own under numbered keys.
        case flattened
    }

    /// Profile A: content off, about 480 bytes a span.
    static let lean: LoadShape = {
        var shape = LoadShape()
        (shape.attributes, shape.content) = ((14, 7, 8, 4), .none)
        return shape
    }()
    /// Profile C: long conversations, about 9,000 bytes a span.
    static let long: LoadShape = {
        var shape = LoadShape()
        shape.content = .long
        return shape
    }()
    /// Profile D: content under indexed keys, about 60 attributes a chat.
    static let flattened: LoadShape = {
        var shape = LoadShape()
        (shape.attributes, shape.content) = ((60, 15, 20, 12), .flattened)
        return shape
    }()
    /// Profile B: the shape of real captures, content on, about 1,200 bytes a span.
    static let captured = LoadShape()
    /// Profile B in small requests of few series, for a sender that never stops.
    static let steady: LoadShape = {
        var shape = LoadShape()
        (shape.agents, shape.tools, shape.workflows, shape.batch) = (4, 4, 2, 128)
        return shape
    }()
}

extension SeededGenerator {
    /// The next number modulo `count`, as the load's description says.
    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

    /// The next number that may be an id: 0 is none.
    mutating func identifier() -> UInt64 { max(next(), 1) }
}
