public import NightjarSignals

/// How large values of signals made in process may be (signals contract, section 11).
public struct SizeLimits: Sendable, Equatable {
    /// The most characters of a text, or bytes of a value of bytes.
    public var characters = 131_072
    /// How deep values may lie: what belongs to a signal's own object lies at 1.
    public var depth = 8
    /// The most elements of a list.
    public var elements = 50
    /// The most keys of an object.
    public var keys = 50

    /// The defaults.
    public init() {}
}

/// Cuts values to size and leaves a mark where it did. Numbers that are not finite, which JSON cannot hold, become null. A second
/// pass changes nothing.
public struct ValueLimiter: SignalProcessor {
    /// `value_limiter`.
    public let name = "value_limiter"
    private let limits: SizeLimits

    /// A limiter; a limit below zero is zero.
    public init(_ limits: SizeLimits = SizeLimits()) {
        self.limits = limits
    }

    /// The span with everything that its maker fills in cut to size; its lists of events and links stay whole.
    public func processSpan(_ span: Span) -> Span? {
        var span = span
        apply(to: &span.attributes)
        apply(to: &span.metadata)
        if let input = span.input { span.input = limited(input, depth: 0) ?? input }
        if let output = span.output { span.output = limited(output, depth: 0) ?? output }
        for index in span.events.indices {
            guard let changed = limited(span.events[index].attributes, depth: 0) else { continue }
            span.events[index].attributes = changed
        }
        for index in span.links.indices {
            guard let changed = limited(span.links[index].attributes, depth: 0) else { continue }
            span.links[index].attributes = changed
        }
        if var error = span.errorInfo {
            apply(to: &error.message)
            apply(to: &error.stack)
            apply(to: &error.details)
            span.errorInfo = error
        }
        return span
    }

    /// The line with message, data and metadata cut to size.
    public func processLog(_ log: Log) -> Log? {
        var log = log
        apply(to: &log.message)
        apply(to: &log.data)
        apply(to: &log.metadata)
        return log
    }

    /// The observation with its metadata cut to size; labels have a limit of their own.
    public func processMetric(_ metric: Metric) -> Metric? {
        var metric = metric
        apply(to: &metric.metadata)
        return metric
    }

    /// The score with its texts and metadata cut to size.
    public func score(_ score: Score) -> Score {
        var score = score
        apply(to: &score.reason)
        apply(to: &score.error)
        apply(to: &score.label)
        apply(to: &score.metadata)
        return score
    }

    /// The feedback with its texts and metadata cut to size.
    public func feedback(_ feedback: Feedback) -> Feedback {
        var feedback = feedback
        feedback.value = value(feedback.value)
        apply(to: &feedback.comment)
        apply(to: &feedback.metadata)
        return feedback
    }

    /// Any value, cut to size.
    public func value(_ value: Value) -> Value { limited(value, depth: 0) ?? value }

    private func apply(to object: inout Value.Object) {
        if let changed = limited(object, depth: 0) { object = changed }
    }

    private func apply(to text: inout String) {
        if let changed = limited(text) { text = changed }
    }

    private func apply(to text: inout String?) {
        if let changed = text.flatMap({ limited($0) }) { text = changed }
    }
}

/// The cutting; nil where a value stays as it is, which is the usual case and makes no copy.
extension ValueLimiter {
    private static let tooDeep = "[MaxDepth]"
    private static let omitted = "__truncated"

    private func limited(_ value: Value, depth: Int) -> Value? {
        guard depth <= max(limits.depth, 0) else {
            return value.string == Self.tooDeep ? nil : .string(Self.tooDeep)
        }
        return switch value {
        case .string(let text): limited(text).map(Value.string)
        case .double(let number): number.isFinite ? nil : .null
        case .array(let values): limited(values, depth: depth).map(Value.array)
        case .object(let object): limited(object, depth: depth).map(Value.object)
        case .bytes(let bytes): limited(bytes).map(Value.bytes)
        case .null, .bool, .int: nil
        }
    }

    private func limited(_ bytes: [UInt8]) -> [UInt8]? {
        let most = max(limits.characters, 0)
        guard bytes.count > most, !bytes.dropFirst(most).elementsEqual(truncationMark.utf8) else {
            return nil
        }
        return Array(bytes.prefix(most)) + truncationMark.utf8
    }

    private func limited(_ text: String) -> String? { truncated(text, to: max(limits.characters, 0)) }

    private func limited(_ values: [Value], depth: Int) -> [Value]? {
        let most = max(limits.elements, 0)
        let isCut = values.count == most + 1 && Self.isMark(values[most])
        var changed: [Value]?
        for (index, value) in values.prefix(most).enumerated() {
            guard let new = limited(value, depth: depth + 1) else { continue }
            if changed == nil { changed = values }
            changed?[index] = new
        }
        guard values.count > most, !isCut else { return changed }
        return Array((changed ?? values).prefix(most)) + [.string("[…\(values.count - most) more items]")]
    }

    private static func isMark(_ value: Value) -> Bool {
        guard let text = value.string, text.hasPrefix("[…"), text.hasSuffix(" more items]") else {
            return false
        }
        return Int(text.dropFirst(2).dropLast(12)) != nil
    }

    private func limited(_ object: Value.Object, depth: Int) -> Value.Object? {
        let most = max(limits.keys, 0)
        let entries = object.entries
        let isCut = entries.count == most + 1 && entries[most].key == Self.omitted
        var changed: Value.Object?
        for (key, value) in entries.prefix(most) {
            guard let new = limited(value, depth: depth + 1) else { continue }
            if changed == nil { changed = object }
            changed?[key] = new
        }
        guard entries.count > most, !isCut else { return changed }
        var short = Value.Object()
        for (key, value) in (changed ?? object).entries.prefix(most) { short[key] = value }
        short[Self.omitted] = .string("\(entries.count - most) more keys omitted")
        return short
    }

    /// The text without what lies beyond `most` characters, and with a mark for it; nil where it is short enough or was cut so
    /// before.
    private func truncated(_ text: String, to most: Int) -> String? {
        // No text has more characters than bytes.
        guard text.utf8.count > most,
            let end = text.index(text.startIndex, offsetBy: most, limitedBy: text.endIndex),
            end < text.endIndex, text[end...] != truncationMark
        else { return nil }
        return text[..<end] + truncationMark
    }
}

/// What follows a text of which the rest was cut off.
package let truncationMark = "…[truncated]"
