/// What valgrind's callgrind wrote of a run: how many instructions it had, and how often each function was called.
package struct CallgrindProfile: Sendable, Equatable {
    /// All instructions, of all threads.
    package private(set) var instructions = 0
    /// How often each function was called, by its name.
    package private(set) var calls: [String: Int] = [:]

    /// How often memory was asked for.
    package var allocations: Int { sum(Self.allocating) }
    /// How often a reference to an object was counted up.
    package var retains: Int { sum(Self.retaining) }

    private static let allocating = ["malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign"]
    private static let retaining = ["swift_retain", "swift_retain_n"]

    /// Reads callgrind's output format, version 1: `fn=` and `cfn=` name a function by a number, and say its name the first time.
    /// - Throws: `BenchFailure` where there is no total.
    package init(_ text: String) throws {
        var names: [Substring: String] = [:]
        var callee = ""
        var total: Int?
        // Only what begins with one of these is read of files of some megabytes.
        for line in text.split(separator: "\n") {
            if line.hasPrefix("cfn=") {
                callee = Self.name(line.dropFirst(4), &names)
            } else if line.hasPrefix("fn=") {
                _ = Self.name(line.dropFirst(3), &names)
            } else if line.hasPrefix("calls=") {
                calls[callee, default: 0] += Int(line.dropFirst(6).prefix { $0 != " " }) ?? 0
            } else if line.hasPrefix("totals: ") {
                total = Int(line.dropFirst(8).prefix { $0 != " " })
            }
        }
        guard let total else { throw BenchFailure(description: "callgrind wrote no total") }
        instructions = total
    }

    private static func name(_ text: Substring, _ names: inout [Substring: String]) -> String {
        guard text.first == "(", let end = text.firstIndex(of: ")") else { return String(text) }
        let number = text[...end]
        let rest = text[text.index(after: end)...].drop { $0 == " " }
        if !rest.isEmpty {
            // Recursion has its own number: `name'2` is the same function.
            names[number] = String(rest.prefix { $0 != "'" })
        }
        return names[number] ?? ""
    }

    private func sum(_ names: [String]) -> Int { names.reduce(0) { $0 + (calls[$1] ?? 0) } }
}
