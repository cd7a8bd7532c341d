import ArgumentParser
import NightjarSignals

/// `nightjar explain`.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "What each plugin rule did for a trace, and why not.",
        discussion: """
            Calls are remembered for the last 10,000 traces. Where none is, the rules as they run now are held against the \
            trace as it is stored: KEY is what does not hold in the span that comes nearest.
            """
    )

    @Argument(help: "The trace.")
    var trace: String

    @Argument(help: "A rule, by its name or place (NAME.lua:LINE), or a plugin. (default: all)")
    var rule: String?

    @OptionGroup var server: ServerOptions

    @Flag(help: "Print the server's answer, JSON; of a rule, its part of it.")
    var json = false

    func run() async throws {
        guard let id = TraceID(trace) else {
            complain("\(trace) is no trace id; it has 1 to 32 hex digits")
            throw Outcome.usage
        }
        let answer = try await server.connection().get("api/traces/\(id)/rules")
        let all = answer["rules"]?.array ?? []
        let rules = all.filter(isMeant)
        if let rule, rules.isEmpty {
            let known = Set(all.map { $0.text("plugin") }).sorted().joined(separator: ", ")
            complain(
                "there is no rule '\(rule)'; the plugins that run are: \(known.isEmpty ? "none" : known)"
            )
            throw Outcome.failed
        }
        if json {
            return print(Value.object(["traceId": .string(id.description), "rules": .array(rules)]).json)
        }
        print(Self.text(rules), terminator: "")
    }

    private func isMeant(_ value: Value) -> Bool {
        guard let rule else { return true }
        let (plugin, label) = (value.text("plugin"), value.text("rule"))
        return [plugin, label, "\(plugin)/\(label)", value.text("place")].contains(rule)
    }

    /// A table of the rules, then the reasons that a table has no room for.
    private static func text(_ rules: [Value]) -> String {
        guard !rules.isEmpty else { return "no rules\n" }
        return "\(rules.count) \(rules.count == 1 ? "rule" : "rules")\n"
            + TextTable.text(
                ["PLUGIN", "RULE", "OUTCOME", "KEY", "SPAN", "CALLS", "ERRORS", "EMITTED", "MEAN", "PLACE"],
                rules.map { rule in
                    ["plugin", "rule", "outcome", "key", "spanId", "calls", "errors", "emitted"].map(
                        rule.text
                    )
                        + [Figure.microseconds(rule["meanMicroseconds"]), rule.text("place")]
                }
            )
            + TextTable.text(
                ["RULE", "WHY"],
                rules.map { ["\($0.text("plugin"))/\($0.text("rule"))", $0.text("reason")] }
            )
    }
}
