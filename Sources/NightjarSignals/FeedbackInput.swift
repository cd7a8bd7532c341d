/// Feedback as a caller gives it: what the API, the library and plugins take.
public struct FeedbackInput: Sendable, Equatable {
    /// Its identity; feedback of the same id is replaced. Absent: one is made.
    public var id: String?
    /// The trace it is about; set by the route or the object it is added to where the caller names none.
    public var traceID: TraceID?
    /// The span it is about; absent: the whole trace.
    public var spanID: SpanID?
    /// The session it is about instead of a trace.
    public var sessionID: String?
    /// Where it came from: `user`, `system`, or the caller's own word.
    public var source: String
    /// What it is: `thumbs`, `rating`, `comment`, or the caller's own word.
    public var feedbackType: String
    /// The value: a finite number or text.
    public var value: Value
    /// Words beside the value.
    public var comment: String?
    /// Who gave it; goes to the metadata.
    public var userID: String?
    /// The experiment it belongs to.
    public var experiment: String?
    /// The caller's keys; they win over those of the target.
    public var metadata: Value.Object

    /// Feedback on whatever it is added to.
    public init(
        source: String,
        feedbackType: String,
        value: Value,
        comment: String? = nil,
        userID: String? = nil,
        experiment: String? = nil,
        metadata: Value.Object = [:]
    ) {
        self.source = source
        self.feedbackType = feedbackType
        self.value = value
        self.comment = comment
        self.userID = userID
        self.experiment = experiment
        self.metadata = metadata
    }

    /// Reads one from JSON: camelCase or snake_case, `experimentId` for `experiment`.
    /// - Throws: ``InputError`` with the first field that is missing, unknown or unfit.
    public init(json: Value, path: String = "") throws(InputError) {
        self = try withFirstError { () throws(InputErrors) in try FeedbackInput(strict: json, path: path) }
    }

    /// The feedback as it travels on the bus.
    public func feedback(id: String, timestamp: Timestamp, targetMetadata: Value.Object) -> Feedback {
        var metadata = targetMetadata.merging(metadata)
        if let userID { metadata["userId"] = .string(userID) }
        var feedback = Feedback(
            id: id,
            timestamp: timestamp,
            source: source,
            feedbackType: feedbackType,
            value: value,
            metadata: metadata
        )
        feedback.traceID = traceID
        feedback.spanID = spanID
        feedback.sessionID = sessionID
        feedback.comment = comment
        feedback.experiment = experiment
        return feedback
    }

    /// What is wrong with feedback that was made in code, nil for good one.
    public func fault(path: String = "") -> InputError? {
        var reader = ObjectReader(.object([:]), path: path)
        if source.isEmpty { reader.refuse("source", "must not be empty") }
        if feedbackType.isEmpty { reader.refuse("feedbackType", "must not be empty") }
        checkValue(&reader)
        return reader.errors.first
    }
}

extension FeedbackInput: AnnotationInput {
    init(from reader: inout ObjectReader) {
        self.init(
            source: reader.requiredText("source"),
            feedbackType: reader.requiredText("feedbackType"),
            value: reader.value("value") ?? .null
        )
        readTarget(from: &reader)
        comment = reader.text("comment")
        userID = reader.text("userId")
        experiment = reader.text("experiment", aliases: ["experimentId"])
        metadata = reader.members("metadata")
        checkValue(&reader)
    }

    /// Several people may say the same of one target: without an id nothing is a repetition.
    var identity: String? { id }
    static var duplicate: String { "has the id of an earlier one of this call; give each its own" }

    private func checkValue(_ reader: inout ObjectReader) {
        switch value {
        case .string, .int: break
        case .double(let number):
            if !number.isFinite { reader.refuse("value", "must be a finite number or text") }
        case .null: reader.refuse("value", "is required: a number or text")
        case .bool: reader.refuse("value", "must be a number or text; write 1 for true and 0 for false")
        default: reader.refuse("value", "must be a number or text")
        }
    }
}

extension [FeedbackInput] {
    /// Reads one object or a list of at most 1,000. `needsTarget`: each must name a trace or a session itself.
    /// - Throws: ``InputErrors`` with everything that is wrong, each with its path, like `[3].value`.
    public init(json: Value, needsTarget: Bool = false) throws(InputErrors) {
        self = try allOrNothing(try FeedbackInput.each(json: json, needsTarget: needsTarget))
    }
}
