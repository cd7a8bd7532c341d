/// Why one field of an input was refused.
public struct InputError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The field's place, like `[3].score`; empty for the input as a whole.
    public let path: String
    /// What is wrong with it and what to write instead.
    public let message: String

    /// A refusal.
    public init(path: String, message: String) {
        self.path = path
        self.message = message
    }

    /// One line with the place.
    public var description: String { path.isEmpty ? message : "\(path): \(message)" }
}

/// Everything that was refused in one input, in the order of the input; never empty.
public struct InputErrors: Error, Sendable, Equatable, CustomStringConvertible {
    /// The refusals.
    public let errors: [InputError]

    /// Refusals, at least one.
    public init(_ errors: [InputError]) {
        self.errors = errors
    }

    /// One line per refusal.
    public var description: String { errors.map(\.description).joined(separator: "\n") }
}

/// The name that someone most likely meant, nil where none is near: at most a third of its letters differ. Case and
/// underscores do not count.
package func nearestName(to name: String, among known: some Sequence<String>) -> String? {
    let wanted = folded(name)
    var best: (name: String, distance: Int)?
    for candidate in known {
        let letters = folded(candidate)
        let distance = editDistance(wanted, letters)
        guard distance <= max(1, max(letters.count, wanted.count) / 3) else { continue }
        if best.map({ distance < $0.distance }) ?? true { best = (candidate, distance) }
    }
    return best?.name
}

/// Lower-case bytes without underscores; cut, so that a hostile name costs no more than a long one.
private func folded(_ name: String) -> [UInt8] {
    name.utf8.prefix(64).filter { $0 != UInt8(ascii: "_") }.map {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0
    }
}

/// How many letters must be put in, taken out or replaced; Levenshtein's distance.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var row = Array(0...right.count)
    for (index, letter) in left.enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for (place, other) in right.enumerated() {
            let replaced = diagonal + (letter == other ? 0 : 1)
            diagonal = row[place + 1]
            row[place + 1] = min(replaced, row[place] + 1, row[place + 1] + 1)
        }
    }
    return row[right.count]
}
