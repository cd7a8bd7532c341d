import CNightjarSignals
package import NightjarSignals

/// The spans of one OTLP request, or of a stored part of one, decoded into slabs.
package struct TraceRequest: Sendable {
    /// How a body is written.
    package enum Encoding: Sendable {
        /// Protobuf, as OTLP and the store have it.
        case protobuf
        /// OTLP's JSON: ids in hex, otherwise protobuf's JSON mapping.
        case json
    }

    /// Bounds on one span; what exceeds them is rejected alone.
    package struct Limits: Sendable {
        /// The most bytes a span may take.
        package var spanBytes = 16 << 20
        /// The most attributes a span may have.
        package var attributes = 1024
        /// A span whose last instant lies before it, in nanoseconds since 1970, is refused; 0: none is too old.
        package var oldestUnixNano: UInt64 = 0

        /// Traces that take no more spans.
        package var fullTraces: Set<TraceID> = []

        /// The bounds of the signals contract, section 11.
        package init() {}

        /// None on the size of a span: of what was taken once, under whichever bounds.
        package static let taken = {
            var limits = Limits()
            limits.spanBytes = .max
            return limits
        }()
    }

    /// The spans in order, each slab with the worker it belongs to. A trace's spans are all with one worker, in the order
    /// sent.
    package let slabs: [(worker: Int, slab: Slab)]
    /// How many spans were accepted and lie in the slabs.
    package let spanCount: Int
    /// How many spans were accepted but are not to be kept: copies that Logfire sends when a span begins.
    package let dropped: Int
    /// How many spans were refused; the rest of the request holds.
    package let rejected: Int
    /// How many of those were refused because they are too old.
    package let tooOld: Int
    /// How many of those were refused because their trace takes no more.
    package let ofFullTraces: Int
    /// Why spans were refused; nil where none were.
    package let rejectedMessage: String?

    let payload: Payload

    /// An inflated body as protobuf: itself, or what its JSON says.
    package static func protobuf(_ body: Payload, encoding: Encoding) throws(OTLPError) -> Payload {
        switch encoding {
        case .protobuf: body
        case .json: try JSONTranscoder.traceRequest(body.bytes)
        }
    }

    /// Decodes an inflated body, which the slabs keep alive; nothing of it is taken where this throws. An empty body is a
    /// request of no spans. `workers`, at least 1, is among how many workers the partitions are dealt out.
    package static func decode(
        _ body: Payload,
        encoding: Encoding,
        receivedAt: Timestamp,
        workers: Int,
        limits: Limits = Limits()
    ) throws(OTLPError) -> TraceRequest {
        let payload = try protobuf(body, encoding: encoding)
        var decoder = TraceDecoder(payload, receivedAt: receivedAt, workers: max(workers, 1), limits: limits)
        defer { decoder.end() }
        do throws(WireError) {
            try decoder.decode(payload.bytes)
        } catch {
            throw OTLPError(
                code: .malformed,
                offset: error.offset,
                path: decoder.path,
                detail: error.detail.description
            )
        }
        for (_, slab) in decoder.slabs { slab.payloadShare = payload.count / decoder.slabs.count }
        return TraceRequest(
            slabs: decoder.slabs,
            spanCount: decoder.spanCount,
            dropped: decoder.dropped,
            rejected: decoder.rejections.count,
            tooOld: decoder.rejections.count(of: .tooOld),
            ofFullTraces: decoder.rejections.count(of: .fullTrace),
            rejectedMessage: decoder.rejections.message,
            payload: payload
        )
    }

    /// Decodes a body given as an array.
    package static func decode(
        _ body: [UInt8],
        encoding: Encoding,
        receivedAt: Timestamp,
        workers: Int,
        limits: Limits = Limits()
    ) throws(OTLPError) -> TraceRequest {
        try decode(
            Payload(body),
            encoding: encoding,
            receivedAt: receivedAt,
            workers: workers,
            limits: limits
        )
    }
}

/// Why spans, or other items of a request, were refused, counted by reason.
struct Rejections {
    enum Reason: Int, CaseIterable {
        case identifier
        case spanBytes
        case attributes
        case tooOld
        case fullTrace
        case malformedIdentifier
        case withoutPoints
        case malformedPoint

        var text: String {
            switch self {
            case .identifier: "with a missing, malformed or all-zero trace or span id"
            case .spanBytes: "too large"
            case .attributes: "with too many attributes"
            case .tooOld: "older than retention.refuseOlderThan allows"
            case .fullTrace: "of a trace that is full (limits.traceSpans, limits.traceBytes)"
            case .malformedIdentifier: "with a malformed trace or span id"
            case .withoutPoints: "without a name or without data of a known kind"
            case .malformedPoint: "without a value or with buckets that do not fit their bounds"
            }
        }
    }

    /// What the items are called.
    let items: String
    private var counts = [Int](repeating: 0, count: Reason.allCases.count)
    private var first = ""

    init(of items: String) { self.items = items }

    var count: Int { counts.reduce(0, +) }

    /// How many were refused for one reason.
    func count(of reason: Reason) -> Int { counts[reason.rawValue] }

    /// One line with the counts and the place of the first item refused.
    var message: String? {
        guard count > 0 else { return nil }
        let parts = Reason.allCases.filter { counts[$0.rawValue] > 0 }.map {
            "\(counts[$0.rawValue]) \($0.text)"
        }
        return "rejected \(items): \(parts.joined(separator: ", ")); the first is \(first)"
    }

    mutating func add(_ reason: Reason, at path: String) {
        if count == 0 { first = path }
        counts[reason.rawValue] += 1
    }
}
