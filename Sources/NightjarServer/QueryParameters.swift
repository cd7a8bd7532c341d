import Foundation
import HTTPTypes
import NightjarSignals

/// The parameters of a query: each that is given is known and given once, but for those that are lists. An empty value is as if it
/// were not given, as forms send it.
struct QueryParameters {
    /// A longer value of any parameter is refused.
    private static let longestValue = 4096

    private var values: [String: [String]] = [:]

    /// Reads the query of an address. `lists` may be given several times; `aliases` are other spellings of known names.
    /// - Throws: ``Problem`` 400 that names the parameter which is not known, given twice or not readable, and the nearest known one.
    init(
        _ query: String?,
        known: [String],
        lists: Set<String> = [],
        aliases: [String: String] = [:]
    ) throws(Problem) {
        var pairs: [(name: String, value: String)] = []
        for pair in (query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            pairs.append((try Self.decoded(parts[0]), parts.count > 1 ? try Self.decoded(parts[1]) : ""))
        }
        try self.init(pairs, known: known, lists: lists, aliases: aliases)
    }

    /// Takes parameters that are written out already.
    /// - Throws: As ``init(_:known:lists:aliases:)``.
    init(
        _ pairs: [(name: String, value: String)],
        known: [String],
        lists: Set<String> = [],
        aliases: [String: String] = [:]
    ) throws(Problem) {
        for (written, value) in pairs {
            let name = aliases[written] ?? written
            guard known.contains(name) else { throw Self.unknown(written, known + aliases.keys) }
            guard value.utf8.count <= Self.longestValue else {
                throw Problem(.badRequest, "\(written) is longer than \(Self.longestValue) bytes")
            }
            guard !value.isEmpty else { continue }
            guard values[name] == nil || lists.contains(name) else {
                throw Problem(.badRequest, "\(written) is given twice; it takes one value")
            }
            values[name, default: []].append(value)
        }
    }

    /// The name or value as it was meant: in a query a plus is a space.
    private static func decoded(_ text: Substring) throws(Problem) -> String {
        guard let decoded = text.replacing("+", with: " ").removingPercentEncoding else {
            throw Problem(.badRequest, "\(text) is not percent-encoded UTF-8")
        }
        return decoded
    }

    private static func unknown(_ name: String, _ known: [String]) -> Problem {
        let cure =
            nearestName(to: name, among: known.sorted()).map { "did you mean \($0)?" }
            ?? "known are: \(known.sorted().joined(separator: ", "))"
        return Problem(.badRequest, "\(name.prefix(100)) is no parameter of this address; \(cure)")
    }

    /// The one value.
    func text(_ name: String) -> String? { values[name]?.first }

    /// All values.
    func texts(_ name: String) -> [String] { values[name] ?? [] }

    /// An instant: ISO 8601, or milliseconds since 1970.
    func instant(_ name: String) throws(Problem) -> Timestamp? {
        guard let text = text(name) else { return nil }
        // A plus that was not encoded is the sign of a zone here.
        let written = text.replacing(" ", with: "+")
        let number = Double(text).flatMap { Timestamp(unixMilliseconds: $0) }
        guard let instant = Timestamp(iso8601: written) ?? number else {
            throw Problem(.badRequest, "\(name) must be ISO 8601 or milliseconds since 1970")
        }
        return instant
    }

    /// A finite number.
    func number(_ name: String) throws(Problem) -> Double? {
        guard let text = text(name) else { return nil }
        guard let number = Double(text), number.isFinite else {
            throw Problem(.badRequest, "\(name) must be a number")
        }
        return number
    }

    /// A duration: milliseconds, or a number with a unit.
    func duration(_ name: String) throws(Problem) -> Duration? {
        guard let text = text(name) else { return nil }
        if let duration = Duration(written: text) { return duration }
        guard let number = Double(text), number >= 0, number.isFinite else {
            throw Problem(
                .badRequest,
                "\(name) must be a number of milliseconds, or one with ms, s, m, h or d"
            )
        }
        return .nanoseconds(Int64(min(number * 1_000_000, 9e18)))
    }

    /// A whole number of a range.
    func whole(_ name: String, _ range: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let text = text(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw Problem(
                .badRequest,
                "\(name) must be a number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }

    /// One of some words.
    func choice<Choice>(_ name: String, _ choices: KeyValuePairs<String, Choice>) throws(Problem) -> Choice? {
        guard let text = text(name) else { return nil }
        guard let choice = choices.first(where: { $0.key == text }) else {
            throw Problem(
                .badRequest,
                "\(name) must be one of \(choices.map(\.key).joined(separator: ", "))"
            )
        }
        return choice.value
    }

    /// Where the page before ended.
    func cursor<Cursor: LosslessStringConvertible>(_ type: Cursor.Type) throws(Problem) -> Cursor? {
        guard let text = text("cursor") else { return nil }
        guard let cursor = Cursor(text) else {
            throw Problem(.badRequest, "cursor is not one that a list gave; leave it out to start anew")
        }
        return cursor
    }

    /// An id of a trace.
    func traceID(_ name: String) throws(Problem) -> TraceID? {
        guard let text = text(name) else { return nil }
        guard let id = TraceID(text) else {
            throw Problem(.badRequest, "\(name) is no trace id; it has 1 to 32 hex digits")
        }
        return id
    }

    /// An id of a span.
    func spanID(_ name: String) throws(Problem) -> SpanID? {
        guard let text = text(name) else { return nil }
        guard let id = SpanID(text) else {
            throw Problem(.badRequest, "\(name) is no span id; it has 1 to 16 hex digits")
        }
        return id
    }
}
