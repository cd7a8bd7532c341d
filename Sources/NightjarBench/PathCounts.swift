import Foundation

/// What a path costs for each of its units.
package struct PathCounts: Sendable, Equatable {
    /// Instructions.
    package var instructions: Double
    /// How often memory was asked for.
    package var allocations: Double
    /// How often a reference was counted up.
    package var retains: Double

    /// Counts.
    package init(instructions: Double, allocations: Double, retains: Double) {
        (self.instructions, self.allocations, self.retains) = (instructions, allocations, retains)
    }

    /// What grew by more than a share, as lines that say from what to what. Where there is next to nothing, a hundredth of an
    /// allocation or retain is not a share of anything.
    package func excesses(over kept: PathCounts, tolerance: Double) -> [String] {
        let parts: [(String, KeyPath<PathCounts, Double>, Double)] = [
            ("instructions", \.instructions, 0.5), ("allocations", \.allocations, 0.01),
            ("retains", \.retains, 0.01),
        ]
        return parts.compactMap { name, part, least in
            let (old, new) = (kept[keyPath: part], self[keyPath: part])
            guard new > old * (1 + tolerance) + least else { return nil }
            return "\(name) \(Self.text(old)) -> \(Self.text(new)), \(Self.percent(old, new)), "
                + "at most +\(Int((tolerance * 100).rounded())) %"
        }
    }

    /// A difference as people write it.
    static func percent(_ old: Double, _ new: Double) -> String {
        guard old > 0 else { return "from nothing" }
        return String(format: "%+.1f %%", (new / old - 1) * 100)
    }

    /// A figure with three digits behind the point where it is small.
    static func text(_ value: Double) -> String {
        String(format: abs(value) < 100 ? "%.3f" : "%.1f", value)
    }
}

/// The counts that are kept in a file: a line for each path with its name, what is counted by, instructions, allocations, retains.
package struct CountsFile: Sendable, Equatable {
    private struct Line: Sendable, Equatable {
        let name: String
        let unit: String
        let counts: PathCounts
    }

    private static let head = """
        # What the hot paths cost in a release build for each unit: instructions, allocations, retains, counted by callgrind.
        # scripts/bench --check fails where one has grown by more than 5 %; scripts/bench --check --write renews this file.
        # Another compiler or processor counts otherwise: renew it with those, without a change of the code.

        """

    private var lines: [Line] = []

    /// No counts.
    package init() {}

    /// Reads a file.
    /// - Throws: `BenchFailure` with the line that is none.
    package init(_ text: String) throws {
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ")
            let numbers = words.dropFirst(2).compactMap { Double($0) }
            guard words.count == 5, numbers.count == 3 else {
                throw BenchFailure(description: "not a line of counts: \(line)")
            }
            lines.append(
                Line(
                    name: String(words[0]),
                    unit: String(words[1]),
                    counts: PathCounts(
                        instructions: numbers[0],
                        allocations: numbers[1],
                        retains: numbers[2]
                    )
                )
            )
        }
    }

    /// What is kept of a path.
    package subscript(_ name: String) -> PathCounts? { lines.first { $0.name == name }?.counts }

    /// Sets a path's counts; new ones come last.
    package mutating func set(_ name: String, unit: String, _ counts: PathCounts) {
        let line = Line(name: name, unit: unit, counts: counts)
        if let place = lines.firstIndex(where: { $0.name == name }) {
            lines[place] = line
        } else {
            lines.append(line)
        }
    }

    /// Forgets paths that are no more.
    package mutating func keep(_ names: [String]) { lines.removeAll { !names.contains($0.name) } }

    /// The file.
    package var text: String {
        let width = lines.map(\.name.count).max() ?? 0
        return Self.head
            + lines.map { line in
                let name = line.name + String(repeating: " ", count: width - line.name.count)
                let unit = line.unit + String(repeating: " ", count: max(0, 11 - line.unit.count))
                let numbers = [line.counts.instructions, line.counts.allocations, line.counts.retains]
                    .map { number in
                        let text = PathCounts.text(number)
                        return String(repeating: " ", count: max(0, 10 - text.count)) + text
                    }
                return "\(name) \(unit)\(numbers.joined(separator: " "))\n"
            }.joined()
    }
}
