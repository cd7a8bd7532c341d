import NightjarOTLP
import NightjarSignals
import NightjarTesting

/// The orders in which a recording's requests may reach a server.
enum CaptureOrder: String, CaseIterable, Sendable {
    case recorded, reversed, singleSpansShuffled

    /// The requests of a recording in this order.
    func requests(of capture: CaptureFolder) throws -> [SplitRequest] {
        let whole = capture.requests.map(SplitRequest.init)
        switch self {
        case .recorded: return whole
        case .reversed: return whole.reversed()
        case .singleSpansShuffled:
            var generator = SeededGenerator(seed: 20_261_126)
            return try capture.requests.flatMap { try SplitRequest.singleSpans(of: $0) }
                .shuffled(using: &generator)
        }
    }
}

/// A request, or the part of one that holds one span.
struct SplitRequest {
    let signal: String
    let isJSON: Bool
    let isCompressed: Bool
    let body: [UInt8]

    init(_ request: CaptureFolder.Request) {
        (signal, isJSON, isCompressed) = (request.signal, request.isJSON, request.isCompressed)
        body = request.body
    }

    private init(traces body: [UInt8], isJSON: Bool) {
        (signal, isCompressed, self.isJSON, self.body) = ("traces", false, isJSON, body)
    }

    /// A request of traces as one request for each span; any other as it is.
    static func singleSpans(of request: CaptureFolder.Request) throws -> [SplitRequest] {
        guard request.signal == "traces" else { return [SplitRequest(request)] }
        let payload = try request.body.withUnsafeBytes {
            try ContentInflater().inflate($0, encoding: request.isCompressed ? .gzip : .identity)
        }
        let bytes = withExtendedLifetime(payload) { Array(payload.bytes) }
        return try (request.isJSON ? split(json: Value(jsonBytes: bytes)) : split(protobuf: bytes[...]))
            .map { SplitRequest(traces: $0, isJSON: request.isJSON) }
    }

    private static func split(json: Value) -> [[UInt8]] {
        (json["resourceSpans"]?.array ?? []).flatMap { resource in
            (resource["scopeSpans"]?.array ?? []).flatMap { scope in
                (scope["spans"]?.array ?? []).map { span in
                    var one = scope.object ?? [:]
                    one["spans"] = [span]
                    var whole = resource.object ?? [:]
                    whole["scopeSpans"] = [.object(one)]
                    return Array(Value.object(["resourceSpans": [.object(whole)]]).json.utf8)
                }
            }
        }
    }

    private static func split(protobuf: ArraySlice<UInt8>) -> [[UInt8]] {
        fields(protobuf).flatMap { resource -> [[UInt8]] in
            let parts = fields(resource.content)
            let others = parts.filter { $0.number != 2 }.flatMap(\.whole)
            return parts.filter { $0.number == 2 }.flatMap { scope -> [[UInt8]] in
                let parts = fields(scope.content)
                let beside = parts.filter { $0.number != 2 }.flatMap(\.whole)
                return parts.filter { $0.number == 2 }.map { span in
                    field(1, others + field(2, beside + span.whole))
                }
            }
        }
    }

    private static func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
        var length: [UInt8] = []
        var rest = content.count
        while rest > 0x7F {
            length.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return [number << 3 | 2] + length + [UInt8(rest)] + content
    }

    /// The fields of a message that are messages themselves or text.
    private static func fields(_ message: ArraySlice<UInt8>) -> [(
        number: Int, content: ArraySlice<UInt8>, whole: ArraySlice<UInt8>
    )] {
        var fields: [(number: Int, content: ArraySlice<UInt8>, whole: ArraySlice<UInt8>)] = []
        var at = message.startIndex
        func number() -> Int {
            var (value, shift) = (0, 0)
            while at < message.endIndex {
                value |= Int(message[at] & 0x7F) << shift
                shift += 7
                at += 1
                if message[at - 1] < 0x80 { break }
            }
            return value
        }
        while at < message.endIndex {
            let start = at
            let tag = number()
            let length = number()
            let content = message[at..<(at + length)]
            at += length
            fields.append((tag >> 3, content, message[start..<at]))
        }
        return fields
    }
}

extension TestServer {
    /// Posts a request, or a part of one, as its client would.
    func post(_ request: SplitRequest) async throws -> HTTPResponse {
        let type = request.isJSON ? "application/json" : "application/x-protobuf"
        var headers = [(name: "Content-Type", value: type)]
        if request.isCompressed { headers.append(("Content-Encoding", "gzip")) }
        return try await client.send("POST", "/v1/\(request.signal)", headers: headers, body: request.body)
    }
}
