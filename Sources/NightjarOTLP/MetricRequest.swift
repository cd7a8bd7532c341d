package import NightjarSignals

/// The data points of one OTLP metrics request.
package struct MetricRequest: Sendable {
    /// The points in the order sent; those that say that nothing was recorded are left out.
    package private(set) var points: [OTLPMetricPoint] = []
    /// How many points were refused; the rest of the request holds.
    package var rejected: Int { rejections.count }
    /// Why points were refused; nil where none were.
    package var rejectedMessage: String? { rejections.message }

    private var rejections = Rejections(of: "data points")
    private let receivedAt: Timestamp
    /// The hash of the resource and scope at hand, and where they are.
    private var surroundings = (place: (resource: -1, scope: -1), hash: StreamHash())

    private init(receivedAt: Timestamp) { self.receivedAt = receivedAt }

    /// An inflated body as protobuf: itself, or what its JSON says.
    package static func protobuf(
        _ body: Payload,
        encoding: TraceRequest.Encoding
    ) throws(OTLPError) -> Payload {
        switch encoding {
        case .protobuf: body
        case .json: try JSONTranscoder.transcode(body.bytes, .metricsRequest)
        }
    }

    /// Decodes an inflated body; nothing of it is taken where this throws. An empty body is a request of no points.
    /// A point without a time is given `receivedAt`.
    package static func decode(
        _ body: Payload,
        encoding: TraceRequest.Encoding,
        receivedAt: Timestamp
    ) throws(OTLPError) -> MetricRequest {
        let payload = try protobuf(body, encoding: encoding)
        var request = MetricRequest(receivedAt: receivedAt)
        var walker = RequestWalker(("resource_metrics", "scope_metrics", "metrics"))
        try walker.walk(payload.bytes) { walker, message throws(WireError) in
            try request.take(message, walker)
        }
        return request
    }

    /// Decodes a body given as an array.
    package static func decode(
        _ body: [UInt8],
        encoding: TraceRequest.Encoding,
        receivedAt: Timestamp
    ) throws(OTLPError) -> MetricRequest {
        try decode(Payload(body), encoding: encoding, receivedAt: receivedAt)
    }

    private mutating func take(_ message: WireReader, _ walker: RequestWalker) throws(WireError) {
        var header = MetricHeader()
        try header.read(message)
        guard let data = header.data, !header.name.isEmpty else {
            return rejections.add(.withoutPoints, at: walker.path)
        }
        if surroundings.place != walker.scopePlace {
            surroundings = (walker.scopePlace, StreamHash(walker.surroundings))
        }
        var hash = surroundings.hash
        hash.add(header.name)
        hash.add(UInt64(header.kind.rawValue))
        var reader = data
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == MetricTag.point else {
                try reader.skip(tag)
                continue
            }
            let point = try MetricPointReader(header.kind, try reader.message())
            if point.hasNoValue { continue }
            guard let reading = point.reading(isMonotonic: header.isMonotonic) else {
                rejections.add(.malformedPoint, at: walker.path)
                continue
            }
            add(point, reading, header, hash, walker.surroundings)
        }
    }

    private mutating func add(
        _ point: MetricPointReader,
        _ reading: OTLPMetricPoint.Reading,
        _ header: MetricHeader,
        _ hash: StreamHash,
        _ surroundings: Surroundings
    ) {
        var hash = hash
        hash.add(point.attributes)
        points.append(
            OTLPMetricPoint(
                name: header.name,
                unit: header.unit,
                description: header.description,
                reading: reading,
                temporality: header.temporality,
                labels: labels(point.attributes),
                service: surroundings.correlation.serviceName,
                environment: surroundings.correlation.environment,
                startTime: instant(point.startNano),
                time: instant(point.timeNano) ?? receivedAt,
                stream: hash.value
            )
        )
    }

    private func instant(_ nano: UInt64) -> Timestamp? {
        nano == 0 ? nil : Timestamp(unixNano: Int64(clamping: nano))
    }

    private func labels(_ attributes: Value.Object) -> [String: String] {
        var labels: [String: String] = [:]
        for (key, value) in attributes.entries { labels[key] = value.string ?? value.json }
        return labels
    }
}

/// The kinds of metric, by the number of their field.
enum MetricKind: UInt32, CaseIterable {
    case gauge = 5
    case sum = 7
    case histogram = 9
    case exponentialHistogram = 10
    case summary = 11

    init?(tag: UInt32) {
        guard let kind = MetricKind(rawValue: tag >> 3), tag & 7 == UInt32(WireReader.WireType.bytes.rawValue)
        else { return nil }
        self = kind
    }
}

/// What the points of one metric share.
private struct MetricHeader {
    var name = ""
    var unit = ""
    var description = ""
    var kind = MetricKind.gauge
    var temporality = OTLPMetricPoint.Temporality.unspecified
    var isMonotonic = false
    /// The message with the points; nil where there is none of a known kind.
    var data: WireReader?

    mutating func read(_ message: WireReader) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case MetricTag.name: name = try reader.bytes().string ?? ""
            case MetricTag.description: description = try reader.bytes().string ?? ""
            case MetricTag.unit: unit = try reader.bytes().string ?? ""
            default:
                guard let kind = MetricKind(tag: tag) else {
                    try reader.skip(tag)
                    continue
                }
                self.kind = kind
                data = try reader.message()
            }
        }
        if let data, kind != .gauge, kind != .summary { try readSums(data) }
    }

    private mutating func readSums(_ message: WireReader) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case MetricTag.temporality:
                switch try reader.varint() {
                case 1: temporality = .delta
                case 2: temporality = .cumulative
                default: temporality = .unspecified
                }
            case MetricTag.isMonotonic: isMonotonic = try reader.varint() != 0
            default: try reader.skip(tag)
            }
        }
    }
}

/// The fields of a Metric message and of those with its points.
private enum MetricTag {
    static let name = tag(1, .bytes)
    static let description = tag(2, .bytes)
    static let unit = tag(3, .bytes)
    static let point = tag(1, .bytes)
    static let temporality = tag(2, .varint)
    static let isMonotonic = tag(3, .varint)
}

/// The identity of a series: FNV-1a of 64 bits, the same in every process and version, which `Hasher` is not.
struct StreamHash {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    init() {}

    /// The hash of a resource and scope.
    init(_ surroundings: Surroundings) {
        add(surroundings.resource)
        add(surroundings.scopeName)
        add(surroundings.scopeVersion)
    }

    /// Adds attributes, in the order of their keys.
    mutating func add(_ attributes: Value.Object) {
        add(UInt64(attributes.entries.count))
        for (key, value) in attributes.entries.sorted(by: { $0.key < $1.key }) {
            add(key)
            add(value.json)
        }
    }

    /// Adds a text with its length, so that neighbours cannot trade letters.
    mutating func add(_ text: String) {
        add(UInt64(text.utf8.count))
        for byte in text.utf8 { add(byte) }
    }

    /// Adds a number.
    mutating func add(_ number: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) {
            add(UInt8(truncatingIfNeeded: number >> UInt64(shift)))
        }
    }

    private mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
}
