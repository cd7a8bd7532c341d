import CNightjarSignals
import NightjarSignals

/// What one span says of itself, as the rules ask for it.
struct SpanWords {
    let facts: SpanFacts
    let name: nj_text
    let scope: nj_text
    let isRoot: Bool
    let convention: Convention
    /// What LangChain's metadata say; nothing where there are none.
    let langChain: LangChainFacts
    /// Whoever has the words has the slab: it is not counted for each span.
    private let owner: Unmanaged<Slab>

    /// Owns texts that are not in the request as they should be.
    var slab: Slab { owner.takeUnretainedValue() }

    init(_ facts: SpanFacts, name: nj_text, scope: nj_text, isRoot: Bool, slab: Slab) {
        self.facts = facts
        self.name = name
        self.scope = scope
        self.isRoot = isRoot
        owner = .passUnretained(slab)
        convention = Convention(facts, name: name, scope: scope)
        langChain =
            switch convention {
            case .openInference where facts.has(.metadata):
                LangChainFacts(metadata: facts.text(.metadata), slab: slab)
            case .langsmith:
                LangChainFacts(agent: facts.text(.langChainAgent), node: facts.text(.langGraphNode))
            default: LangChainFacts()
            }
    }

    /// Whether the span comes from OpenInference's instrumentation of openai-agents, in whatever language.
    var isOpenAIAgents: Bool {
        scope.equals("openinference.instrumentation.openai_agents") || scope.hasSuffix("openai-agents")
    }

    /// Whether the span comes from Google's Agent Development Kit.
    var isAgentDevelopmentKit: Bool { scope.equals("gcp.vertex.agent") }

    /// Whether the span comes from the AI SDK 7, whose agent spans are named after the model.
    var isVercel7: Bool { scope.equals("gen_ai") }

    /// The text of a field; of MLflow, which encodes every value as JSON, what the JSON says.
    @inline(__always)
    func word(_ field: Field) -> nj_text {
        let text = facts.text(field)
        return convention == .mlflow ? unquoted(text, slab: slab) : text
    }

    /// The text of a field that may also be a number or a truth value.
    func scalar(_ field: Field) -> nj_text {
        guard let attribute = facts.attribute(field) else { return .absent }
        switch UInt32(attribute.tag) {
        case NJ_INT.rawValue: return slab.copy(Array(String(attribute.value.integer).utf8))
        case NJ_BOOL.rawValue: return nj_text(attribute.value.integer == 0 ? "false" : "true")
        case NJ_DOUBLE.rawValue: return slab.copy(Array(Value.double(attribute.value.number).json.utf8))
        default: return word(field)
        }
    }

    /// The first of two texts that has bytes.
    @inline(__always)
    func first(_ left: nj_text, _ right: nj_text) -> nj_text {
        left.length > 0 ? left : right.length > 0 ? right : .absent
    }

    /// The first of several texts that has bytes.
    @inline(__always)
    func first(_ left: nj_text, _ middle: nj_text, _ right: nj_text) -> nj_text {
        first(left, first(middle, right))
    }

    /// The span's name without the first of these prefixes that it has; absent where it has none or nothing follows.
    func name(without prefixes: [StaticString]) -> nj_text {
        for prefix in prefixes where name.hasPrefix(prefix) {
            let rest = name.dropFirst(prefix.utf8CodeUnitCount)
            return rest.hasBytes ? rest : .absent
        }
        return .absent
    }
}

/// What LangChain and LangGraph write about a run into its metadata, where OpenInference and LangSmith pass it on.
struct LangChainFacts {
    var agent = nj_text.absent
    var node = nj_text.absent
    var session = nj_text.absent
    var thread = nj_text.absent
    var user = nj_text.absent
}

extension LangChainFacts {
    /// Reads the facts out of metadata that are one JSON object; what is not leaves them empty.
    init(metadata: nj_text, slab: Slab) {
        forEachEntry(of: metadata) { key, reader throws(JSONError) in
            if key.equals("lc_agent_name") {
                agent = try reader.text(slab)
            } else if key.equals("langgraph_node") {
                node = try reader.text(slab)
            } else if key.equals("session_id") {
                session = try reader.text(slab)
            } else if key.equals("thread_id") {
                thread = try reader.text(slab)
            } else if key.equals("user_id") {
                user = try reader.text(slab)
            } else {
                try reader.skipValue()
            }
        }
    }
}

/// Calls `body` for each entry of a JSON object with the reader at its value, which `body` must read or skip.
/// Text that is no such object ends early or yields nothing: it is the sender's content, not a fault of the request.
func forEachEntry(
    of json: nj_text,
    _ body: (JSONReader.Text, inout JSONReader) throws(JSONError) -> Void
) {
    var reader = JSONReader(json.buffer)
    do throws(JSONError) {
        try reader.forEachEntry(body)
    } catch {
        return
    }
}

extension JSONReader {
    /// Calls `body` for each entry of the object at the cursor; any other value is skipped.
    mutating func forEachEntry(
        _ body: (JSONReader.Text, inout JSONReader) throws(JSONError) -> Void
    ) throws(JSONError) {
        guard try peek() == .object else { return try skipValue() }
        try begin(.object)
        var isFirst = true
        while let key = try nextKey(&isFirst) { try body(key, &self) }
    }

    /// The text of a string, a copy owned by the slab where it has escapes; absent for any other value.
    mutating func text(_ slab: Slab) throws(JSONError) -> nj_text {
        guard try peek() == .string else {
            try skipValue()
            return .absent
        }
        let text = try string()
        guard text.hasEscapes else { return nj_text(text.raw) }
        return text.unescaped.map { slab.copy($0) } ?? .absent
    }

    /// A finite number of at least 0, also where it was written as text; NaN for any other value.
    mutating func plainNumber() throws(JSONError) -> Double {
        let value: Double
        switch try peek() {
        case .number: value = NightjarOTLP.number(nj_text(try numberText()))
        case .string: value = NightjarOTLP.number(nj_text(try string().raw))
        default:
            try skipValue()
            return .nan
        }
        return value.isFinite && value >= 0 ? value : .nan
    }
}

/// What a text says that is one JSON string; any other text as it is.
func unquoted(_ text: nj_text, slab: Slab) -> nj_text {
    let bytes = text.buffer
    guard bytes.count >= 2, bytes[0] == UInt8(ascii: "\""), bytes[bytes.count - 1] == UInt8(ascii: "\"")
    else {
        return text
    }
    var reader = JSONReader(bytes)
    guard let inner = try? reader.text(slab), (try? reader.end()) != nil else {
        // Not JSON after all, so the text means itself.
        return text
    }
    return inner
}
