package import CNightjarSignals
package import NightjarSignals

/// Builds slabs by hand, a span at a time: what a decoder would have made of it.
package struct SpanBuilder {
    /// A value of an attribute that needs no encoding.
    package enum Attribute {
        /// Text.
        case text(String)
        /// A whole number.
        case int(Int64)
        /// A number.
        case double(Double)
        /// A truth value.
        case bool(Bool)
    }

    /// The slab that spans are added to.
    package let slab: Slab

    /// A builder of a slab with one context.
    package init(
        service: String? = nil,
        environment: String? = nil,
        resource: [(String, Attribute)] = [],
        receivedAt: Timestamp = Timestamp(unixNano: 1_700_000_000_000_000_000)
    ) {
        slab = Slab(Payload([]), receivedAt: receivedAt)
        let first = slab.attributeCount
        for (key, value) in resource { Self.append(key, value, to: slab) }
        var context = nj_context()
        context.first_resource_attribute = first
        context.resource_attribute_count = UInt32(resource.count)
        context.service = Self.text(service, in: slab)
        context.environment = Self.text(environment, in: slab)
        _ = slab.append(context)
    }

    /// Adds a span that ran for `milliseconds`; `change` sets what else the row should say.
    @discardableResult
    package func span(
        _ name: String = "chat",
        type: SpanType = .generic,
        id: UInt64 = 1,
        parent: UInt64 = 0,
        trace: TraceID = TraceID(high: 1, low: 2),
        startMilliseconds: UInt64 = 1_700_000_000_000,
        milliseconds: UInt64 = 10,
        status: SpanStatus = .ok,
        attributes: [(String, Attribute)] = [],
        change: (inout nj_span, Slab) -> Void = { _, _ in }
    ) -> SpanReference {
        var row = nj_span.blank
        row.trace_high = trace.high
        row.trace_low = trace.low
        row.id = id
        row.parent_id = parent
        row.start_nano = startMilliseconds * 1_000_000
        row.end_nano = (startMilliseconds + milliseconds) * 1_000_000
        row.type = type.rawValue
        row.status = status.rawValue
        row.name = Self.text(name, in: slab)
        row.first_attribute = slab.attributeCount
        row.attribute_count = UInt32(attributes.count)
        for (key, value) in attributes { Self.append(key, value, to: slab) }
        change(&row, slab)
        if row.end_nano != 0 { row.flags |= UInt8(NJ_SPAN_ENDED.rawValue) }
        slab.append(row)
        return SpanReference(slab: slab, index: slab.count - 1)
    }

    /// A text that lives as long as the slab; absent for nil.
    package static func text(_ text: String?, in slab: Slab) -> nj_text {
        guard let text else { return .absent }
        return slab.copy(Array(text.utf8))
    }

    private static func append(_ key: String, _ value: Attribute, to slab: Slab) {
        var row = nj_attribute()
        let name = slab.copy(Array(key.utf8))
        row.key_bytes = name.bytes
        row.key_length = UInt16(name.length)
        row.key = nj_symbol_intern(name.bytes, Int(name.length))
        switch value {
        case .text(let text):
            let copy = slab.copy(Array(text.utf8))
            row.tag = UInt8(NJ_STRING.rawValue)
            row.value.bytes = copy.bytes
            row.length = copy.length
        case .int(let number):
            row.tag = UInt8(NJ_INT.rawValue)
            row.value.integer = number
        case .double(let number):
            row.tag = UInt8(NJ_DOUBLE.rawValue)
            row.value.number = number
        case .bool(let flag):
            row.tag = UInt8(NJ_BOOL.rawValue)
            row.value.integer = flag ? 1 : 0
        }
        _ = slab.append(row)
    }
}
