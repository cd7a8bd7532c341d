/// Numbers of series, a bit for each.
package struct SeriesNumbers: Sendable {
    private var words: [UInt64] = []

    /// The numbers given.
    package init(_ numbers: some Sequence<Int32> = EmptyCollection()) {
        for number in numbers { insert(number) }
    }

    /// Whether a number is one of them.
    package func contains(_ number: Int32) -> Bool {
        let word = Self.word(number)
        return word < words.count && words[word] & Self.bit(number) != 0
    }

    /// Adds a number; whether it is new. No series has a number below 0.
    @discardableResult
    package mutating func insert(_ number: Int32) -> Bool {
        guard number >= 0 else { return false }
        let (word, bit) = (Self.word(number), Self.bit(number))
        if word >= words.count { words += repeatElement(0, count: word + 1 - words.count) }
        defer { words[word] |= bit }
        return words[word] & bit == 0
    }

    /// Takes a number out.
    package mutating func remove(_ number: Int32) {
        let word = Self.word(number)
        if word < words.count { words[word] &= ~Self.bit(number) }
    }

    private static func word(_ number: Int32) -> Int { Int(UInt32(bitPattern: number) >> 6) }
    private static func bit(_ number: Int32) -> UInt64 { 1 << UInt64(number & 63) }
}

/// Totals by the numbers of their series.
package struct SeriesTotals: Sendable {
    private var pages = SeriesPages(blank: SeriesTotal())
    /// How many there are.
    package private(set) var count = 0

    /// No totals.
    package init() {}

    /// The numbers of the series, in their order.
    package var numbers: [Int32] { pages.numbers }

    /// The total of a series; nil where there is none.
    package subscript(series: Int32) -> SeriesTotal? { pages[series] }

    /// Puts a total in the place of what a series had.
    package mutating func set(_ total: SeriesTotal, of series: Int32) {
        if !pages.has(series) { count += 1 }
        pages.set(total, at: series)
    }

    /// Takes the total of a series out.
    package mutating func remove(_ series: Int32) {
        guard pages.has(series) else { return }
        count -= 1
        pages[series] = nil
    }

    /// Takes all out.
    package mutating func removeAll() { self = SeriesTotals() }
}
