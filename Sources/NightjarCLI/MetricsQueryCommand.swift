import ArgumentParser
import Foundation
import Nightjar
import NightjarSignals

/// `nightjar metrics query`.
struct MetricsQueryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query",
        abstract: "What a metric of a running server was over some time.",
        discussion: """
            BEFORE is the period of the same length before it, CHANGE by what part the value has changed since. Numbers are \
            complete up to the time that the heading says: spans that wait for their agent are counted later, in their own time.
            """
    )

    @Argument(help: "The metric; nightjar metrics list shows them.")
    var name: String

    @Option(help: "sum, avg, min, max, count, rate, last, p50, p90, p95, p99 or p999.")
    var agg = "sum"

    @Option(name: .customLong("group-by"), help: "The labels that make groups, with commas between them.")
    var groupBy: String?

    @Option(
        name: .customLong("filter"),
        help: "Only series with this label, LABEL=VALUE; of several of one label any."
    )
    var filters: [String] = []

    @Option(help: "The last 30m, 24h, 7d, ...")
    var since: String?

    @Option(help: "Not before, ISO 8601.")
    var from: String?

    @Option(help: "Before, ISO 8601.")
    var to: String?

    @Option(help: "The length of a point: 10s, 5m, 1h, ...")
    var step: String?

    @Flag(help: "Print every point too.")
    var points = false

    @OptionGroup var server: ServerOptions

    @Flag(help: "Print the server's answer, JSON.")
    var json = false

    func run() async throws {
        let parameters = try parameters()
        let answer = try await server.connection().get("api/metrics/query", parameters.map(URLQueryItem.init))
        print(json ? answer.json + "\n" : QueryReport(answer).text(points: points), terminator: "")
    }

    private func parameters() throws -> [(name: String, value: String)] {
        var parameters = [(name: "name", value: name), ("agg", agg)]
        for (key, value) in [("groupBy", groupBy), ("from", from), ("to", to), ("step", step)] {
            if let value { parameters.append((key, value)) }
        }
        for filter in filters {
            let parts = filter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                complain("--filter \(filter) is no filter; write LABEL=VALUE")
                throw Outcome.usage
            }
            parameters.append(("filter.\(parts[0])", String(parts[1])))
        }
        if let since { parameters += try window(since) }
        return parameters
    }

    /// The range that ends now.
    private func window(_ since: String) throws -> [(name: String, value: String)] {
        guard from == nil, to == nil else {
            complain("--since goes without --from and --to")
            throw Outcome.usage
        }
        guard let duration = Duration(written: since) else {
            complain("--since \(since) is no duration; write 30m, 24h or 7d")
            throw Outcome.usage
        }
        return [("from", SystemClock().now().advanced(by: .zero - duration).description)]
    }
}

/// What `GET /api/metrics/query` says, for people.
struct QueryReport {
    private let answer: Value
    private let series: [Value]

    /// The report of an answer; what it does not have is empty.
    init(_ answer: Value) {
        self.answer = answer
        series = answer["series"]?.array ?? []
    }

    /// The totals of all groups, and where asked for their points.
    func text(points: Bool) -> String {
        let labels = labelNames
        var rows = series.map { row($0, labels) }
        if series.count != 1 || !labels.isEmpty {
            rows.append(labels.enumerated().map { $0.offset == 0 ? "(all)" : "" } + numbers(answer))
        }
        var text =
            heading + TextTable.text(labels.map { $0.uppercased() } + ["VALUE", "BEFORE", "CHANGE"], rows)
        if points { for one in series { text += table(of: one, labels) } }
        guard answer["truncated"] == .bool(true) else { return text }
        let all = answer["seriesCount"]?.json ?? ""
        return text + "\nthe \(series.count) of \(all) groups with the highest values\n"
    }

    private var heading: String {
        let unit = answer["unit"]?.string.map { " (\($0))" } ?? ""
        let complete = answer["completeUntil"]?.string ?? ""
        return TextTable.clean(
            "\(text("agg")) of \(text("name"))\(unit), \(text("from")) to \(text("to")), complete until \(complete)"
        ) + "\n"
    }

    private func text(_ key: String) -> String { answer[key]?.string ?? "" }

    /// The labels that any group has, those asked for first.
    private var labelNames: [String] {
        var names = answer["groupBy"]?.array?.compactMap(\.string) ?? []
        for one in series {
            for entry in one["labels"]?.object?.entries ?? [] where !names.contains(entry.key) {
                names.append(entry.key)
            }
        }
        return names
    }

    private func row(_ one: Value, _ labels: [String]) -> [String] {
        labels.map { one["labels"]?[$0]?.string ?? "-" } + numbers(one)
    }

    private func numbers(_ value: Value) -> [String] {
        let previous = value["previous"]
        let change = previous?["change"]?.number.map { part in
            let percent = (part * 1000).rounded() / 10
            return "\(percent > 0 ? "+" : "")\(percent) %"
        }
        return [Self.number(value["total"]), Self.number(previous?["value"]), change ?? "-"]
    }

    private static func number(_ value: Value?) -> String {
        guard let number = value?.number else { return "-" }
        // Six digits: what people compare.
        guard number != number.rounded() || abs(number) >= 1e15 else { return Value.double(number).json }
        let scale = max(0, 5 - Int(abs(number).exponent) * 3 / 10)
        guard scale < 15 else { return Value.double(number).json }
        let factor = (0..<scale).reduce(1.0) { product, _ in product * 10 }
        return Value.double((number * factor).rounded() / factor).json
    }

    private func table(of one: Value, _ labels: [String]) -> String {
        let name = labels.compactMap { label in one["labels"]?[label]?.string.map { "\(label)=\($0)" } }
        let rows = (one["points"]?.array ?? []).map {
            [$0["time"]?.string ?? "", Self.number($0["value"])]
        }
        let head = name.isEmpty ? "" : "\n" + TextTable.clean(name.joined(separator: " ")) + "\n"
        return head + TextTable.text(["TIME", "VALUE"], rows)
    }
}
