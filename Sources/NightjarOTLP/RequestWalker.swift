import CNightjarSignals
import NightjarSignals

/// The resource and scope that the records or metrics which follow share.
struct Surroundings {
    /// The resource's attributes.
    var resource = Value.Object()
    /// The instrumentation's name.
    var scopeName = ""
    /// The instrumentation's version.
    var scopeVersion = ""
    /// What the resource says of service and environment.
    var correlation = Correlation()
}

/// Walks a logs or metrics request once: both nest resources, scopes and items as traces do, under the same numbers.
struct RequestWalker {
    /// What each level is called, for messages.
    typealias Levels = (resource: String, scope: String, item: String)

    private let levels: Levels
    private(set) var surroundings = Surroundings()
    // Where the cursor is, for messages; -1 above that level.
    private var resourceIndex = -1
    private var scopeIndex = -1
    private var itemIndex = -1

    init(_ levels: Levels) { self.levels = levels }

    /// Which resource and scope the cursor is in.
    var scopePlace: (resource: Int, scope: Int) { (resourceIndex, scopeIndex) }

    /// The place of the cursor in the message, for a person.
    var path: String {
        guard resourceIndex >= 0 else { return "" }
        var path = "\(levels.resource)[\(resourceIndex)]"
        if scopeIndex >= 0 { path += ".\(levels.scope)[\(scopeIndex)]" }
        if itemIndex >= 0 { path += ".\(levels.item)[\(itemIndex)]" }
        return path
    }

    /// Calls `body` for each item with a reader over its message; `body` gets the walker for where it is.
    mutating func walk(
        _ bytes: UnsafeRawBufferPointer,
        _ body: (RequestWalker, WireReader) throws(WireError) -> Void
    ) throws(OTLPError) {
        do throws(WireError) {
            try forEachField(RequestTag.resourceSpans, of: WireReader(bytes)) {
                walker,
                resource throws(WireError) in
                walker.resourceIndex += 1
                try walker.walkResource(resource, body)
                walker.scopeIndex = -1
            }
        } catch {
            throw OTLPError(
                code: .malformed,
                offset: error.offset,
                path: path,
                detail: error.detail.description
            )
        }
    }

    private mutating func walkResource(
        _ message: WireReader,
        _ body: (RequestWalker, WireReader) throws(WireError) -> Void
    ) throws(WireError) {
        surroundings = Surroundings()
        // The resource may stand behind what needs it.
        try forEachField(RequestTag.resource, of: message) { walker, resource throws(WireError) in
            let attributes = try resource.attributes(RequestTag.resourceAttribute)
            walker.surroundings.resource = attributes
            walker.surroundings.correlation = SenderFacts.correlation(ofResource: attributes)
        }
        try forEachField(RequestTag.scopeSpans, of: message) { walker, scope throws(WireError) in
            walker.scopeIndex += 1
            try walker.readScope(scope)
            try walker.forEachField(RequestTag.span, of: scope) { walker, item throws(WireError) in
                walker.itemIndex += 1
                try body(walker, item)
            }
            walker.itemIndex = -1
        }
    }

    private mutating func readScope(_ message: WireReader) throws(WireError) {
        surroundings.scopeName = ""
        surroundings.scopeVersion = ""
        try forEachField(RequestTag.scope, of: message) { walker, scope throws(WireError) in
            var reader = scope
            while !reader.isAtEnd {
                let tag = try reader.tag()
                switch tag {
                case RequestTag.scopeName: walker.surroundings.scopeName = try reader.bytes().string ?? ""
                case RequestTag.scopeVersion:
                    walker.surroundings.scopeVersion = try reader.bytes().string ?? ""
                default: try reader.skip(tag)
                }
            }
        }
    }

    private mutating func forEachField(
        _ wanted: UInt32,
        of message: WireReader,
        _ body: (inout RequestWalker, WireReader) throws(WireError) -> Void
    ) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == wanted { try body(&self, try reader.message()) } else { try reader.skip(tag) }
        }
    }
}

extension WireReader {
    /// The KeyValue messages of a message, under their field's tag, as an object.
    func attributes(_ wanted: UInt32) throws(WireError) -> Value.Object {
        var reader = self
        var object = Value.Object()
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == wanted {
                try reader.readAttribute(into: &object)
            } else {
                try reader.skip(tag)
            }
        }
        return object
    }

    /// Reads a KeyValue message into an object.
    mutating func readAttribute(into object: inout Value.Object) throws(WireError) {
        var content = try message()
        let attribute = try content.attribute()
        object[attribute.keyText.string ?? ""] = AttributeValues.value(attribute)
    }

    /// Reads an AnyValue message.
    mutating func value() throws(WireError) -> Value? {
        var content = try message()
        var attribute = nj_attribute()
        try content.anyValue(into: &attribute, depth: 0)
        return attribute.tag == UInt8(NJ_NONE.rawValue) ? nil : AttributeValues.value(attribute)
    }
}

/// What senders say of session, user, environment and service, under whichever key: `otlp-mapping.md` section 1.
enum SenderFacts {
    private static let session = keys(.session)
    private static let user = keys(.user)
    private static let environment = keys(.environment)

    private static func keys(_ field: Field) -> [String] {
        AttributeKeys.byField.filter { $0.field == field }.flatMap(\.keys).map(\.description)
    }

    /// Service and environment of a resource.
    static func correlation(ofResource resource: Value.Object) -> Correlation {
        var fields = Correlation.Fields()
        if let service = text(resource, ["service.name"]), !service.hasPrefix("unknown_service") {
            fields.serviceName = service
        }
        fields.environment = text(resource, ["deployment.environment.name", "deployment.environment"])
        return fields == Correlation.Fields() ? Correlation() : Correlation(fields)
    }

    /// What a record's attributes say, on top of what its resource does.
    static func add(_ attributes: Value.Object, to correlation: inout Correlation) {
        if let session = text(attributes, session) { correlation.sessionID = session }
        if let user = text(attributes, user) { correlation.userID = user }
        if let environment = text(attributes, environment) { correlation.environment = environment }
        if let organization = text(attributes, ["organization.id"]) {
            correlation.organizationID = organization
        }
    }

    /// The first of several keys that has text of at least one byte, or a whole number.
    private static func text(_ attributes: Value.Object, _ keys: [String]) -> String? {
        for key in keys {
            switch attributes[key] {
            case .string(let text) where !text.isEmpty: return text
            case .int(let number): return String(number)
            default: continue
            }
        }
        return nil
    }
}
