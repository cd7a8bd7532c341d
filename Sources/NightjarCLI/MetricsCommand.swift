import ArgumentParser
import NightjarSignals

/// `nightjar metrics`.
struct MetricsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics",
        abstract: "Ask a running server about its metrics.",
        subcommands: [List.self, MetricsQueryCommand.self, Cardinality.self]
    )

    /// `nightjar metrics list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Every metric with its type, labels and number of series."
        )

        @OptionGroup var server: ServerOptions

        @Flag(help: "Print the server's answer, JSON.")
        var json = false

        func run() async throws {
            let answer = try await server.connection().get("api/metrics")
            print(json ? answer.json + "\n" : MetricsReport(answer).list, terminator: "")
        }
    }

    /// `nightjar metrics cardinality`.
    struct Cardinality: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "cardinality",
            abstract: "Which metrics have how many series, and what cardinality protection dropped.",
            discussion: """
                Metrics with the most series come first. OVERFLOW is how many observations were counted without their labels \
                because the metric had reached its limit of label sets.
                """
        )

        @OptionGroup var server: ServerOptions

        @Flag(help: "Print the server's answer, JSON.")
        var json = false

        func run() async throws {
            let answer = try await server.connection().get("api/metrics")
            print(json ? answer.json + "\n" : MetricsReport(answer).cardinality, terminator: "")
        }
    }
}

/// What `GET /api/metrics` says, for people.
struct MetricsReport {
    private struct Metric {
        let name: String
        let type: String
        let labels: [String]
        let series: Int
        /// How many observations overflowed; nil where none did.
        let overflow: String?
        let help: String
        let drops: [Value]
    }

    private let metrics: [Metric]

    /// The report of an answer; what it does not have is empty.
    init(_ answer: Value) {
        metrics = (answer["metrics"]?.array ?? []).map { metric in
            Metric(
                name: metric["name"]?.string ?? "",
                type: metric["metricType"]?.string ?? "",
                labels: metric["labelNames"]?.array?.compactMap(\.string) ?? [],
                series: metric["seriesCount"]?.number.flatMap { Int(exactly: $0) } ?? 0,
                overflow: metric["overflowCount"]?.json,
                help: metric["help"]?.string ?? "",
                drops: metric["dropped"]?.array ?? []
            )
        }
    }

    /// Every metric, by name.
    var list: String {
        heading
            + TextTable.text(
                ["METRIC", "TYPE", "SERIES", "LABELS", "HELP"],
                metrics.map { [$0.name, $0.type, "\($0.series)", $0.labels.joined(separator: ","), $0.help] }
            )
    }

    /// Which metrics have series, those with the most first; then which labels were dropped.
    var cardinality: String {
        let counted = metrics.filter { $0.series > 0 || $0.overflow != nil }
            .sorted { ($1.series, $0.name) < ($0.series, $1.name) }
        let drops = metrics.flatMap { metric in metric.drops.map { (metric.name, $0) } }
        var text = heading
        text += TextTable.text(
            ["METRIC", "SERIES", "OVERFLOW", "LABELS"],
            counted.map { metric in
                [
                    metric.name, "\(metric.series)", metric.overflow ?? "-",
                    metric.labels.joined(separator: ","),
                ]
            }
        )
        text += TextTable.text(
            ["METRIC", "DROPPED LABEL", "REASON", "TIMES", "SAMPLES"],
            drops.map { name, drop in
                [
                    name, drop["label"]?.string ?? "", drop["reason"]?.string ?? "",
                    drop["count"]?.json ?? "",
                    drop["samples"]?.array?.compactMap(\.string).joined(separator: ", ") ?? "",
                ]
            }
        )
        return text + (drops.isEmpty ? "\nno label was dropped\n" : "")
    }

    private var heading: String {
        "\(metrics.count) metrics, \(metrics.reduce(0) { $0 + $1.series }) series\n"
    }
}
