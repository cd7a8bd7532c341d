import NightjarBus
import NightjarSignals

/// What a collector answered, and what that means for the batch.
struct OTLPAnswer {
    /// The statuses that the OTLP specification calls retryable, and 408, which means the same.
    private static let retryable: Set<Int> = [408, 429, 502, 503, 504]
    /// How much of an answer's text is shown.
    private static let shownBytes = 200

    let status: Int
    let retryAfter: String?
    let body: [UInt8]

    /// Returns for a batch that was taken whole; `place` is the URL.
    func check(place: String, now: Timestamp) throws(ExportError) {
        if (200..<300).contains(status) {
            guard let refusal = PartialSuccess(body), refusal.count > 0 else { return }
            let words = refusal.message.isEmpty ? "" : ": \(refusal.message)"
            throw ExportError(
                code: .rejected,
                detail: "\(place) refused \(refusal.count) items of a batch\(words)",
                lostCount: refusal.count
            )
        }
        let text = String(decoding: body.prefix(Self.shownBytes), as: UTF8.self)
        let detail = "\(place) answered \(status)" + (text.isEmpty ? "" : ": \(text)") + cure
        guard Self.retryable.contains(status) else { throw ExportError(code: .rejected, detail: detail) }
        let pause = retryAfter.flatMap { Self.pause($0, now: now) }
        throw ExportError(code: .unavailable, detail: detail, retryAfter: pause)
    }

    private var cure: String {
        switch status {
        case 300..<400: "; give the URL that it leads to as the endpoint"
        case 401, 403: "; check the headers for authorisation"
        case 404, 405: "; check the endpoint: /v1/traces, /v1/logs and /v1/metrics are appended to it"
        case 413: "; lower the bus's batchBytes"
        default: ""
        }
    }

    /// Reads `Retry-After`: seconds or an HTTP date (RFC 9110, section 10.2.3).
    static func pause(_ header: String, now: Timestamp) -> Duration? {
        if let seconds = Int64(header) { return seconds >= 0 ? .seconds(min(seconds, 86_400)) : nil }
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let parts = header.split(separator: " ")
        guard parts.count == 6, let month = months.firstIndex(of: String(parts[2])) else { return nil }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        guard let date = Timestamp(iso8601: "\(parts[3])-\(number)-\(parts[1])T\(parts[4])Z") else {
            return nil
        }
        return .nanoseconds(max(0, date.unixNano - now.unixNano))
    }
}

/// The `partial_success` of an answer: field 1 of every OTLP response, with the count of what was refused and why.
struct PartialSuccess {
    private(set) var count = 0
    private(set) var message = ""

    /// Nil where the bytes are no such answer: then there is nothing to learn from them.
    init?(_ body: [UInt8]) {
        var outer = Fields(body[...])
        while let field = outer.next() {
            guard field.number == 1 else { continue }
            var inner = Fields(field.bytes)
            while let field = inner.next() {
                if field.number == 1 { count = Int(clamping: field.varint) }
                if field.number == 2 { message = String(decoding: field.bytes, as: UTF8.self) }
            }
            if inner.isBroken { return nil }
        }
        if outer.isBroken { return nil }
    }

    /// Fields of protobuf, of the two wire types that the answer has.
    private struct Fields {
        private var bytes: ArraySlice<UInt8>
        private(set) var isBroken = false

        init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

        mutating func next() -> (number: UInt64, varint: UInt64, bytes: ArraySlice<UInt8>)? {
            guard !bytes.isEmpty else { return nil }
            if let key = varint(), let value = varint() {
                if key & 7 == 0 { return (key >> 3, value, []) }
                if key & 7 == 2, value <= UInt64(bytes.count) {
                    defer { bytes = bytes.dropFirst(Int(value)) }
                    return (key >> 3, 0, bytes.prefix(Int(value)))
                }
            }
            isBroken = true
            return nil
        }

        private mutating func varint() -> UInt64? {
            var value: UInt64 = 0
            for shift in stride(from: 0, to: 64, by: 7) {
                guard let byte = bytes.popFirst() else { return nil }
                value |= UInt64(byte & 0x7F) << UInt64(shift)
                if byte < 0x80 { return value }
            }
            return nil
        }
    }
}
