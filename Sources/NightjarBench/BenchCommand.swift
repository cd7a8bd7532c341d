/// What the program was asked to do.
enum BenchCommand: Sendable, Equatable {
    /// Print how it is used.
    case help
    /// Measure and print a table.
    case measure(BenchOptions)
    /// Run one counted path, for a run of ``CountCheck`` to count.
    case count(name: String, rounds: Int)
    /// Count the named paths, or all, and compare with a file, or write it.
    case check(names: [String], file: String, writes: Bool)
    /// Draw where a serving server spends its time.
    case profile(file: String, options: BenchOptions)

    /// Reads arguments; nil where they make no sense.
    init?(_ arguments: [String], benchmarks: [String], paths: [String]) {
        var reader = Arguments(arguments)
        guard reader.read() else { return nil }
        let options = reader.options
        let names = options.names
        switch (reader.count, reader.checks, reader.profile) {
        case _ where reader.wantsHelp: self = .help
        case (nil, false, nil):
            guard !reader.writes, reader.rounds == nil, names.allSatisfy(benchmarks.contains) else {
                return nil
            }
            self = .measure(options)
        case (let name?, false, nil):
            guard paths.contains(name), let rounds = reader.rounds, names.isEmpty else { return nil }
            self = .count(name: name, rounds: rounds)
        case (nil, true, nil):
            guard names.allSatisfy(paths.contains) else { return nil }
            self = .check(names: names, file: reader.counts, writes: reader.writes)
        case (nil, false, let file?):
            guard names.isEmpty else { return nil }
            self = .profile(file: file, options: options)
        default: return nil
        }
    }

    private struct Arguments {
        var options = BenchOptions()
        var wantsHelp = false
        var count: String?
        var rounds: Int?
        var checks = false
        var counts = "scripts/bench-counts.txt"
        var writes = false
        var profile: String?
        private var rest: ArraySlice<String>

        init(_ arguments: [String]) { rest = arguments[...] }

        /// False where an argument is not known or lacks its value.
        mutating func read() -> Bool {
            while let argument = rest.popFirst() { guard take(argument) else { return false } }
            return true
        }

        private mutating func take(_ argument: String) -> Bool {
            switch argument {
            case "--help", "-h": wantsHelp = true
            case "--quick": options.isQuick = true
            case "--check": checks = true
            case "--write": writes = true
            case "--spans": return set(\.options.storedSpans)
            case "--runs": return set(\.options.runs)
            case "--rounds":
                rounds = number()
                return rounds != nil
            case "--count":
                count = rest.popFirst()
                return count != nil
            case "--counts":
                guard let file = rest.popFirst() else { return false }
                counts = file
            case "--profile":
                profile = rest.popFirst()
                return profile != nil
            default:
                guard !argument.hasPrefix("-") else { return false }
                options.names.append(argument)
            }
            return true
        }

        private mutating func number() -> Int? {
            rest.popFirst().flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
        }

        private mutating func set(_ place: WritableKeyPath<Self, Int>) -> Bool {
            guard let number = number() else { return false }
            self[keyPath: place] = number
            return true
        }
    }
}
