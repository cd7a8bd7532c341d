import CNightjarSignals
import NightjarSignals

/// Reads a span's events and links out of its encoded message, when someone asks.
enum SpanEvents {
    /// The points in time within a span.
    static func events(_ encoded: nj_text) -> [Span.Event] {
        var events: [Span.Event] = []
        forEachField(SpanTag.event, of: encoded) { reader throws(WireError) in
            var event = Span.Event(name: "", timestamp: Timestamp(unixNano: 0))
            while !reader.isAtEnd {
                let tag = try reader.tag()
                switch tag {
                case SpanTag.eventTime:
                    event.timestamp = Timestamp(unixNano: Int64(clamping: try reader.fixed64()))
                case SpanTag.eventName: event.name = try reader.bytes().string ?? ""
                case SpanTag.eventAttribute: try read(try reader.message(), into: &event.attributes)
                default: try reader.skip(tag)
                }
            }
            events.append(event)
        }
        return events
    }

    /// The references to other spans; those that name none are left out.
    static func links(_ encoded: nj_text) -> [Span.Link] {
        var links: [Span.Link] = []
        forEachField(SpanTag.link, of: encoded) { reader throws(WireError) in
            var trace = (high: UInt64(0), low: UInt64(0))
            var span = UInt64(0)
            var attributes = Value.Object()
            while !reader.isAtEnd {
                let tag = try reader.tag()
                switch tag {
                case SpanTag.linkTraceID: trace = bigEndian(try reader.bytes(), 16)
                case SpanTag.linkSpanID: span = bigEndian(try reader.bytes(), 8).low
                case SpanTag.linkAttribute: try read(try reader.message(), into: &attributes)
                default: try reader.skip(tag)
                }
            }
            let id = TraceID(high: trace.high, low: trace.low)
            guard id.isValid, span != 0 else { return }
            links.append(Span.Link(traceID: id, spanID: SpanID(value: span), attributes: attributes))
        }
        return links
    }

    private static func read(_ message: WireReader, into object: inout Value.Object) throws(WireError) {
        var reader = message
        let attribute = try reader.attribute()
        object[attribute.keyText.string ?? ""] = AttributeValues.value(attribute)
    }

    /// An id of at most `limit` bytes; 0 for a longer one.
    private static func bigEndian(_ bytes: nj_text, _ limit: Int) -> (high: UInt64, low: UInt64) {
        guard Int(bytes.length) <= limit else { return (0, 0) }
        return bytes.buffer.reduce((0, 0)) { id, byte in (id.0 << 8 | id.1 >> 56, id.1 << 8 | UInt64(byte)) }
    }

    private static func forEachField(
        _ wanted: UInt32,
        of encoded: nj_text,
        _ body: (inout WireReader) throws(WireError) -> Void
    ) {
        var reader = WireReader(encoded.buffer)
        do throws(WireError) {
            while !reader.isAtEnd {
                let tag = try reader.tag()
                if tag == wanted {
                    var message = try reader.message()
                    try body(&message)
                } else {
                    try reader.skip(tag)
                }
            }
        } catch {
            // The message was checked when it was decoded; what was read so far holds.
            return
        }
    }
}
