/// A score as a caller gives it: what the API, the library and plugins take.
public struct ScoreInput: Sendable, Equatable {
    /// Its identity; a score of the same id is replaced. Absent: one is made.
    public var id: String?
    /// The trace it judges; set by the route or the object it is added to where the caller names none.
    public var traceID: TraceID?
    /// The span it judges; absent: the whole trace.
    public var spanID: SpanID?
    /// The session it judges instead of a trace.
    public var sessionID: String?
    /// Who judged.
    public var scorerName: String
    /// The version of the scorer.
    public var scorerVersion: String?
    /// The verdict as a finite number; may be absent where `label` or `error` is given.
    public var score: Double?
    /// The verdict as a category.
    public var label: String?
    /// Why.
    public var reason: String?
    /// Why there is no verdict: the scorer failed.
    public var error: String?
    /// The experiment it belongs to.
    public var experiment: String?
    /// What kind of judge: `human`, `llm`, `code`, `api`.
    public var annotatorKind: String?
    /// The caller's keys; they win over those of the target.
    public var metadata: Value.Object

    /// A score on whatever it is added to.
    public init(
        scorerName: String,
        score: Double? = nil,
        label: String? = nil,
        reason: String? = nil,
        experiment: String? = nil,
        metadata: Value.Object = [:]
    ) {
        self.scorerName = scorerName
        self.score = score
        self.label = label
        self.reason = reason
        self.experiment = experiment
        self.metadata = metadata
    }

    /// Reads one from JSON: camelCase or snake_case, `explanation` for `reason`, `experimentId` for `experiment`.
    /// - Throws: ``InputError`` with the first field that is missing, unknown or unfit.
    public init(json: Value, path: String = "") throws(InputError) {
        self = try withFirstError { () throws(InputErrors) in try ScoreInput(strict: json, path: path) }
    }

    /// The kinds of judge.
    package static let annotatorKinds = ["human", "llm", "code", "api"]

    /// The score as it travels on the bus.
    public func score(id: String, timestamp: Timestamp, targetMetadata: Value.Object) -> Score {
        var score = Score(
            id: id,
            timestamp: timestamp,
            scorerName: scorerName,
            metadata: targetMetadata.merging(metadata)
        )
        score.traceID = traceID
        score.spanID = spanID
        score.sessionID = sessionID
        score.scorerVersion = scorerVersion
        score.score = self.score
        score.label = label
        score.reason = reason
        score.error = error
        score.experiment = experiment
        score.annotatorKind = annotatorKind
        return score
    }

    /// The id under which a scorer that runs again replaces this verdict; its own id where it has one.
    public var scorerID: String {
        id
            ?? AnnotationID.derived(
                scorer: scorerName,
                experiment: experiment,
                traceID: traceID,
                spanID: spanID,
                sessionID: sessionID
            )
    }

    /// What is wrong with a score that was made in code, nil for a good one.
    public func fault(path: String = "") -> InputError? {
        var reader = ObjectReader(.object([:]), path: path)
        if scorerName.isEmpty { reader.refuse("scorerName", "must not be empty") }
        if let score, !score.isFinite { reader.refuse("score", "must be a finite number") }
        checkMeaning(&reader)
        return reader.errors.first
    }
}

extension ScoreInput: AnnotationInput {
    init(from reader: inout ObjectReader) {
        self.init(scorerName: reader.requiredText("scorerName"))
        readTarget(from: &reader)
        scorerVersion = reader.text("scorerVersion")
        let faults = reader.errors.count
        score = reader.number("score")
        let isScoreReadable = reader.errors.count == faults
        label = reader.text("label")
        reason = reader.text("reason", aliases: ["explanation"])
        error = reader.text("error")
        experiment = reader.text("experiment", aliases: ["experimentId"])
        annotatorKind = reader.text("annotatorKind")
        metadata = reader.members("metadata")
        if isScoreReadable { checkMeaning(&reader) }
    }

    var identity: String? { "\(id != nil) \(scorerID)" }
    static var duplicate: String {
        "is the same scorer, experiment and target once more; give each an id, or one of them"
    }

    private func checkMeaning(_ reader: inout ObjectReader) {
        if score == nil, label == nil, error == nil {
            reader.refuse("score", "is required where neither label nor error is given")
        }
        if let annotatorKind, !Self.annotatorKinds.contains(annotatorKind) {
            reader.refuse("annotatorKind", "must be one of \(Self.annotatorKinds.joined(separator: ", "))")
        }
    }
}

extension [ScoreInput] {
    /// Reads one object or a list of at most 1,000. `needsTarget`: each must name a trace or a session itself.
    /// - Throws: ``InputErrors`` with everything that is wrong, each with its path, like `[3].score`.
    public init(json: Value, needsTarget: Bool = false) throws(InputErrors) {
        self = try allOrNothing(try ScoreInput.each(json: json, needsTarget: needsTarget))
    }
}
