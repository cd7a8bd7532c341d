package import NightjarSignals

/// Whose observations a metric has; what is stored with its name.
package enum MetricOrigin: String, Sendable {
    /// Those that are made here: built-in, a plugin's, or direct.
    case nightjar
    /// Those that came as OTLP metrics.
    case otlp
}

/// What a metric is: its name and everything that is declared with it.
package struct InstrumentDescriptor: Sendable, Equatable {
    /// What stands before the names of received metrics: no other metric's name has a slash, so they never meet.
    private static let receivedPrefix = "otlp/"

    /// A Prometheus metric name, `[a-zA-Z_:][a-zA-Z0-9_:]*`; of a received metric the name it came under behind `otlp/`.
    package var name: String
    /// Whose observations it has.
    package var origin: MetricOrigin
    /// How observations add up; stored with the name, so another type is refused.
    package var type: MetricType
    /// One line for `# HELP`; empty where none was given.
    package var help: String
    /// The unit, where it was given.
    package var unit: String
    /// The upper bounds of the buckets, ascending, without `+Inf`; nil: by unit suffix or range.
    package var buckets: [Double]?
    /// The range that a histogram's values lie in; ten equal buckets are made over it where no bounds are given.
    package var range: ClosedRange<Double>?

    /// An instrument; help, unit and buckets may be left out.
    package init(
        name: String,
        type: MetricType,
        help: String = "",
        unit: String = "",
        buckets: [Double]? = nil,
        range: ClosedRange<Double>? = nil,
        origin: MetricOrigin = .nightjar
    ) {
        self.name = name
        self.origin = origin
        self.type = type
        self.help = help
        self.unit = unit
        self.buckets = buckets
        self.range = range
    }

    /// A received metric, by the name it came under.
    package static func received(
        _ name: String,
        type: MetricType,
        help: String = "",
        unit: String = "",
        buckets: [Double]? = nil
    ) -> InstrumentDescriptor {
        InstrumentDescriptor(
            name: receivedPrefix + name,
            type: type,
            help: help,
            unit: unit,
            buckets: buckets,
            origin: .otlp
        )
    }

    /// The name that people know it by.
    package var shownName: String {
        origin == .otlp ? String(name.dropFirst(Self.receivedPrefix.count)) : name
    }

    /// Whether the name is one that its origin allows.
    var hasValidName: Bool {
        switch origin {
        case .nightjar: isMetricName(name)
        case .otlp: name.hasPrefix(Self.receivedPrefix) && name != Self.receivedPrefix
        }
    }
}

/// The number of an instrument in its ``MetricRegistry``; small, dense, never reused.
package struct InstrumentID: Hashable, Sendable {
    /// The number, from 0.
    package let index: Int32

    /// An id from its number.
    package init(index: Int32) {
        self.index = index
    }
}

/// Which labels a metric may have. Policies of several sources for one metric combine: allow-lists intersect, block-lists
/// unite, the smallest limits hold.
public struct LabelPolicy: Sendable, Equatable {
    /// Only these labels pass; nil: any.
    public var allow: Set<String>?
    /// These labels never pass.
    public var block: Set<String> = []
    /// At most so many label sets; nil: the default.
    public var cardinalityLimit: Int?
    /// Longer values are cut to so many characters; nil: the default.
    public var maximumValueLength: Int?

    /// A policy that lets everything pass.
    public init() {}

    /// Both policies at once.
    public func combined(with other: LabelPolicy) -> LabelPolicy {
        var both = self
        switch (allow, other.allow) {
        case (let mine?, let others?): both.allow = mine.intersection(others)
        case (let mine, let others): both.allow = mine ?? others
        }
        both.block.formUnion(other.block)
        both.cardinalityLimit = [cardinalityLimit, other.cardinalityLimit].compactMap(\.self).min()
        both.maximumValueLength = [maximumValueLength, other.maximumValueLength].compactMap(\.self).min()
        return both
    }

    /// This policy and those of one source for a metric: the ones for all metrics (`*`) and its own.
    func combined(with policies: [String: LabelPolicy], of metric: String) -> LabelPolicy {
        [policies["*"], policies[metric]].compactMap(\.self).reduce(self) { $0.combined(with: $1) }
    }
}

/// Why a metric or an observation was refused.
package struct MetricError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of refusal; each is a value of the label `reason`.
    package enum Code: String, Sendable {
        /// The name is no Prometheus metric name.
        case invalidName = "invalid_name"
        /// A label's name is no Prometheus label name.
        case invalidLabelName = "invalid_label_name"
        /// The name is in use with another type.
        case typeConflict = "type_conflict"
        /// The value is not a number.
        case notANumber = "nan"
        /// The value is infinite.
        case infinite
        /// The increment of a counter is negative.
        case negativeIncrement = "negative_increment"
        /// There are 10,000 metric names already.
        case tooManyNames = "too_many_names"
        /// The buckets are none, too many, not finite or not ascending, or differ from another plugin's.
        case invalidBuckets = "invalid_buckets"
    }

    /// What was wrong; bounded.
    package let code: Code
    /// The metric's name.
    package let metric: String
    /// What to do about it; unbounded, never a label.
    package let detail: String

    /// An error about one metric.
    package init(code: Code, metric: String, detail: String) {
        self.code = code
        self.metric = metric
        self.detail = detail
    }

    /// One line a person can act on.
    package var description: String { "metric \(metric): \(detail)" }
}

extension MetricError {
    /// Why a metric of this type does not take a value; nil where it does.
    static func fault(in value: Double, of type: MetricType) -> Code? {
        if value.isNaN { return .notANumber }
        if value.isInfinite { return .infinite }
        return type == .counter && value < 0 ? .negativeIncrement : nil
    }
}

/// Whether a name is one that Prometheus accepts for a metric.
package func isMetricName(_ name: String) -> Bool {
    !name.isEmpty
        && name.utf8.enumerated().allSatisfy { index, byte in
            isNameByte(byte, first: index == 0) || byte == UInt8(ascii: ":")
        }
}

/// Whether a name is one that Prometheus accepts for a label.
package func isLabelName(_ name: some Sequence<UInt8>) -> Bool {
    var isEmpty = true
    for (index, byte) in name.enumerated() {
        guard isNameByte(byte, first: index == 0) else { return false }
        isEmpty = false
    }
    return !isEmpty
}

private func isNameByte(_ byte: UInt8, first: Bool) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"): !first
    default: false
    }
}
