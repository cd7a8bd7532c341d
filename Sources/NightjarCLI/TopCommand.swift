import ArgumentParser
import Foundation
import NightjarSignals

/// `nightjar top`.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "What each plugin rule of a running server costs, the most expensive first.",
        discussion: """
            CPU is the share of one core: over the time since the plugin was loaded, and where the table is refreshed, over \
            the last second. It is estimated, because only some calls are timed. On a terminal the table is refreshed each \
            second, until the command is interrupted; elsewhere it is printed once.
            """
    )

    @OptionGroup var server: ServerOptions

    @Flag(help: "Print the table once.")
    var once = false

    @Flag(help: "Print the server's answer once, JSON.")
    var json = false

    /// So often is the table refreshed.
    private static let pause = Duration.seconds(1)
    /// Puts the cursor home and empties the screen.
    private static let clearScreen = "\u{1B}[H\u{1B}[2J"

    func run() async throws {
        let connection = try server.connection()
        if json { return print(try await connection.get("api/plugins").json) }
        var report = CostReport()
        guard !once, isatty(STDOUT_FILENO) == 1 else {
            report.take(try await connection.get("api/plugins"), at: .now)
            return show(report.text)
        }
        while true {
            report.take(try await connection.get("api/plugins"), at: .now)
            show(Self.clearScreen + report.text)
            // A person reads it; an interrupt ends the process.
            try await Task.sleep(for: Self.pause)
        }
    }
}

/// The rules of all plugins by what they cost, from one answer of `GET /api/plugins` to the next.
struct CostReport {
    private struct Rule {
        let plugin: String
        let label: String
        let share: Double?
        let value: Value

        var name: String { "\(plugin)/\(label)" }
    }

    private var rules: [Rule] = []
    private var seconds: [String: Double] = [:]
    private var takenAt: ContinuousClock.Instant?

    /// Takes an answer; from the second on, shares are of the time since the one before.
    mutating func take(_ answer: Value, at now: ContinuousClock.Instant) {
        let elapsed = takenAt.map { (now - $0) / .seconds(1) } ?? 0
        var next: [String: Double] = [:]
        rules = []
        for plugin in answer["plugins"]?.array ?? [] {
            for value in plugin["rules"]?.array ?? [] {
                let key = "\(plugin.text("name")) \(plugin.text("generation")) \(value.text("label"))"
                let spent = value["callSeconds"]?.number ?? 0
                next[key] = spent
                // A version that was not there before has only its whole life to go by.
                let share = seconds[key].flatMap { elapsed > 0 ? max(spent - $0, 0) / elapsed : nil }
                rules.append(
                    Rule(
                        plugin: plugin.text("name"),
                        label: value.text("label"),
                        share: share ?? value["share"]?.number,
                        value: value
                    )
                )
            }
        }
        (seconds, takenAt) = (next, now)
    }

    /// The table, the most expensive rule first.
    var text: String {
        guard !rules.isEmpty else { return "no rules\n" }
        let sorted = rules.sorted { ($1.share ?? -1, $0.name) < ($0.share ?? -1, $1.name) }
        let total = rules.reduce(0) { $0 + ($1.share ?? 0) }
        return
            "\(rules.count) \(rules.count == 1 ? "rule" : "rules"), \(Figure.share(.double(total))) of one core\n"
            + TextTable.text(
                ["PLUGIN", "RULE", "CPU", "MATCHES", "CALLS", "ERRORS", "MEAN", "P99", "CIRCUIT", "PLACE"],
                sorted.map { rule in
                    [
                        rule.plugin, rule.label, Figure.share(rule.share.map { .double($0) }),
                        rule.value.text("matches"), rule.value.text("calls"), rule.value.text("errors"),
                        Figure.microseconds(rule.value["meanMicroseconds"]),
                        Figure.microseconds(rule.value["p99Microseconds"]),
                        rule.value["circuitOpen"] == true ? "open" : "closed", rule.value.text("place"),
                    ]
                }
            )
    }
}
