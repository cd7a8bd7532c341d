import Foundation

/// Collects the lines of all benchmarks and prints them as one table.
struct BenchReport {
    private var rows: [BenchRow] = []

    /// Adds lines, and shows them at once.
    mutating func add(_ new: [BenchRow]) {
        rows += new
        for row in new { print(Self.line(row)) }
        fflush(nil)
    }

    /// The table, with what it was measured on.
    func printTable() {
        print("\n\(Self.machine); µs and ns are processor time, ms is time that passed\n")
        print(Self.columns("benchmark", "median", "min", "max", "unit", ""))
        for row in rows { print(Self.line(row)) }
    }

    private static func line(_ row: BenchRow) -> String {
        columns(
            row.name,
            figure(row.spread.median),
            figure(row.spread.low),
            figure(row.spread.high),
            row.unit,
            row.note
        )
    }

    private static func columns(
        _ name: String,
        _ median: String,
        _ low: String,
        _ high: String,
        _ unit: String,
        _ note: String
    ) -> String {
        let cells = [right(median, 10), right(low, 10), right(high, 10)]
        let line = "\(left(name, 34))\(cells.joined())  \(left(unit, 12))\(note)"
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    private static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private static func figure(_ value: Double) -> String {
        switch abs(value) {
        case ..<10: String(format: "%.3f", value)
        case ..<1000: String(format: "%.1f", value)
        default: String(format: "%.0f", value)
        }
    }

    private static var machine: String {
        let information = ProcessInfo.processInfo
        let memory = information.physicalMemory >> 30
        // Absent on other systems than Linux; then the model stays unsaid.
        let facts = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = facts.split(separator: "\n").first { $0.hasPrefix("model name") }
        let model = line.flatMap { $0.split(separator: ":").last }.map { "," + $0 } ?? ""
        return "\(information.activeProcessorCount) cores\(model), \(memory) GiB, "
            + information.operatingSystemVersionString
    }
}
