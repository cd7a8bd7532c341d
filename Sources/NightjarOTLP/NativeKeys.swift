import CNightjarSignals
import NightjarSignals

/// The attributes in which a span of our own carries what OTLP has no place for. They are no attributes of the span.
enum NativeKeys {
    static let byField: [(field: Field, keys: [StaticString])] = [
        (.nativeType, ["nightjar.type"]),
        (.nativeAgent, ["nightjar.agent"]),
        (.nativeModel, ["nightjar.model", "model"]),
        (.nativeResponseModel, ["nightjar.response_model", "responseModel"]),
        (.nativeProvider, ["nightjar.provider", "provider"]),
        (.nativeTool, ["nightjar.tool"]),
        (.nativeWorkflow, ["nightjar.workflow"]),
        (.nativeService, ["nightjar.service"]),
        (.nativeEnvironment, ["nightjar.environment"]),
        (.nativeFinishReason, ["nightjar.finish_reason", "finishReason"]),
        (.nativeEntityName, ["nightjar.entity.name"]),
        (.nativeMillisecondsToFirstToken, ["nightjar.time_to_first_token_ms"]),
        (.nativeFirstTokenInstant, ["completionStartTime"]),
        (.nativeUsage, ["nightjar.usage", "usage"]),
        (.nativeMetadata, ["nightjar.metadata"]),
        (.nativeError, ["nightjar.error"]),
        (.nativeEnded, ["nightjar.ended"]),
        (.nativeIsEvent, ["nightjar.is_event"]),
        (.nativeAdded, ["nightjar.added"]),
    ]

    /// How many attributes a span of our own may have beside its own: some 20 of ours and as many of an exporter's.
    static let allowance = 64

    static let entityType = symbol("nightjar.entity.type")
    static let entityID = symbol("nightjar.entity.id")
    static let entityName = symbol("nightjar.entity.name")
    static let metadata = symbol("nightjar.metadata")
    static let tags = symbol("nightjar.tags")
    static let input = symbol("nightjar.input")
    static let output = symbol("nightjar.output")
    /// What an exporter writes instead of those, where they are messages.
    static let inputMessages = symbol("gen_ai.input.messages")
    static let outputMessages = symbol("gen_ai.output.messages")
    static let error = symbol("nightjar.error")

    /// All of them, by symbol.
    private static let symbols: Set<Int32> = {
        let carried = byField.flatMap(\.keys).filter { $0.description.hasPrefix("nightjar.") }.map(symbol)
        return Set(carried + [entityType, entityID, tags, input, output])
    }()

    private static let names = Set(symbols.compactMap { nj_symbol_text($0).string })

    /// Whether a key is one of them, which a span's own attribute cannot have.
    static func contains(_ key: String) -> Bool { key.hasPrefix("nightjar.") && names.contains(key) }

    /// Which attributes of a span are not its own: ours, and those that `nightjar.added` names, which an exporter wrote for
    /// receivers of other kinds.
    struct Added {
        private let keys: Set<String>

        init(_ list: nj_attribute?) {
            let values = list.map { AttributeValues.value($0) }?.array ?? []
            keys = Set(values.compactMap(\.string))
        }

        func isCarried(_ attribute: nj_attribute) -> Bool {
            if attribute.keyText.hasPrefix("nightjar."), symbols.contains(attribute.key) { return true }
            return !keys.isEmpty && keys.contains(attribute.keyText.string ?? "")
        }
    }
}

extension nj_span {
    /// Whether it is a span of our own.
    var isNative: Bool { convention == Convention.native.rawValue }
}
