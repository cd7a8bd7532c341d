/// A verdict on a span, a trace or a session, as it travels on the bus.
public struct Score: Sendable, Equatable {
    /// Its identity: a score of the same id replaces an earlier one.
    public var id: String
    /// When it was given.
    public var timestamp: Timestamp
    /// The trace it judges; absent for a session's.
    public var traceID: TraceID?
    /// The span it judges; absent: the whole trace.
    public var spanID: SpanID?
    /// The session it judges, where it judges no trace.
    public var sessionID: String?
    /// Who judged.
    public var scorerName: String
    /// The version of the scorer.
    public var scorerVersion: String?
    /// The verdict as a finite number; absent where `label` stands alone or the scorer failed.
    public var score: Double?
    /// The verdict as a category.
    public var label: String?
    /// Why.
    public var reason: String?
    /// Why there is no verdict.
    public var error: String?
    /// The experiment it belongs to.
    public var experiment: String?
    /// What kind of judge: `human`, `llm`, `code`, `api`.
    public var annotatorKind: String?
    /// The target's metadata with the input's on top.
    public var metadata: Value.Object
    /// What its target belongs to, as far as that is known.
    public var correlation = Correlation()

    /// A score; everything optional is absent.
    public init(id: String, timestamp: Timestamp, scorerName: String, metadata: Value.Object = [:]) {
        self.id = id
        self.timestamp = timestamp
        self.scorerName = scorerName
        self.metadata = metadata
    }
}

/// What someone said of a span, a trace or a session, as it travels on the bus.
public struct Feedback: Sendable, Equatable {
    /// Its identity: feedback of the same id replaces an earlier one.
    public var id: String
    /// When it was given.
    public var timestamp: Timestamp
    /// The trace it is about; absent for a session's.
    public var traceID: TraceID?
    /// The span it is about; absent: the whole trace.
    public var spanID: SpanID?
    /// The session it is about, where it is about no trace.
    public var sessionID: String?
    /// Where it came from: `user`, `system`, or the caller's own word.
    public var source: String
    /// What it is: `thumbs`, `rating`, `comment`, or the caller's own word.
    public var feedbackType: String
    /// The value: a finite number or text.
    public var value: Value
    /// Words beside the value.
    public var comment: String?
    /// The experiment it belongs to.
    public var experiment: String?
    /// The target's metadata with the input's on top.
    public var metadata: Value.Object
    /// What its target belongs to, as far as that is known.
    public var correlation = Correlation()

    /// Feedback; everything optional is absent.
    public init(
        id: String,
        timestamp: Timestamp,
        source: String,
        feedbackType: String,
        value: Value,
        metadata: Value.Object = [:]
    ) {
        self.id = id
        self.timestamp = timestamp
        self.source = source
        self.feedbackType = feedbackType
        self.value = value
        self.metadata = metadata
    }
}

/// How bad what a log says is; later ones are worse.
public enum LogLevel: Int, Sendable, Comparable, CaseIterable {
    /// For whoever looks for a fault.
    case debug
    /// What happened in the ordinary course.
    case info
    /// Something went wrong and was mended.
    case warn
    /// Something went wrong and someone must act.
    case error
    /// Nothing can go on.
    case fatal

    /// The name in JSON, Lua and configuration.
    public var name: String {
        switch self {
        case .debug: "debug"
        case .info: "info"
        case .warn: "warn"
        case .error: "error"
        case .fatal: "fatal"
        }
    }

    /// The level of a name.
    public init?(name: some StringProtocol) {
        guard let level = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = level
    }

    /// By severity.
    public static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
}

/// One log line, as it travels on the bus.
public struct Log: Sendable, Equatable {
    /// When it was written.
    public var timestamp: Timestamp
    /// How bad it is.
    public var level: LogLevel
    /// What it says.
    public var message: String
    /// What belongs to it.
    public var data: Value.Object
    /// The trace it belongs to.
    public var traceID: TraceID?
    /// The span it belongs to.
    public var spanID: SpanID?
    /// Tags of the line.
    public var tags: [String] = []
    /// Run context and the writer's own keys.
    public var metadata: Value.Object
    /// What it belongs to.
    public var correlation = Correlation()

    /// A log line without a trace.
    public init(
        timestamp: Timestamp,
        level: LogLevel,
        message: String,
        data: Value.Object = [:],
        metadata: Value.Object = [:]
    ) {
        self.timestamp = timestamp
        self.level = level
        self.message = message
        self.data = data
        self.metadata = metadata
    }
}
