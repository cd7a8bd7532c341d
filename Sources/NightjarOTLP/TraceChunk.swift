import CNightjarSignals
package import NightjarSignals

/// The spans of one trace out of a request, as they are stored.
package struct TraceChunk: Sendable {
    /// The trace.
    package let traceID: TraceID
    /// Its partition.
    package let partition: Int
    /// How many spans there are.
    package let spanCount: Int
    /// The spans as an OTLP message of their own: resources, scopes and spans are the bytes that came.
    package let payload: [UInt8]
}

extension TraceRequest {
    /// The accepted spans grouped by trace, in the order in which the traces first appear; together they are the request.
    package func chunks() -> [TraceChunk] {
        let groups = TraceGroups(slabs.map(\.slab))
        // A body of one trace, all of it accepted, is its own chunk.
        if groups.traces.count == 1, rejected == 0, dropped == 0 {
            return [chunk(groups.traces[0], spanCount, Array(payload.bytes))]
        }
        var writer = ChunkWriter()
        return groups.traces.indices.map { place in
            let spans = groups.spans(place)
            return chunk(groups.traces[place], spans.count, writer.write(spans))
        }
    }

    private func chunk(_ trace: TraceID, _ count: Int, _ payload: [UInt8]) -> TraceChunk {
        TraceChunk(traceID: trace, partition: Partition.of(trace), spanCount: count, payload: payload)
    }
}

/// A span's row, and the resource and scope that it stands under; valid while its slab lives.
private struct PlacedSpan {
    let row: UnsafePointer<nj_span>
    let context: UnsafePointer<nj_context>
}

/// The spans of some slabs, those of one trace together, otherwise in their order.
private struct TraceGroups {
    /// The traces, in the order in which they first appear.
    private(set) var traces: [TraceID] = []
    private let slabs: [Slab]
    private var ordered: [PlacedSpan] = []
    /// Where in `ordered` the spans of each trace begin, and behind the last end.
    private var starts: [Int] = []

    init(_ slabs: [Slab]) {
        self.slabs = slabs
        let total = slabs.reduce(0) { $0 + $1.count }
        var group = [Int32](repeating: 0, count: total)
        var counts: [Int] = []
        var places: [TraceID: Int32] = [:]
        var at = 0
        // Neighbours are nearly always of one trace.
        var last: (trace: TraceID, place: Int32)?
        for slab in slabs {
            for span in slab.spans.indices {
                let trace = slab.rows[span].traceID
                var place = last?.trace == trace ? last?.place ?? -1 : -1
                if place < 0 {
                    place = places[trace] ?? Int32(traces.count)
                    if place == traces.count {
                        places[trace] = place
                        traces.append(trace)
                        counts.append(0)
                    }
                    last = (trace, place)
                }
                group[at] = place
                counts[Int(place)] += 1
                at += 1
            }
        }
        order(group, counts, total)
    }

    private mutating func order(_ group: [Int32], _ counts: [Int], _ total: Int) {
        starts = [0]
        for count in counts { starts.append((starts.last ?? 0) + count) }
        var next = starts
        ordered = Array(unsafeUninitializedCapacity: total) { buffer, filled in
            filled = total
            guard let start = buffer.baseAddress else { return }
            var at = 0
            for slab in slabs {
                let raw = slab.raw
                for span in 0..<slab.count {
                    let row = slab.rows + span
                    let place = Int(group[at])
                    (start + next[place]).initialize(
                        to: PlacedSpan(row: row, context: raw.contexts + Int(row.pointee.context))
                    )
                    next[place] += 1
                    at += 1
                }
            }
        }
    }

    func spans(_ place: Int) -> ArraySlice<PlacedSpan> { ordered[starts[place]..<starts[place + 1]] }
}

/// Writes ResourceSpans and ScopeSpans around spans; neighbours of one resource and scope share them. Lengths are known before
/// anything is written, so that every byte is moved once.
private struct ChunkWriter {
    private struct Message {
        let isResource: Bool
        var size: Int
    }

    private var messages: [Message] = []

    mutating func write(_ spans: ArraySlice<PlacedSpan>) -> [UInt8] {
        let size = measure(spans)
        return Array(unsafeUninitializedCapacity: size) { buffer, filled in
            var output = FieldOutput(buffer)
            var at = 0
            Self.walk(spans) { span, isNewResource, isNewScope in
                if isNewResource {
                    output.begin(1, messages[at].size)
                    at += 1
                    output.field(1, span.context.pointee.encoded_resource)
                }
                if isNewScope {
                    output.begin(2, messages[at].size)
                    at += 1
                    output.field(1, span.context.pointee.encoded_scope)
                }
                output.field(2, span.row.pointee.encoded)
            }
            filled = output.count
        }
    }

    /// Notes the size of each message; the size of all together.
    private mutating func measure(_ spans: ArraySlice<PlacedSpan>) -> Int {
        messages.removeAll(keepingCapacity: true)
        Self.walk(spans) { span, isNewResource, isNewScope in
            if isNewResource {
                let own = Self.size(span.context.pointee.encoded_resource)
                messages.append(Message(isResource: true, size: own))
            }
            if isNewScope {
                let own = Self.size(span.context.pointee.encoded_scope)
                messages.append(Message(isResource: false, size: own))
            }
            messages[messages.count - 1].size += Self.size(span.row.pointee.encoded)
        }
        var total = 0
        var scopes = 0
        for place in messages.indices.reversed() {
            if messages[place].isResource { messages[place].size += scopes }
            let whole = 1 + varintSize(messages[place].size) + messages[place].size
            scopes = messages[place].isResource ? 0 : scopes + whole
            if messages[place].isResource { total += whole }
        }
        return total
    }

    /// What a field of these bytes takes; nothing where they are absent.
    private static func size(_ text: nj_text) -> Int {
        text.isPresent ? 1 + varintSize(Int(text.length)) + Int(text.length) : 0
    }

    private static func walk(
        _ spans: ArraySlice<PlacedSpan>,
        _ visit: (PlacedSpan, _ isNewResource: Bool, _ isNewScope: Bool) -> Void
    ) {
        var last: UnsafePointer<nj_context>?
        for span in spans {
            var (isNewResource, isNewScope) = (true, true)
            if let last {
                isNewResource =
                    last != span.context
                    && !isSame(last.pointee.encoded_resource, span.context.pointee.encoded_resource)
                isNewScope =
                    isNewResource
                    || (last != span.context
                        && !isSame(last.pointee.encoded_scope, span.context.pointee.encoded_scope))
            }
            visit(span, isNewResource, isNewScope)
            last = span.context
        }
    }

    /// Whether two texts are the same bytes of the payload, or equal ones.
    private static func isSame(_ left: nj_text, _ right: nj_text) -> Bool {
        (left.bytes == right.bytes && left.length == right.length) || left.equals(right)
    }
}

/// Writes length-delimited fields of numbers below 16 into memory that has room for them.
private struct FieldOutput {
    private let buffer: UnsafeMutableBufferPointer<UInt8>
    private(set) var count = 0

    init(_ buffer: UnsafeMutableBufferPointer<UInt8>) { self.buffer = buffer }

    mutating func begin(_ number: UInt8, _ size: Int) {
        put(number << 3 | 2)
        var rest = UInt64(size)
        while rest >= 0x80 {
            put(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        put(UInt8(rest))
    }

    mutating func field(_ number: UInt8, _ text: nj_text) {
        guard text.isPresent else { return }
        begin(number, Int(text.length))
        precondition(text.buffer.count <= buffer.count - count, "a chunk is larger than it was measured")
        UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...])
            .copyMemory(from: text.buffer)
        count += text.buffer.count
    }

    private mutating func put(_ byte: UInt8) {
        precondition(count < buffer.count, "a chunk is larger than it was measured")
        buffer[count] = byte
        count += 1
    }
}
