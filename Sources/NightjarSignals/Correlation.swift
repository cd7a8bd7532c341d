/// What a log, metric, score or feedback belongs to: the columns that stores filter by, never metric labels (signals contract,
/// section 2a). The trace and the span stand beside it, in the signal itself.
///
/// A value; copies share their contents until one is changed, so that passing one on costs one reference count.
@dynamicMemberLookup
public struct Correlation: Sendable, Equatable {
    /// Something that ran: what a span is about.
    public struct Entity: Sendable, Equatable {
        /// `agent`, `workflow_run`, `workflow_step`, `tool`, `eval`, …
        public var type: String?
        /// Its id.
        public var id: String?
        /// Its name.
        public var name: String?

        /// An entity; what is not known is absent.
        public init(type: String? = nil, id: String? = nil, name: String? = nil) {
            self.type = type
            self.id = id
            self.name = name
        }

        /// Whether nothing of it is known.
        public var isEmpty: Bool { self == Entity() }
    }

    /// The facts, each absent where it is not known.
    public struct Fields: Sendable, Equatable {
        /// What ran in the span.
        public var entity = Entity()
        /// What ran in the nearest span above that has an entity.
        public var parentEntity = Entity()
        /// What ran in the root.
        public var rootEntity = Entity()
        /// Who it ran for.
        public var userID: String?
        /// Which organization that belongs to.
        public var organizationID: String?
        /// What it ran on.
        public var resourceID: String?
        /// The run.
        public var runID: String?
        /// The session.
        public var sessionID: String?
        /// The conversation.
        public var threadID: String?
        /// The request.
        public var requestID: String?
        /// The experiment.
        public var experiment: String?
        /// Where it ran: production, staging, …
        public var environment: String?
        /// What made it run: cloud, studio, …
        public var source: String?
        /// The service.
        public var serviceName: String?
        /// The tags of the trace.
        public var tags: [String] = []

        /// Nothing known.
        public init() {}
    }

    private final class Box: @unchecked Sendable {
        // Unchecked: written only while one correlation alone holds it.
        var fields: Fields
        init(_ fields: Fields) { self.fields = fields }
    }

    private static let empty = Box(Fields())
    private var box = Self.empty

    /// Nothing known.
    public init() {}

    /// A correlation with these facts.
    public init(_ fields: Fields) { box = Box(fields) }

    /// All facts together.
    public var fields: Fields { box.fields }

    /// One of the ``Fields``.
    public subscript<Value>(dynamicMember path: WritableKeyPath<Fields, Value>) -> Value {
        get { box.fields[keyPath: path] }
        set {
            if !isKnownUniquelyReferenced(&box) { box = Box(box.fields) }
            box.fields[keyPath: path] = newValue
        }
    }

    /// Whether nothing is known.
    public var isEmpty: Bool { box === Self.empty || box.fields == Fields() }

    /// Equal when the same facts are known.
    public static func == (left: Correlation, right: Correlation) -> Bool {
        left.box === right.box || left.box.fields == right.box.fields
    }
}

extension Correlation {
    /// A fact that is one text, with its name.
    package typealias Text = (name: String, path: any WritableKeyPath<Fields, String?> & Sendable)

    /// The names in JSON and in the store's columns of the facts that are one text, in the order of the contract.
    package static let texts: [Text] = [
        ("entityType", \.entity.type), ("entityId", \.entity.id), ("entityName", \.entity.name),
        ("parentEntityType", \.parentEntity.type), ("parentEntityId", \.parentEntity.id),
        ("parentEntityName", \.parentEntity.name), ("rootEntityType", \.rootEntity.type),
        ("rootEntityId", \.rootEntity.id), ("rootEntityName", \.rootEntity.name), ("userId", \.userID),
        ("organizationId", \.organizationID), ("resourceId", \.resourceID), ("runId", \.runID),
        ("sessionId", \.sessionID), ("threadId", \.threadID), ("requestId", \.requestID),
        ("experiment", \.experiment), ("environment", \.environment), ("source", \.source),
        ("serviceName", \.serviceName),
    ]

    /// With the facts of another where this one has none.
    package func filled(from other: Correlation) -> Correlation {
        if isEmpty { return other }
        var (mine, others) = (fields, other.fields)
        for (_, path) in Self.texts where mine[keyPath: path] == nil {
            mine[keyPath: path] = others[keyPath: path]
        }
        if mine.tags.isEmpty { swap(&mine.tags, &others.tags) }
        return Correlation(mine)
    }

    /// The facts that are a metric's metadata and no labels (signals contract, section 6).
    package var environmentFacts: Value.Object {
        var facts = Value.Object()
        facts["organizationId"] = self.organizationID.map(Value.string)
        facts["environment"] = self.environment.map(Value.string)
        facts["serviceName"] = self.serviceName.map(Value.string)
        return facts
    }

    /// The facts that a span's metadata states, under the metadata's names: user, run, session, environment, …
    package mutating func take(metadata: Value.Object) {
        for (name, path) in Self.runContext {
            if let text = metadata[name]?.string, !text.isEmpty { self[dynamicMember: path] = text }
        }
    }

    /// Whether metadata states any of these facts.
    package static func isStated(in metadata: Value.Object) -> Bool {
        metadata.entries.contains { entry in
            entry.key == "experimentId" || runContext.contains { $0.name == entry.key }
        }
    }

    /// Takes these facts from a span's metadata and from nowhere else; an experiment may be stated by its id.
    package mutating func replace(metadata: Value.Object) {
        for (_, path) in Self.runContext where fields[keyPath: path] != nil {
            self[dynamicMember: path] = nil
        }
        take(metadata: metadata)
        if self.experiment == nil { self.experiment = metadata["experimentId"]?.string }
    }

    private static let runContext = texts.filter { !$0.name.lowercased().contains("entity") }

    /// The facts as the API and the JSON exporter give them; absent ones are left out.
    public var json: Value {
        var object = Value.Object()
        for (name, path) in Self.texts { object[name] = fields[keyPath: path].map(Value.string) }
        object["tags"] = self.tags.isEmpty ? nil : .array(self.tags.map(Value.string))
        return .object(object)
    }

    /// The correlation as a member of a signal's JSON; nil where nothing is known.
    var jsonIfAny: Value? { isEmpty ? nil : json }
}

extension ObjectReader {
    /// The correlation of a signal, read leniently: it is derived data, and a fact of the wrong kind is as good as absent.
    mutating func correlation() -> Correlation {
        let object = members("correlation")
        guard !object.isEmpty else { return Correlation() }
        var fields = Correlation.Fields()
        for (name, path) in Correlation.texts { fields[keyPath: path] = object[name]?.string }
        fields.tags = object["tags"]?.array?.compactMap(\.string) ?? []
        return Correlation(fields)
    }
}
