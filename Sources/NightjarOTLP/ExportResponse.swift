import NightjarSignals

/// What a receiver answers to an export request, in the encoding in which it was asked.
package enum ExportResponse {
    /// What was exported: it decides what the count of rejected items is called.
    package enum Signal: Sendable {
        /// Spans.
        case traces
        /// Log records.
        case logs
        /// Data points.
        case metrics

        fileprivate var rejectedField: String {
            switch self {
            case .traces: "rejectedSpans"
            case .logs: "rejectedLogRecords"
            case .metrics: "rejectedDataPoints"
            }
        }
    }

    /// The answer to an accepted request: empty, or with `partial_success` where items were rejected or there is
    /// something to say.
    package static func accepted(
        _ signal: Signal,
        rejected: Int = 0,
        message: String? = nil,
        encoding: TraceRequest.Encoding
    ) -> [UInt8] {
        guard rejected > 0 || message != nil else { return encoding == .json ? Array("{}".utf8) : [] }
        switch encoding {
        case .protobuf:
            var writer = WireWriter()
            let start = writer.begin(1)
            if rejected > 0 { writer.varint(1, UInt64(rejected)) }
            if let message { writer.field(2, message) }
            writer.end(start)
            return writer.bytes
        case .json:
            var partial = Value.Object()
            // 64-bit numbers are text in protobuf's JSON.
            if rejected > 0 { partial[signal.rejectedField] = .string(String(rejected)) }
            if let message { partial["errorMessage"] = .string(message) }
            return json(["partialSuccess": .object(partial)])
        }
    }

    /// The body of a refusal: a `google.rpc.Status`. `code` is gRPC's, 3 for a malformed request, 8 for one over a limit,
    /// 14 for one to send again.
    package static func refused(code: Int, message: String, encoding: TraceRequest.Encoding) -> [UInt8] {
        switch encoding {
        case .protobuf:
            var writer = WireWriter()
            writer.varint(1, UInt64(bitPattern: Int64(code)))
            writer.field(2, message)
            return writer.bytes
        case .json: return json(["code": .int(Int64(code)), "message": .string(message)])
        }
    }

    private static func json(_ object: Value.Object) -> [UInt8] {
        var writer = JSONWriter()
        writer.write(.object(object))
        return writer.bytes
    }
}
