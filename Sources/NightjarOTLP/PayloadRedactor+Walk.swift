import CNightjarSignals
import NightjarBus
import NightjarSignals

/// Walks a request once and notes what is to be changed. One use each.
struct PayloadWalk {
    /// What a request holds. Both nest resources, scopes and items under the same numbers.
    enum Signal {
        case traces
        case metrics

        /// What each level is called, for messages.
        var levels: RequestWalker.Levels {
            switch self {
            case .traces: ("resource_spans", "scope_spans", "spans")
            case .metrics: ("resource_metrics", "scope_metrics", "metrics")
            }
        }
    }

    private(set) var edits = PayloadEdits()

    let rules: RedactionRules
    let valueBytes: Int
    private let signal: Signal
    /// The span whose fields are read: its trace id is looked for only where a token needs it, and once. Empty in metrics,
    /// which have no tokens: one for each trace would be a series for each trace.
    private var span = WireReader(UnsafeRawBufferPointer(start: nil, count: 0))
    private var knownTrace: TraceID??

    // Where the cursor is, for messages; -1 above that level.
    private var resourceIndex = -1
    private var scopeIndex = -1
    private var itemIndex = -1

    init(_ signal: Signal, _ rules: RedactionRules, valueBytes: Int) {
        self.signal = signal
        self.rules = rules
        self.valueBytes = valueBytes
    }

    /// The place of the cursor in the message, for a person.
    var path: String {
        guard resourceIndex >= 0 else { return "" }
        let levels = signal.levels
        var path = "\(levels.resource)[\(resourceIndex)]"
        if scopeIndex >= 0 { path += ".\(levels.scope)[\(scopeIndex)]" }
        if itemIndex >= 0 { path += ".\(levels.item)[\(itemIndex)]" }
        return path
    }

    mutating func request(_ message: WireReader) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == RequestTag.resourceSpans else {
                try reader.skip(tag)
                continue
            }
            resourceIndex += 1
            try descend(&reader) { walk, content throws(WireError) in try walk.resource(content) }
            scopeIndex = -1
        }
        resourceIndex = -1
    }

    private mutating func resource(_ message: WireReader) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == RequestTag.scopeSpans else {
                try reader.skip(tag)
                continue
            }
            scopeIndex += 1
            try descend(&reader) { walk, content throws(WireError) in try walk.scope(content) }
            itemIndex = -1
        }
    }

    private mutating func scope(_ message: WireReader) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == RequestTag.span else {
                try reader.skip(tag)
                continue
            }
            itemIndex += 1
            try descend(&reader) { walk, content throws(WireError) in
                switch walk.signal {
                case .traces: try walk.span(content)
                case .metrics: try walk.metric(content)
                }
            }
        }
    }

    private mutating func span(_ message: WireReader) throws(WireError) {
        span = message
        knownTrace = nil
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case SpanTag.attribute: try attribute(&reader)
            case SpanTag.event: try attributes(SpanTag.eventAttribute, &reader)
            case SpanTag.link: try attributes(SpanTag.linkAttribute, &reader)
            case SpanTag.status:
                try descend(&reader) { walk, content throws(WireError) in try walk.status(content) }
            default: try reader.skip(tag)
            }
        }
    }

    /// A message that holds attributes under the tag given.
    mutating func attributes(_ wanted: UInt32, _ reader: inout WireReader) throws(WireError) {
        try descend(&reader) { walk, content throws(WireError) in
            var reader = content
            while !reader.isAtEnd {
                let tag = try reader.tag()
                if tag == wanted { try walk.attribute(&reader) } else { try reader.skip(tag) }
            }
        }
    }

    private mutating func status(_ message: WireReader) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let start = reader.offset
            let tag = try reader.tag()
            if tag == SpanTag.statusMessage {
                let text = try reader.bytes()
                change(text, start..<reader.offset, field: SpanTag.statusMessage >> 3, depth: 0)
            } else {
                try reader.skip(tag)
            }
        }
    }

    /// One attribute: nearly all are plain and need no change, which is found out without looking at them twice.
    @inline(__always)
    mutating func attribute(_ reader: inout WireReader) throws(WireError) {
        let start = reader.offset
        let content = try reader.message()
        var row = nj_attribute()
        let isPlain = withUnsafeMutablePointer(to: &row) { content.plainAttribute(into: $0) }
        if isPlain, staysAsItIs(row) { return }
        try edited(start, content) { walk, content throws(WireError) in
            try walk.pair(content, depth: 0, isAttribute: true)
        }
    }

    @inline(__always)
    private func staysAsItIs(_ row: nj_attribute) -> Bool {
        let isText = row.tag == UInt8(NJ_STRING.rawValue)
        let text = UnsafeRawBufferPointer(start: row.value.bytes, count: isText ? Int(row.length) : 0)
        let key = UnsafeRawBufferPointer(start: row.key_bytes, count: Int(row.key_length))
        return text.count <= valueBytes && rules.passes(attribute: key, text: text)
    }

    /// Reads a length and visits the message of that length.
    @inline(__always)
    mutating func descend(
        _ reader: inout WireReader,
        _ visit: (inout Self, WireReader) throws(WireError) -> Void
    ) throws(WireError) {
        let start = reader.offset
        try edited(start, try reader.message(), visit)
    }

    /// Visits a message whose length is written from `start` on, and writes that anew where something in it has changed.
    @inline(__always)
    mutating func edited(
        _ start: Int,
        _ content: WireReader,
        _ visit: (inout Self, WireReader) throws(WireError) -> Void
    ) throws(WireError) {
        let mark = (count: edits.count, growth: edits.growth)
        try visit(&self, content)
        guard edits.count != mark.count else { return }
        edits.replaceLength(start..<content.offset, content.remaining, since: mark)
    }

    /// Puts a field in the place of another.
    mutating func replace(_ range: Range<Int>, field: UInt32, with content: some Collection<UInt8>) {
        var writer = WireWriter(reserving: content.count + 8)
        Array(content).withUnsafeBytes { writer.field(field, $0) }
        edits.replace(range, with: writer.bytes)
    }

    /// The trace of the span whose fields are read; nil where it has none, as in metrics.
    mutating func trace() -> TraceID? {
        if let knownTrace { return knownTrace }
        let trace: TraceID?
        do throws(WireError) {
            trace = try Self.trace(of: span)
        } catch {
            // The walk comes to the same place and refuses the request.
            trace = nil
        }
        knownTrace = .some(trace)
        return trace
    }

    private static func trace(of span: WireReader) throws(WireError) -> TraceID? {
        var reader = span
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == SpanTag.traceID else {
                try reader.skip(tag)
                continue
            }
            let id = try reader.bytes().buffer
            guard id.count <= 16 else { return nil }
            return id.reduce(TraceID(high: 0, low: 0)) {
                TraceID(high: $0.high << 8 | $0.low >> 56, low: $0.low << 8 | UInt64($1))
            }
        }
        return nil
    }
}
