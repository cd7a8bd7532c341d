public import CNightjarSignals

extension nj_span {
    /// A row with nothing stated: no names, no counts.
    package static var blank: nj_span {
        var span = nj_span()
        span.kind = SpanKind.internal.rawValue
        span.input_tokens = .nan
        span.output_tokens = .nan
        span.cache_read_tokens = .nan
        span.cache_write_tokens = .nan
        span.reasoning_tokens = .nan
        span.cost = .nan
        span.time_to_first_token_ms = .nan
        return span
    }

    /// The trace.
    @inlinable
    package var traceID: TraceID { TraceID(high: trace_high, low: trace_low) }

    /// What the span is about.
    @inlinable
    package var spanType: SpanType { SpanType(rawValue: type) ?? .generic }

    /// Its status.
    @inlinable
    package var spanStatus: SpanStatus { SpanStatus(rawValue: status) ?? .ok }

    /// Whether it has ended, with an end time or without.
    @inlinable
    package var hasEnded: Bool { flags & UInt8(NJ_SPAN_ENDED.rawValue) != 0 }

    /// Whether it is a point in time rather than something that takes time.
    @inlinable
    package var isEvent: Bool { flags & UInt8(NJ_SPAN_IS_EVENT.rawValue) != 0 }

    /// Whether a processor dropped it: it counts, and is neither stored nor exported.
    @inlinable
    package var isDropped: Bool { flags & UInt8(NJ_SPAN_DROPPED.rawValue) != 0 }

    /// Says whether it has ended and whether it is a point in time, and the status that follows: a failure shows before the
    /// end, and a point in time has ended.
    package mutating func setState(hasEnded: Bool, isEvent: Bool, isError: Bool) {
        let ended = hasEnded || isEvent || end_nano != 0
        flags = UInt8((ended ? NJ_SPAN_ENDED.rawValue : 0) | (isEvent ? NJ_SPAN_IS_EVENT.rawValue : 0))
        status = (isError ? SpanStatus.error : ended ? .ok : .running).rawValue
    }

    /// Whether it names no parent.
    @inlinable
    package var isRoot: Bool { parent_id == 0 }

    /// End − start in milliseconds; 0 where the end lies before the start, NaN without an end or a start.
    @inlinable
    package var durationMilliseconds: Double {
        guard end_nano != 0, start_nano != 0 else { return .nan }
        return end_nano < start_nano ? 0 : Double(end_nano - start_nano) / 1_000_000
    }

    /// Whether the end lies before the start: a clock went back or two clocks disagree.
    @inlinable
    package var hasClockSkew: Bool { end_nano != 0 && end_nano < start_nano }
}

extension nj_attribute {
    /// The key.
    @inlinable
    package var keyText: nj_text { nj_text(bytes: key_bytes, length: UInt32(key_length)) }

    /// The text of a string value, absent for any other.
    @inlinable
    package var text: nj_text {
        tag == UInt8(NJ_STRING.rawValue) ? nj_text(bytes: value.bytes, length: length) : .absent
    }

    /// The encoded bytes of an array or map, or the bytes of a byte string.
    @inlinable
    package var encoded: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: value.bytes, count: Int(length))
    }
}

/// The partition of a trace: work and progress are kept per partition, and a partition is always on one worker.
package enum Partition {
    /// How many partitions there are; a constant, because progress is stored under their numbers.
    package static let count = 64

    /// The partition of a trace, by its whole id: some senders' ids start alike.
    @inlinable
    package static func of(_ trace: TraceID) -> Int { Int(trace.mixed % UInt64(count)) }
}
