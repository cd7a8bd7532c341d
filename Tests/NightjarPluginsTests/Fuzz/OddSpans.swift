import CNightjarSignals
import NightjarBus
import NightjarSignals
import NightjarTesting

/// Traces of spans with everything that a sender may send, and a reader whose content is as odd.
struct OddSpans {
    let traces: [TraceView]
    let reader: OddContentReader

    init(using random: inout SeededGenerator) {
        reader = OddContentReader(using: &random)
        let builder = SpanBuilder(
            service: random.pick(["shop", "", nil]),
            environment: random.pick(["prod", nil]),
            resource: [("host.name", .text("a1")), ("k", .double(.nan)), ("k", .bool(true))]
        )
        traces = (0..<1 + random.below(3)).map { number in
            let id = random.pick([
                TraceID(high: 1, low: UInt64(number) + 2), TraceID(high: 0, low: 1),
                TraceID(high: .max, low: .max),
            ])
            let count = random.pick([1, 1, 2, 3, 8])
            let spans = (0..<count).map { place in
                // Parents that are missing, the span's own, or each other's; ids that come twice.
                builder.span(
                    random.pick(Self.texts),
                    type: random.pick(SpanType.allCases),
                    id: random.oneIn(9) ? random.pick([0, .max]) : UInt64(place) + 1,
                    parent: place == 0 && !random.oneIn(4) ? 0 : UInt64(random.below(count + 2)),
                    trace: id,
                    startMilliseconds: random.pick([
                        1_700_000_000_000, 1_700_000_000_001, 0, 18_000_000_000_000,
                    ]),
                    milliseconds: random.pick([0, 10, 100_000]),
                    status: random.pick([.running, .ok, .error]),
                    attributes: Self.attributes(using: &random)
                ) { row, slab in Self.change(&row, slab, using: &random) }
            }
            return TraceView(id: id, spans: spans, revision: random.pick([0, 1, 1, 2, .max]))
        }
    }

    // Few keys: the process keeps each for ever.
    private static func attributes(using random: inout SeededGenerator) -> [(String, SpanBuilder.Attribute)] {
        (0..<random.pick([0, 1, 4, 40])).map { _ in
            let key = random.pick([
                "model", "k", "", "a.b", "a\u{0}b", "é", "user", String(repeating: "k", count: 300),
            ])
            let value: SpanBuilder.Attribute =
                switch random.below(5) {
                case 0: .int(random.pick([0, -1, .max, .min]))
                case 1: .double(random.pick(numbers))
                case 2: .bool(random.oneIn(2))
                default: .text(random.pick(texts))
                }
            return (key, value)
        }
    }

    private static func change(_ row: inout nj_span, _ slab: Slab, using random: inout SeededGenerator) {
        if random.oneIn(3) { append(encodedTo: &row, slab, using: &random) }
        if random.oneIn(8) { row.context = .max }
        if random.oneIn(6) {
            (row.start_nano, row.end_nano) = random.pick([(0, 0), (.max, .max), (9, 1), (0, 1)])
        }
        if random.oneIn(6) { row.duplicate_of = random.pick([1, .max]) }
        row.kind = UInt8(random.below(6))
        row.time_to_first_token_ms = random.pick(numbers)
        row.input_tokens = random.pick(numbers)
        row.cost = random.pick(numbers)
        let fields: [WritableKeyPath<nj_span, nj_text>] = [
            \.name, \.type_text, \.agent, \.model, \.response_model, \.provider, \.tool, \.workflow,
            \.error_type,
            \.error_message, \.service, \.environment, \.settled_agent, \.settled_workflow,
        ]
        for field in fields where random.oneIn(3) { row[keyPath: field] = slab.copy(random.pick(raw)) }
    }

    /// A value that is left encoded until someone asks for it.
    private static func append(
        encodedTo row: inout nj_span,
        _ slab: Slab,
        using random: inout SeededGenerator
    ) {
        var attribute = nj_attribute()
        let (key, value) = (slab.copy(random.pick(raw.prefix(4))), slab.copy(random.pick(raw)))
        attribute.key = -1
        attribute.key_bytes = key.bytes
        attribute.key_length = UInt16(key.length)
        attribute.tag = UInt8(random.pick([NJ_NONE, NJ_BYTES, NJ_ARRAY, NJ_MAP]).rawValue)
        attribute.value.bytes = value.bytes
        attribute.length = value.length
        _ = slab.append(attribute)
        row.attribute_count += 1
    }

    static let numbers: [Double] = [
        0, 1, -1, 0.5, 1e308, -1e308, .nan, .infinity, -.infinity, 9_007_199_254_740_992, -0.0,
    ]

    static let texts = [
        "chat", "", "a", "é😀", "a\u{0}b", "\u{1B}[31m", "%s%n", "line\nline", "span_ended", "\u{202E}x",
        String(repeating: "ab", count: 3000), String(repeating: "x", count: 70_000),
    ]

    /// Bytes that are no UTF-8 too.
    private static let raw: [[UInt8]] = [
        [], [0], [0xFF, 0xFE], [0x61, 0xED, 0xA0, 0x80], Array("tool".utf8), Array("gpt".utf8), [0xC3],
        Array(repeating: 0x80, count: 5000), Array(repeating: 0x61, count: 1_100_000),
    ]
}

/// Answers every span with the same odd content.
struct OddContentReader: SpanReader {
    private let text: [UInt8]?
    private let content: [Value]

    init(using random: inout SeededGenerator) {
        text = random.pick([
            nil, [], Array("some words".utf8), [0xFF, 0, 0x41], Array(repeating: 0x62, count: 1_100_000),
        ])
        content = (0..<4).map { _ in Self.value(using: &random, depth: 0) }
    }

    private static func value(using random: inout SeededGenerator, depth: Int) -> Value {
        switch random.below(depth < 4 ? 10 : 6) {
        case 0: return .null
        case 1: return .bool(true)
        case 2: return .int(random.pick([0, .max, .min]))
        case 3: return .double(random.pick(OddSpans.numbers))
        case 4: return .bytes([0, 0xFF])
        case 5: return .string(random.pick(OddSpans.texts))
        case 6: return (0..<random.pick([3, 70])).reduce(.int(1)) { inner, _ in .array([inner]) }
        case 7: return .array((0..<random.below(5)).map { _ in value(using: &random, depth: depth + 1) })
        default:
            var object: Value.Object = [:]
            for _ in 0..<random.below(5) {
                object[random.pick(OddSpans.texts)] = value(using: &random, depth: depth + 1)
            }
            return .object(object)
        }
    }

    func inputText(_ span: SpanReference) -> [UInt8]? { text }
    func outputText(_ span: SpanReference) -> [UInt8]? { text }
    func input(_ span: SpanReference) -> Value? { content[0] }
    func output(_ span: SpanReference) -> Value? { content[1] }
    func messages(_ span: SpanReference) -> Value? { content[2] }
    func toolCalls(_ span: SpanReference) -> Value? { content[3] }
    func metadata(_ span: SpanReference) -> Value.Object { ["userId": content[0], "\u{1B}": content[1]] }
    func tags(_ span: SpanReference) -> [String] { ["", "a", "\u{0}"] }
    func events(_ span: SpanReference) -> [Span.Event] {
        [Span.Event(name: "\u{0}", timestamp: Timestamp(unixNano: .min), attributes: ["a": content[2]])]
    }
    func links(_ span: SpanReference) -> [Span.Link] {
        [
            Span.Link(
                traceID: TraceID(high: 0, low: 0),
                spanID: SpanID(value: 0),
                attributes: ["a": content[3]]
            )
        ]
    }
    func value(_ attribute: nj_attribute) -> Value { content[Int(attribute.tag) % content.count] }
    func span(_ span: SpanReference) -> Span {
        let row = span.row.pointee
        var made = Span(
            id: SpanID(value: row.id),
            traceID: row.traceID,
            name: row.name.string ?? "",
            startTime: Timestamp(unixNano: Int64(clamping: row.start_nano))
        )
        made.entityID = content[3].string
        return made
    }
}
