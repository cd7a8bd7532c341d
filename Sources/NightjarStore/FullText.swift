import NightjarSignals

/// What somebody looks for in texts, as SQLite's full-text search reads it: every word must occur, `"words in quotes"` next to each
/// other, `begin*` stands for every word that begins so. Letters of either case, with accents or without, are the same; other
/// signs part words. Whatever is asked for, the result is never a syntax error.
package struct FullText: Sendable, Equatable {
    /// More words are not looked for: each costs a search of its own.
    private static let wordLimit = 32

    /// The expression for `MATCH`.
    let match: String
    /// Whether there is a word at all: without one nothing is found.
    package let hasWords: Bool

    /// Reads what somebody wrote.
    package init(_ text: String) {
        var terms: [String] = []
        var rest = Substring(text.filter { $0 != "\0" })
        while terms.count < Self.wordLimit {
            rest = rest.drop(while: \.isWhitespace)
            guard let first = rest.first else { break }
            let term: Substring
            if first == "\"" {
                rest = rest.dropFirst()
                term = rest.prefix { $0 != "\"" }
                rest = rest.dropFirst(term.count + 1)
                let isPrefix = rest.first == "*"
                if isPrefix { rest = rest.dropFirst() }
                Self.add(term, isPrefix: isPrefix, to: &terms)
            } else {
                term = rest.prefix { !$0.isWhitespace && $0 != "\"" }
                rest = rest.dropFirst(term.count)
                Self.add(term, isPrefix: term.last == "*", to: &terms)
            }
        }
        hasWords = !terms.isEmpty
        match = hasWords ? terms.joined(separator: " ") : "\"\""
    }

    /// Adds a term in quotes, where nothing has a meaning of its own; one of signs alone has no word in it.
    private static func add(_ term: Substring, isPrefix: Bool, to terms: inout [String]) {
        guard term.contains(where: { $0.isLetter || $0.isNumber }) else { return }
        let escaped = term.map { $0 == "\"" ? "\"\"" : String($0) }.joined()
        terms.append("\"\(escaped)\"\(isPrefix ? " *" : "")")
    }
}
