package import NightjarBus

/// A thing that is legal and probably not meant.
package struct PluginLint: Sendable, Equatable, CustomStringConvertible {
    /// The kinds of lints.
    package enum Code: String, Sendable, CaseIterable {
        /// A metric is declared and never used.
        case unusedMetric = "unused_metric"
        /// A label is given that the metric's allow-list drops.
        case labelNotAllowed = "label_not_allowed"
        /// A field is read that the event does not have.
        case unknownField = "unknown_field"
        /// A global variable is set.
        case globalAssignment = "global_assignment"
        /// A variable is changed of which each worker has its own.
        case sharedUpvalue = "shared_upvalue"
        /// Two plugins together leave less of a metric's labels than either wants.
        case overlappingPolicies = "overlapping_policies"
    }

    /// The plugin's file.
    package let file: String
    /// The line, counted from 1; 0 where it is about the whole file.
    package let line: Int
    /// What kind it is.
    package let code: Code
    /// What is found and what to do.
    package let message: String

    /// FILE:LINE: MESSAGE.
    package var description: String { line > 0 ? "\(file):\(line): \(message)" : "\(file): \(message)" }
}

/// What loading a plugin told of it.
package struct LintFacts: Sendable {
    /// A function that a rule, scorer or processor calls.
    package typealias Rule = (lineDefined: Int, event: String, fields: [String])

    /// Whether one state sees all events.
    package var isGlobalScope: Bool
    /// The rules: the line where the function begins, the event, and all names that its first parameter
    /// answers to. Where there are no names, nothing is said of fields.
    package var rules: [Rule]
    /// The metrics by name, each with its allow-list; nil where it has none.
    package var metrics: [String: Set<String>?]

    /// Facts as given.
    package init(isGlobalScope: Bool = false, rules: [Rule] = [], metrics: [String: Set<String>?] = [:]) {
        self.isGlobalScope = isGlobalScope
        self.rules = rules
        self.metrics = metrics
    }
}

/// What is odd in a source, by line. Looks at its code and runs nothing of it; where it is not sure, it says
/// nothing. A source that does not compile has no lints.
package func lints(of source: [UInt8], file: String, facts: LintFacts) -> [PluginLint] {
    guard let chunk = LuaChunk(source: source) else { return [] }
    let scopes = LuaScopes(chunk)
    var findings = globalAssignments(in: scopes) + unknownFields(in: scopes, rules: facts.rules)
    if !facts.isGlobalScope { findings += sharedUpvalues(in: scopes) }
    findings += metricFindings(in: scopes, allowed: facts.metrics)
    return Set(findings).sorted { $0.order < $1.order }.map {
        PluginLint(file: file, line: $0.line, code: $0.code, message: $0.message)
    }
}

/// Where plugins leave less of a metric's labels than either of them wants: one lint for the later of two
/// plugins and each metric, naming both. A policy on `*` counts for every metric that the other plugin has a
/// policy on; two that overlap on `*` itself are told of once.
package func overlaps(
    _ policies: [(plugin: String, metric: String, policy: LabelPolicy)]
) -> [PluginLint] {
    var plugins: [String] = []
    var lists: [String: [String: Set<String>]] = [:]
    for (plugin, metric, policy) in policies {
        if !plugins.contains(plugin) { plugins.append(plugin) }
        guard let allow = policy.allow else { continue }
        let known = lists[plugin]?[metric]
        lists[plugin, default: [:]][metric] = known?.intersection(allow) ?? allow
    }
    var lints: [PluginLint] = []
    for (index, later) in plugins.enumerated() {
        for earlier in plugins.prefix(index) {
            guard let mine = lists[later], let others = lists[earlier] else { continue }
            for metric in Set(mine.keys).union(others.keys).sorted() {
                guard let wanted = list(for: metric, in: mine), let other = list(for: metric, in: others),
                    let message = overlap(of: metric, (earlier, other), (later, wanted))
                else { continue }
                lints.append(
                    PluginLint(file: "\(later).lua", line: 0, code: .overlappingPolicies, message: message)
                )
                // What holds for all metrics need not be said of each; it sorts before every name.
                if metric == "*" { break }
            }
        }
    }
    return lints
}

/// What a plugin lets pass of a metric, nil where it says nothing of it.
private func list(for metric: String, in lists: [String: Set<String>]) -> Set<String>? {
    guard let all = lists["*"] else { return lists[metric] }
    return lists[metric]?.intersection(all) ?? all
}

private func overlap(
    of metric: String,
    _ earlier: (plugin: String, labels: Set<String>),
    _ later: (plugin: String, labels: Set<String>)
) -> String? {
    let both = earlier.labels.intersection(later.labels)
    let isLess = both != earlier.labels && both != later.labels
    guard isLess || both.isEmpty && earlier.labels != later.labels else { return nil }
    let what = metric == "*" ? "all metrics" : "metric '\(metric)'"
    let rest = both.isEmpty ? "no label" : "only \(both.sorted().joined(separator: ", "))"
    return "plugins '\(earlier.plugin)' and '\(later.plugin)' both limit the labels of \(what): "
        + "\(rest) passes both"
}

/// A lint before it is known of which file.
struct Finding: Hashable {
    let line: Int
    let code: PluginLint.Code
    let message: String

    var order: (Int, String, String) { (line, code.rawValue, message) }
}
