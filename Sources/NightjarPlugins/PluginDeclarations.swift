import CNightjarLua
import CNightjarSignals
import NightjarBus
import NightjarSignals

/// The events that rules may ask for.
enum RuleEvent: String, CaseIterable, Sendable {
    case spanStarted = "span_started"
    case spanUpdated = "span_updated"
    case spanEnded = "span_ended"
    case traceEnded = "trace_ended"
    case log, metric, score, feedback, drop
}

/// What a scorer declares beside its match.
struct ScorerOptions: Sendable {
    var range: ClosedRange<Double>?
    var categories: [String] = []
    var sample = 1.0
    var version: String?
    var experiment: String?
}

/// One rule or scorer of a loaded state.
final class Rule {
    let event: RuleEvent
    /// The scorer's name; nil for a rule.
    let scorer: String?
    let function: Int32
    let place: String
    var spanMatch: MatchProgram?
    var traceMatch: [TraceMatch] = []
    var matchText: String?
    var takesDuplicates = false
    var isEarly = false
    var again = false
    var options = ScorerOptions()

    init(event: RuleEvent, scorer: String?, function: Int32, place: String) {
        self.event = event
        self.scorer = scorer
        self.function = function
        self.place = place
    }
}

/// What a script declared while it loaded.
struct PluginDeclarations {
    /// Inside calls, a plugin may name so many metrics in all.
    static let metricLimit = 200

    var displayName: String?
    var version: String?
    var description: String?
    var settings: Value.Object = [:]
    var rules: [Rule] = []
    var metrics: [InstrumentDescriptor] = []
    var policies: [String: LabelPolicy] = [:]
    var unload: [Int32] = []

    mutating func plugin(_ options: Value) throws(DeclarationFault) {
        let fields = try Fields(
            options,
            of: "nightjar.plugin",
            [
                "name", "version", "description", "api", "scope", "settings",
            ]
        )
        displayName = try fields.text("name")
        version = try fields.text("version")
        description = try fields.text("description")
        if let api = fields.object["api"], api != .int(1) {
            throw DeclarationFault("this host has api 1, the plugin wants \(api.json)")
        }
        if let scope = try fields.text("scope"), scope != "worker" {
            throw DeclarationFault(
                scope == "global"
                    ? "scope 'global' is not available in this host yet" : "scope is 'worker' or 'global'"
            )
        }
        settings = try fields.table("settings") ?? [:]
    }

    mutating func metric(_ type: MetricType, name: String, options: Value?) throws(DeclarationFault) -> Int {
        var descriptor = InstrumentDescriptor(name: name, type: type)
        if let options {
            var allowed = ["help", "unit", "labels", "cardinality_limit", "max_value_length"]
            if type == .histogram { allowed += ["buckets", "range"] }
            let fields = try Fields(options, of: "nightjar.\(type.rawValue)", allowed)
            descriptor.help = try fields.text("help") ?? ""
            descriptor.unit = try fields.text("unit") ?? ""
            descriptor.buckets = try fields.numbers("buckets")
            descriptor.range = try fields.range("range")
            var policy = LabelPolicy()
            policy.allow = try fields.names("labels").map { Set($0) }
            policy.cardinalityLimit = try fields.whole("cardinality_limit")
            policy.maximumValueLength = try fields.whole("max_value_length")
            if policy != LabelPolicy() {
                policies[name] = policies[name]?.combined(with: policy) ?? policy
            }
            if let buckets = descriptor.buckets,
                buckets.isEmpty || zip(buckets, buckets.dropFirst()).contains(where: { $0 >= $1 })
            {
                throw DeclarationFault("buckets must be ascending numbers")
            }
        }
        if let place = metrics.firstIndex(where: { $0.name == name }) {
            guard metrics[place].type == type else {
                throw DeclarationFault(
                    "metric \(name) is a \(metrics[place].type.rawValue) in this plugin already"
                )
            }
            return place
        }
        guard metrics.count < Self.metricLimit else {
            throw DeclarationFault("more than \(Self.metricLimit) metric names; put what varies into labels")
        }
        metrics.append(descriptor)
        return metrics.count - 1
    }

    mutating func labels(metric: String, _ options: Value) throws(DeclarationFault) {
        let fields = try Fields(
            options,
            of: "nightjar.labels",
            [
                "allow", "block", "cardinality_limit", "max_value_length",
            ]
        )
        guard metric == "*" || isMetricName(metric) else {
            throw DeclarationFault("'\(metric)' is no metric name")
        }
        var policy = LabelPolicy()
        policy.allow = try fields.names("allow").map { Set($0) }
        policy.block = Set(try fields.names("block") ?? [])
        policy.cardinalityLimit = try fields.whole("cardinality_limit")
        policy.maximumValueLength = try fields.whole("max_value_length")
        policies[metric] = policies[metric]?.combined(with: policy) ?? policy
    }

    mutating func rule(
        event name: String,
        match: Value?,
        options: Value?,
        function: Int32,
        place: String
    ) throws(DeclarationFault) {
        guard let event = RuleEvent(rawValue: name) else {
            let known = RuleEvent.allCases.map(\.rawValue)
            throw DeclarationFault("unknown event '\(name)'\(suggestion(for: name, among: known))")
        }
        let rule = Rule(event: event, scorer: nil, function: function, place: place)
        try Self.compile(match, into: rule)
        if let options {
            let fields = try Fields(options, of: "nightjar.on", ["early", "duplicates", "again"])
            rule.isEarly = try fields.flag("early") ?? false
            rule.takesDuplicates = try fields.flag("duplicates") ?? false
            rule.again = try fields.flag("again") ?? false
        }
        rules.append(rule)
    }

    mutating func scorer(name: String, options: Value?, function: Int32, place: String)
        throws(DeclarationFault)
    {
        let fields = try Fields(
            options ?? .object([:]),
            of: "nightjar.scorer",
            [
                "on", "match", "sample", "range", "categories", "version", "experiment",
            ]
        )
        guard !rules.contains(where: { $0.scorer == name }) else {
            throw DeclarationFault("there is a scorer '\(name)' in this plugin already")
        }
        guard let on = try fields.text("on"), let event = RuleEvent(rawValue: on),
            event == .spanEnded || event == .traceEnded
        else { throw DeclarationFault("a scorer needs on = \"span_ended\" or on = \"trace_ended\"") }
        let rule = Rule(event: event, scorer: name, function: function, place: place)
        rule.again = true
        try Self.compile(fields.object["match"], into: rule)
        rule.options.range = try fields.range("range")
        rule.options.categories = try fields.names("categories") ?? []
        rule.options.version = try fields.text("version")
        rule.options.experiment = try fields.text("experiment")
        if let sample = try fields.number("sample") {
            guard (0...1).contains(sample) else { throw DeclarationFault("sample is a number from 0 to 1") }
            rule.options.sample = sample
        }
        rules.append(rule)
    }

    private static func compile(_ match: Value?, into rule: Rule) throws(DeclarationFault) {
        guard let match else { return }
        rule.matchText = match.json
        switch rule.event {
        case .spanStarted, .spanUpdated, .spanEnded:
            let tree = try MatchCompiler.span(match)
            if case .all(let trees) = tree, trees.isEmpty { return }
            rule.spanMatch = MatchProgram(tree)
        case .traceEnded: rule.traceMatch = try TraceMatch.alternatives(match)
        case .log, .metric, .score, .feedback, .drop:
            guard match.object != nil || match.array != nil else {
                throw DeclarationFault("a match is a table of fields, or a list of such tables")
            }
        }
    }
}

/// The fields of an options table, checked as they are read.
struct Fields {
    let object: Value.Object
    private let owner: String

    init(_ value: Value, of owner: String, _ allowed: [String]) throws(DeclarationFault) {
        guard let object = value.object else {
            throw DeclarationFault("\(owner) takes a table of named options")
        }
        for (key, _) in object.entries where !allowed.contains(key) {
            throw DeclarationFault(
                "unknown option '\(key)' of \(owner)\(suggestion(for: key, among: allowed))"
            )
        }
        self.object = object
        self.owner = owner
    }

    func text(_ key: String) throws(DeclarationFault) -> String? {
        guard let value = object[key], value != .null else { return nil }
        switch value {
        case .string(let text): return text
        case .int, .double: return value.json
        default: throw DeclarationFault("option '\(key)' of \(owner) is text")
        }
    }

    func flag(_ key: String) throws(DeclarationFault) -> Bool? {
        guard let value = object[key] else { return nil }
        guard case .bool(let flag) = value else {
            throw DeclarationFault("option '\(key)' of \(owner) is true or false")
        }
        return flag
    }

    func number(_ key: String) throws(DeclarationFault) -> Double? {
        guard let value = object[key] else { return nil }
        guard let number = value.plainNumber else {
            throw DeclarationFault("option '\(key)' of \(owner) is a number")
        }
        return number
    }

    func whole(_ key: String) throws(DeclarationFault) -> Int? {
        guard let number = try number(key) else { return nil }
        guard let whole = Int(exactly: number), whole > 0 else {
            throw DeclarationFault("option '\(key)' of \(owner) is a whole number above 0")
        }
        return whole
    }

    func numbers(_ key: String) throws(DeclarationFault) -> [Double]? {
        guard let value = object[key] else { return nil }
        guard let numbers = value.array?.map(\.plainNumber), !numbers.contains(nil) else {
            throw DeclarationFault("option '\(key)' of \(owner) is a list of numbers")
        }
        return numbers.compactMap(\.self)
    }

    func range(_ key: String) throws(DeclarationFault) -> ClosedRange<Double>? {
        guard let numbers = try numbers(key) else { return nil }
        guard numbers.count == 2, numbers[0] < numbers[1] else {
            throw DeclarationFault("option '\(key)' of \(owner) is {low, high}")
        }
        return numbers[0]...numbers[1]
    }

    func names(_ key: String) throws(DeclarationFault) -> [String]? {
        guard let value = object[key] else { return nil }
        // An empty table is an empty list too.
        if value.object?.isEmpty == true { return [] }
        guard let names = value.array?.map(\.string), !names.contains(nil) else {
            throw DeclarationFault("option '\(key)' of \(owner) is a list of names")
        }
        return names.compactMap(\.self)
    }

    func table(_ key: String) throws(DeclarationFault) -> Value.Object? {
        guard let value = object[key] else { return nil }
        guard let table = value.object else {
            throw DeclarationFault("option '\(key)' of \(owner) is a table")
        }
        return table
    }
}
