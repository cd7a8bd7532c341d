public import NightjarSignals

/// A span of another process that a span here is part of, as it comes with a request.
public struct TraceContext: Sendable, Equatable {
    /// The trace.
    public let traceID: TraceID
    /// The span in the other process.
    public let spanID: SpanID
    /// Whether the other process says that the trace is recorded. What is kept here is decided here.
    public let isSampled: Bool

    /// A context from ids.
    public init(traceID: TraceID, spanID: SpanID, isSampled: Bool = true) {
        self.traceID = traceID
        self.spanID = spanID
        self.isSampled = isSampled
    }

    /// Reads the header `traceparent` of W3C Trace Context, level 1: `00-<32 hex>-<16 hex>-<2 hex>`; nil for anything else.
    public init?(traceparent: some StringProtocol) {
        let parts = traceparent.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0].utf8.count == 2, parts[0] != "ff",
            parts[0] != "00" || parts.count == 4,
            parts[1].utf8.count == 32, parts[2].utf8.count == 16, parts[3].utf8.count == 2,
            parts[0...3].allSatisfy({ $0.utf8.allSatisfy { hexadecimalDigit($0) != nil } }),
            let traceID = TraceID(parts[1]), let spanID = SpanID(parts[2]),
            let flags = UInt8(parts[3], radix: 16)
        else { return nil }
        self.init(traceID: traceID, spanID: spanID, isSampled: flags & 1 == 1)
    }

    /// The header `traceparent` for a request to another process.
    public var traceparent: String { "00-\(traceID)-\(spanID)-0\(isSampled ? 1 : 0)" }
}

/// What a new span is part of.
public enum SpanParent: Sendable {
    /// The span that is current in this task, else the one that its request named; a root where there is none.
    case current
    /// Nothing: the span is the root of a new trace.
    case none
    /// A span of this process.
    case span(LiveSpan)
    /// A span of another process.
    case remote(TraceContext)
    /// Ids as they came from outside: 1–32 and 1–16 hex digits, padded with zeros. One that is none is reported once and
    /// replaced: an unfit trace id by a fresh one, an unfit or missing parent by none.
    case ids(trace: String, parent: String? = nil)
}
