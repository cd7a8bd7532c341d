import NightjarBus
import NightjarPlugins
import NightjarSignals

/// What came of a test's events.
struct PluginTestFindings {
    let run: RecordedRun
    let errors: [String]

    /// The series of a metric whose labels contain the given ones.
    func series(_ name: String, _ labels: Value?) -> [StoredSeries] {
        let wanted = labels?.object?.entries ?? []
        return run.totals.filter { series in
            series.instrument.name == name && series.total.count > 0
                && wanted.allSatisfy { key, value in
                    series.labels.contains { $0.name == key && $0.value == value.labelText }
                }
        }
    }

    /// The value of a metric: a counter's total, a gauge's last value, how many values a histogram has; nil for none.
    func value(_ name: String, _ labels: Value?) -> Double? {
        let found = series(name, labels)
        guard let first = found.first else { return nil }
        switch first.instrument.type {
        case .counter: return found.reduce(0) { $0 + $1.total.sum }
        case .gauge: return found.max { $0.total.time < $1.total.time }?.total.sum
        case .histogram: return Double(found.reduce(0) { $0 + $1.total.count })
        }
    }

    func scores(_ name: String?) -> [Score] { run.scores.filter { name == nil || $0.scorerName == name } }

    /// Answers what a test looks up.
    func answer(_ operation: String, _ arguments: [Value]) throws(DeclarationFault) -> Value? {
        let name = arguments.first?.string
        switch operation {
        case "metric":
            guard let name else { throw DeclarationFault("t.metric takes a metric's name") }
            return value(name, arguments.count > 1 ? arguments[1] : nil).map { .double($0) }
        case "scores": return .array(scores(name).map(\.luaValue))
        case "feedback":
            return .array(
                run.feedback.filter { name == nil || $0.feedbackType == name }.map {
                    [
                        "feedback_type": .string($0.feedbackType), "value": $0.value,
                        "source": .string($0.source),
                    ]
                }
            )
        case "logs":
            return .array(run.logs.map { ["level": .string($0.level.name), "message": .string($0.message)] })
        case "errors": return .array(errors.map(Value.string))
        default: throw DeclarationFault("a test has no '\(operation)'")
        }
    }
}

extension Score {
    fileprivate var luaValue: Value {
        var object: Value.Object = ["scorer_name": .string(scorerName)]
        object["score"] = score.map { .double($0) }
        object["label"] = label.map { .string($0) }
        object["reason"] = reason.map { .string($0) }
        object["trace_id"] = traceID.map { .string($0.description) }
        object["span_id"] = spanID.map { .string($0.description) }
        return .object(object)
    }
}

extension Value {
    /// The value as a label has it.
    fileprivate var labelText: String { string ?? json }
}

/// What tests expect: each check throws with what was found where it is not so.
struct PluginExpectations {
    let found: PluginTestFindings

    private static let names = [
        "metric", "no_metric", "score", "no_score", "feedback", "no_feedback", "log", "no_errors", "error",
        "equal",
    ]

    func check(_ name: String, _ arguments: [Value]) throws(DeclarationFault) {
        func argument(_ place: Int) -> Value? {
            arguments.indices.contains(place) && arguments[place] != .null ? arguments[place] : nil
        }
        func text(_ what: String) throws(DeclarationFault) -> String {
            guard let text = argument(0)?.string else {
                throw DeclarationFault("t.expect.\(name) takes \(what)")
            }
            return text
        }
        switch name {
        case "metric": try metric(text("a metric's name"), argument(1), argument(2))
        case "no_metric":
            let metric = try text("a metric's name")
            guard let value = found.value(metric, argument(1)) else { return }
            throw DeclarationFault("\(metric)\(labels(argument(1))) is \(number(value)), expected none")
        case "score": try score(text("a scorer's name"), argument(1))
        case "no_score":
            let scorer = try text("a scorer's name")
            guard let score = found.scores(scorer).first else { return }
            throw DeclarationFault("\(scorer) gave \(describe(score)), expected none")
        case "feedback": try feedback(text("a type"), argument(1))
        case "no_feedback":
            let type = try text("a type")
            guard let item = found.run.feedback.first(where: { $0.feedbackType == type }) else { return }
            throw DeclarationFault("there is feedback \(type) with value \(item.value.json), expected none")
        case "log": try log(text("a part of the message"), argument(1)?.string)
        case "no_errors":
            guard let error = found.errors.first else { return }
            throw DeclarationFault("there were \(found.errors.count) errors, the first: \(error)")
        case "error": try error(text("a part of the message"))
        case "equal": try equal(argument(0), argument(1))
        default:
            throw DeclarationFault(
                "t.expect has no '\(name)'\(PluginVocabulary.suggestion(for: name, among: Self.names))"
            )
        }
    }

    // MARK: Metrics

    private func metric(_ name: String, _ expected: Value?, _ labels: Value?) throws(DeclarationFault) {
        guard let value = found.value(name, labels) else {
            throw DeclarationFault("\(name)\(self.labels(labels)) was not observed; \(others(name))")
        }
        guard let expected else { return }
        let series = found.series(name, labels)
        let count = Double(series.reduce(0) { $0 + $1.total.count })
        let sum = series.reduce(0) { $0 + $1.total.sum }
        let facts = ["count": count, "sum": sum, "mean": count > 0 ? sum / count : 0]
        try compare(value, expected, facts, "\(name)\(self.labels(labels))")
    }

    private func others(_ name: String) -> String {
        let series = found.series(name, nil).map { series in
            "{" + series.labels.map { "\($0.name)=\($0.value)" }.joined(separator: ", ") + "}"
        }
        guard series.isEmpty else { return "there is \(series.prefix(5).joined(separator: " "))" }
        let names = Set(
            found.run.totals.filter { !RecordedRun.isBuiltIn($0.instrument.name) }.map(\.instrument.name)
        )
        return names.isEmpty
            ? "the plugin observed no metric" : "there is \(names.sorted().joined(separator: ", "))"
    }

    private func labels(_ labels: Value?) -> String {
        guard let entries = labels?.object?.entries, !entries.isEmpty else { return "" }
        return "{" + entries.map { "\($0.key)=\($0.value.string ?? $0.value.json)" }.joined(separator: ", ")
            + "}"
    }

    /// Compares a value with a number or a table of bounds; `facts` are further numbers that a table may name.
    private func compare(
        _ value: Double,
        _ expected: Value,
        _ facts: [String: Double],
        _ subject: String
    ) throws(DeclarationFault) {
        if let wanted = expected.plain {
            guard isNear(value, wanted) else {
                throw DeclarationFault("\(subject) is \(number(value)), expected \(number(wanted))")
            }
            return
        }
        guard let bounds = expected.object else {
            throw DeclarationFault("\(subject): expected is a number or a table such as { above = 1 }")
        }
        for (key, bound) in bounds.entries {
            guard let limit = bound.plain else { throw DeclarationFault("\(subject): \(key) takes a number") }
            let (actual, holds): (Double, Bool) =
                switch key {
                case "above": (value, value > limit)
                case "below": (value, value < limit)
                case "equals": (value, isNear(value, limit))
                default: (facts[key] ?? .nan, facts[key].map { isNear($0, limit) } ?? false)
                }
            guard ["above", "below", "equals"].contains(key) || facts[key] != nil else {
                throw DeclarationFault("\(subject): unknown bound '\(key)'")
            }
            guard holds else {
                throw DeclarationFault(
                    "\(subject): expected \(key) \(number(limit)), found \(number(actual))"
                )
            }
        }
    }

    // MARK: Scores, feedback, logs

    private func score(_ scorer: String, _ expected: Value?) throws(DeclarationFault) {
        let scores = found.scores(scorer)
        guard let score = scores.last else {
            let names = Set(found.run.scores.map(\.scorerName)).sorted()
            let others =
                names.isEmpty ? "no scorer gave any" : "there are scores of \(names.joined(separator: ", "))"
            throw DeclarationFault("\(scorer) gave no score; \(others)\(firstError)")
        }
        guard let expected else { return }
        var bounds = expected.object ?? ["equals": expected]
        for key in ["label", "reason"] {
            guard let wanted = bounds[key] else { continue }
            bounds[key] = nil
            let actual = key == "label" ? score.label : score.reason
            let holds =
                key == "label" ? actual == wanted.string : actual?.contains(wanted.string ?? "\u{0}") == true
            guard holds else {
                throw DeclarationFault(
                    "\(scorer): expected \(key) \(wanted.json), found \(actual.map { Value.string($0).json } ?? "none")"
                )
            }
        }
        guard !bounds.isEmpty else { return }
        guard let value = score.score else {
            throw DeclarationFault("\(scorer) gave \(describe(score)), expected a number")
        }
        try compare(value, .object(bounds), [:], "score of \(scorer)")
    }

    private func feedback(_ type: String, _ expected: Value?) throws(DeclarationFault) {
        let items = found.run.feedback.filter { $0.feedbackType == type }
        guard let item = items.last else {
            throw DeclarationFault("there is no feedback of type \(type)\(firstError)")
        }
        guard let expected, item.value != expected else { return }
        throw DeclarationFault("feedback \(type) is \(item.value.json), expected \(expected.json)")
    }

    private func log(_ part: String, _ level: String?) throws(DeclarationFault) {
        let lines = found.run.logs
        guard
            !lines.contains(where: { $0.message.contains(part) && (level == nil || $0.level.name == level) })
        else { return }
        let shown = lines.prefix(5).map { "\($0.level.name): \($0.message)" }.joined(separator: "; ")
        throw DeclarationFault(
            "no log line contains '\(part)'; \(shown.isEmpty ? "nothing was logged" : "there is \(shown)")"
        )
    }

    private func error(_ part: String) throws(DeclarationFault) {
        guard !found.errors.contains(where: { $0.contains(part) }) else { return }
        throw DeclarationFault(
            "no error contains '\(part)'; \(found.errors.first.map { "there is \($0)" } ?? "there was none")"
        )
    }

    private func equal(_ actual: Value?, _ expected: Value?) throws(DeclarationFault) {
        guard actual != expected else { return }
        throw DeclarationFault("found \(actual?.json ?? "nil"), expected \(expected?.json ?? "nil")")
    }

    private var firstError: String { found.errors.first.map { "; an error: \($0)" } ?? "" }

    private func describe(_ score: Score) -> String {
        score.score.map(number) ?? score.label ?? score.error ?? "nothing"
    }

    private func isNear(_ left: Double, _ right: Double) -> Bool {
        left == right || abs(left - right) <= 1e-9 * max(abs(left), abs(right))
    }

    private func number(_ value: Double) -> String { Value.double(value).json }
}
