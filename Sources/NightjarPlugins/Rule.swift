import CNightjarLua
import NightjarBus
import NightjarSignals

/// The events that rules may ask for.
package enum RuleEvent: String, CaseIterable, Sendable {
    /// A span has begun.
    case spanStarted = "span_started"
    /// A span that runs has changed.
    case spanUpdated = "span_updated"
    /// A span has ended.
    case spanEnded = "span_ended"
    /// A trace has ended.
    case traceEnded = "trace_ended"
    /// A log line.
    case log
    /// An observation that a sender made.
    case metric
    /// A score.
    case score
    /// Feedback.
    case feedback
    /// Events were lost.
    case drop

    /// Whether its object is a span.
    var isOfSpan: Bool { self == .spanStarted || self == .spanUpdated || self == .spanEnded }

    /// The kind of object that its rules are called with.
    var object: nj_object {
        switch self {
        case .spanStarted, .spanUpdated, .spanEnded: NJ_OBJECT_SPAN
        case .traceEnded: NJ_OBJECT_TRACE
        case .log: NJ_OBJECT_LOG
        case .metric: NJ_OBJECT_METRIC
        case .score: NJ_OBJECT_SCORE
        case .feedback: NJ_OBJECT_FEEDBACK
        case .drop: NJ_OBJECT_DROP
        }
    }
}

/// What a scorer declares beside its match.
struct ScorerOptions: Sendable {
    var range: ClosedRange<Double>?
    var categories: [String] = []
    var sample = 1.0
    var version: String?
    var experiment: String?
}

/// What a plugin has the host call.
enum RuleRole: Sendable, Equatable {
    /// `nightjar.on`.
    case rule
    /// `nightjar.scorer`, with its name.
    case scorer(String)
    /// `nightjar.process`.
    case process
    /// `nightjar.sampler`.
    case sampler
    /// `nightjar.every`, in seconds.
    case every(Double)
}

/// One rule of a loaded state; immutable once its file has loaded.
final class Rule: Sendable {
    let role: RuleRole
    /// What it is called for; of a sampler and a timer it says nothing.
    let event: RuleEvent
    let function: Int32
    let place: String
    /// The line that the function begins at; 0 where that is not known.
    let line: Int
    let match: RuleMatch
    let takesDuplicates: Bool
    let isEarly: Bool
    let again: Bool
    let options: ScorerOptions

    init(
        _ role: RuleRole,
        event: RuleEvent,
        function: Int32,
        place: String,
        line: Int = 0,
        match: RuleMatch = RuleMatch(),
        takesDuplicates: Bool = false,
        isEarly: Bool = false,
        again: Bool = false,
        options: ScorerOptions = ScorerOptions()
    ) {
        self.role = role
        self.event = event
        self.function = function
        self.place = place
        self.line = line
        self.match = match
        self.takesDuplicates = takesDuplicates
        self.isEarly = isEarly
        self.again = again
        self.options = options
    }

    /// The scorer's name; nil for anything else.
    var scorer: String? { if case .scorer(let name) = role { name } else { nil } }

    /// What calls it, in words that the API uses.
    var eventName: String {
        switch role {
        case .rule, .scorer, .process: event.rawValue
        case .sampler: "sampling"
        case .every: "timer"
        }
    }

    /// What people call it.
    var name: String {
        switch role {
        case .rule: event.rawValue
        case .scorer(let name): name
        case .process: "process \(event.isOfSpan ? "span" : event.rawValue)"
        case .sampler: "sampler"
        case .every(let seconds): "every \(Value.double(seconds).json) s"
        }
    }
}

/// What an event must be like for a rule to be called: compiled at load, held by the host.
struct RuleMatch: Sendable {
    /// For rules of spans; nil: every span.
    var span: MatchProgram?
    /// For rules of traces: any of these; none: every trace.
    var traces: [TraceMatch] = []
    /// For rules of other events; nil: every event.
    var record: RecordMatch?
    /// The keys of a span's condition one by one, to say which of them an event fails.
    var spanKeys: [(key: String, program: MatchProgram)] = []
    /// What the script wrote, as JSON.
    var text: String?

    init() {}

    /// Compiles what a script wrote for an event.
    init(_ match: Value?, of event: RuleEvent) throws(DeclarationFault) {
        guard let match else { return }
        text = match.json
        switch event {
        case .spanStarted, .spanUpdated, .spanEnded:
            let tree = try MatchCompiler.span(match)
            if case .all(let trees) = tree, trees.isEmpty { return }
            span = MatchProgram(tree)
            spanKeys = try SpanKeys(match).keys
        case .traceEnded: traces = try TraceMatch.alternatives(match)
        case .log, .metric, .score, .feedback, .drop:
            record = try RecordMatch(match, of: event.object)
        }
    }
}
