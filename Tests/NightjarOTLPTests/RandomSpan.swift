import NightjarSignals
import NightjarTesting

/// Makes spans of every shape that the signals contract allows; the same ones for the same seed.
struct RandomSpan {
    private var random: SeededGenerator
    /// Whether whole doubles and bytes are left out, which JSON has no form of their own for.
    private let isForJSON: Bool

    init(seed: UInt64, forJSON: Bool = false) {
        random = SeededGenerator(seed: seed)
        isForJSON = forJSON
    }

    private static let texts = [
        "", "a", "agent", "größer 日本語 👩‍👩‍👧", "line\nbreak\t\"quoted\" \\", "null", "42", "[1", "{}", "true",
        "\u{0}\u{1F}",
        String(repeating: "long ", count: 60),
    ]

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    private mutating func text() -> String {
        (Self.texts.randomElement(using: &random) ?? "") + (chance(30) ? "\(random.next())" : "")
    }

    private mutating func maybe<T>(_ make: (inout RandomSpan) -> T) -> T? { chance(50) ? make(&self) : nil }

    private mutating func maybeText() -> String? { maybe { $0.text() } }

    private mutating func double() -> Double {
        while true {
            let number: Double =
                switch Int.random(in: 0..<4, using: &random) {
                case 0: Double(bitPattern: random.next())
                case 1: Double.random(in: -1...1, using: &random)
                case 2: 1e300
                default: Double(Int.random(in: -5...5, using: &random))
                }
            let isWhole = number == number.rounded() && abs(number) < 1e16
            if !number.isNaN, !isForJSON || (number.isFinite && !isWhole) { return number }
        }
    }

    mutating func value(depth: Int = 0) -> Value {
        switch Int.random(in: 0..<(depth < 6 ? 9 : 6), using: &random) {
        case 0: return .null
        case 1: return .bool(chance(50))
        case 2: return .int([Int64.min, Int64.max, 0, -1, 1 << 53].randomElement(using: &random) ?? 7)
        case 3: return .double(double())
        case 4:
            return isForJSON
                ? "text" : .bytes((0..<Int.random(in: 0..<9, using: &random)).map { UInt8($0 * 31) })
        case 5: return .string(text())
        case 6:
            return .array((0..<Int.random(in: 0..<4, using: &random)).map { _ in value(depth: depth + 1) })
        default: return .object(object(depth: depth + 1))
        }
    }

    mutating func object(depth: Int = 0) -> Value.Object {
        var object = Value.Object()
        for _ in 0..<Int.random(in: 0..<4, using: &random) { object[text()] = value(depth: depth) }
        return object
    }

    private mutating func instant() -> Timestamp {
        Timestamp(unixNano: Int64.random(in: 1...Int64.max, using: &random))
    }

    private mutating func count() -> Double { Double(Int.random(in: 0..<100_000, using: &random)) + 0.25 }

    mutating func span() -> Span {
        var span = Span(
            id: SpanID(value: random.next() | 1),
            traceID: TraceID(high: random.next(), low: random.next() | 1),
            name: text(),
            startTime: instant()
        )
        span.parentSpanID = maybe { SpanID(value: $0.random.next() | 1) }
        span.kind = SpanKind(rawValue: UInt8.random(in: 1...5, using: &random)) ?? .internal
        span.type = SpanType.allCases.randomElement(using: &random) ?? .generic
        span.typeName = span.type == .generic && chance(50) ? "custom \(text())" : span.type.name
        span.endTime = maybe { $0.instant() }
        span.isEvent = chance(10)
        span.attributes = object()
        span.metadata = object()
        span.resource = object()
        if chance(50) { span.scope = ["name": .string(text()), "version": .string(text())] }
        if chance(20) { span.scope["attributes"] = object().ifAny }
        span.tags = (0..<Int.random(in: 0..<3, using: &random)).map { _ in text() }
        span.input = maybe { $0.content() }
        span.output = maybe { $0.content() }
        span.events = (0..<Int.random(in: 0..<3, using: &random)).map { _ in
            Span.Event(name: text(), timestamp: instant(), attributes: object())
        }
        span.links = (0..<Int.random(in: 0..<2, using: &random)).map { _ in
            Span.Link(
                traceID: TraceID(high: 0, low: random.next() | 1),
                spanID: SpanID(value: 9),
                attributes: object()
            )
        }
        setNames(&span)
        setCounts(&span)
        setOutcome(&span)
        return span
    }

    /// Null is the same as absent in JSON.
    private mutating func content() -> Value {
        let value = value()
        return value == .null ? "" : value
    }

    /// An entity's name names the agent, tool or workflow too, and a model that answered stands for the one asked for.
    private mutating func setNames(_ span: inout Span) {
        span.entityType = maybeText()
        span.entityID = maybeText()
        span.entityName = maybeText()
        span.agent = maybeText() ?? (span.type == .agentRun ? span.entityName : nil)
        span.tool = maybeText() ?? (span.type.isTool ? span.entityName : nil)
        span.workflow = maybeText() ?? (span.type == .workflowRun ? span.entityName : nil)
        span.responseModel = maybeText()
        span.model = maybeText() ?? span.responseModel
        span.provider = maybeText()
        span.service = maybeText()
        span.environment = maybeText()
        span.finishReason = maybeText()
    }

    private mutating func setCounts(_ span: inout Span) {
        span.timeToFirstTokenMilliseconds = maybe { $0.count() }
        guard chance(50) else { return }
        var usage = Span.Usage()
        usage.inputTokens = count()
        usage.outputTokens = maybe { $0.count() }
        usage.cacheReadTokens = maybe { $0.count() }
        usage.cacheWriteTokens = maybe { $0.count() }
        usage.reasoningTokens = maybe { $0.count() }
        usage.cost = maybe { $0.count() }
        span.usage = usage
    }

    private mutating func setOutcome(_ span: inout Span) {
        span.status = span.isEvent || span.endTime != nil || chance(30) ? .ok : .running
        guard chance(30) else { return }
        span.status = .error
        guard chance(80) else { return }
        var error = Span.ErrorInfo(message: text(), id: maybeText(), stack: maybeText())
        error.domain = maybeText()
        error.category = maybeText()
        error.details = object()
        span.errorInfo = error
    }
}
