import CNightjarLua
import CNightjarSignals
import NightjarBus
import NightjarSignals

/// A function that a script gave, and where.
struct RuleFunction {
    let handle: Int32
    let place: String
    let line: Int
}

/// One test of a test file.
struct DeclaredTest: Sendable {
    let name: String
    let function: Int32
    let options: Value?
    let place: String
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
    /// The tests of a test file.
    var tests: [DeclaredTest] = []
    /// Whether one state serves every worker.
    var isGlobal = false
    private var hasPlugin = false

    mutating func plugin(_ options: Value) throws(DeclarationFault) {
        let fields = try Fields(options, of: "nightjar.plugin", shape: "nightjar.PluginOptions")
        guard !hasPlugin else { throw DeclarationFault("nightjar.plugin comes once in a plugin") }
        hasPlugin = true
        displayName = try fields.text("name")
        version = try fields.text("version")
        description = try fields.text("description")
        if let api = fields.object["api"], api != .int(1) {
            throw DeclarationFault("this host has api 1, the plugin wants \(api.json)")
        }
        if let scope = try fields.text("scope") {
            guard scope == "worker" || scope == "global" else {
                throw DeclarationFault("scope is \"worker\" or \"global\"")
            }
            isGlobal = scope == "global"
        }
        settings = try fields.table("settings") ?? [:]
    }

    mutating func metric(_ type: MetricType, name: String, options: Value?) throws(DeclarationFault) -> Int {
        var descriptor = InstrumentDescriptor(name: name, type: type)
        if let options {
            let shape = type == .histogram ? "nightjar.HistogramOptions" : "nightjar.MetricOptions"
            let fields = try Fields(options, of: "nightjar.\(type.rawValue)", shape: shape)
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
        let fields = try Fields(options, of: "nightjar.labels", shape: "nightjar.LabelPolicy")
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
        function: RuleFunction
    ) throws(DeclarationFault) {
        guard let event = RuleEvent(rawValue: name) else {
            let known = RuleEvent.allCases.map(\.rawValue)
            throw DeclarationFault("unknown event '\(name)'\(suggestion(for: name, among: known))")
        }
        let fields = try Fields(
            options ?? .object([:]),
            of: "nightjar.on",
            shape: "nightjar.OnOptions"
        )
        rules.append(
            Rule(
                .rule,
                event: event,
                function: function.handle,
                place: function.place,
                line: function.line,
                match: try RuleMatch(match, of: event),
                takesDuplicates: try fields.flag("duplicates") ?? false,
                isEarly: try fields.flag("early") ?? false,
                again: try fields.flag("again") ?? false
            )
        )
    }

    mutating func process(signal: String, match: Value?, function: RuleFunction)
        throws(DeclarationFault)
    {
        let events: [String: RuleEvent] = ["span": .spanEnded, "log": .log, "metric": .metric]
        guard let event = events[signal] else {
            throw DeclarationFault(
                "nightjar.process takes \"span\", \"log\" or \"metric\", not '\(signal)'"
            )
        }
        rules.append(
            Rule(
                .process,
                event: event,
                function: function.handle,
                place: function.place,
                line: function.line,
                match: try RuleMatch(match, of: event)
            )
        )
    }

    mutating func sampler(function: RuleFunction) throws(DeclarationFault) {
        guard !rules.contains(where: { $0.role == .sampler }) else {
            throw DeclarationFault("there is a sampler in this plugin already")
        }
        rules.append(Rule(.sampler, event: .spanStarted, function: function.handle, place: function.place))
    }

    mutating func every(_ seconds: Double, function: RuleFunction) throws(DeclarationFault) {
        guard isGlobal else {
            throw DeclarationFault("nightjar.every needs nightjar.plugin { scope = \"global\" }")
        }
        guard seconds >= 1, seconds <= 31 * 86400 else {
            throw DeclarationFault("nightjar.every takes seconds, from 1 to 31 days")
        }
        rules.append(Rule(.every(seconds), event: .drop, function: function.handle, place: function.place))
    }

    mutating func scorer(name: String, options: Value?, function: RuleFunction)
        throws(DeclarationFault)
    {
        let fields = try Fields(
            options ?? .object([:]),
            of: "nightjar.scorer",
            shape: "nightjar.ScorerOptions"
        )
        guard !rules.contains(where: { $0.scorer == name }) else {
            throw DeclarationFault("there is a scorer '\(name)' in this plugin already")
        }
        guard let on = try fields.text("on"), let event = RuleEvent(rawValue: on),
            event == .spanEnded || event == .traceEnded
        else { throw DeclarationFault("a scorer needs on = \"span_ended\" or on = \"trace_ended\"") }
        var scorer = ScorerOptions()
        scorer.range = try fields.range("range")
        scorer.categories = try fields.names("categories") ?? []
        scorer.version = try fields.text("version")
        scorer.experiment = try fields.text("experiment")
        if let sample = try fields.number("sample") {
            guard (0...1).contains(sample) else { throw DeclarationFault("sample is a number from 0 to 1") }
            scorer.sample = sample
        }
        rules.append(
            Rule(
                .scorer(name),
                event: event,
                function: function.handle,
                place: function.place,
                line: function.line,
                match: try RuleMatch(fields.object["match"], of: event),
                again: true,
                options: scorer
            )
        )
    }
}
