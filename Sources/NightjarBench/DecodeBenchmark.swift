import CNightjarSignals
import NightjarOTLP
import NightjarSignals

/// Bodies into slabs, against reading the same bytes, against the same spans as JSON, and against an independent decoder.
enum DecodeBenchmark {
    static func run(_ options: BenchOptions) throws -> [BenchRow] {
        let load = Load(spans: options.scaled(24_000), json: true)
        let count = load.spanCount
        let payloads = load.bodies.map { Payload($0.bytes) }
        let decoded = try measure(runs: options.runs, count: count) {
            try decode(payloads, .protobuf, count)
        }
        let json = load.json.map { Payload($0) }
        let fromJSON = try measure(runs: options.runs, count: count) {
            try decode(json, .json, count)
        }
        let total = sum(payloads)
        let read = try measure(runs: options.runs, count: count) {
            guard sum(payloads) == total else { throw BenchFailure(description: "decode: the bytes changed") }
        }
        let peer = try PeerDecoder.run(load.bodies.map(\.bytes), runs: options.runs)
        if let peer { try check(peer, payloads) }
        let jsonBytes = json.reduce(0) { $0 + $1.count }
        var rows = [
            row(
                "decode protobuf",
                decoded,
                "\(load.byteCount / count) B/span, \(rate(load.byteCount, count, decoded))"
            ),
            row("  reading the bytes", read, rate(load.byteCount, count, read)),
            row(
                "  decode JSON",
                fromJSON,
                "\(jsonBytes / count) B/span, \(rate(jsonBytes, count, fromJSON))"
            ),
        ]
        if let peer {
            rows.append(
                row(
                    "  opentelemetry-proto",
                    peer.spent,
                    "protobuf's own decoder (upb, in C) below Python: objects, without what they mean"
                )
            )
        }
        return rows
    }

    /// Both must have found the same.
    private static func check(_ peer: PeerDecoder.Report, _ payloads: [Payload]) throws {
        let requests = try payloads.map { try request($0, .protobuf) }
        let spans = requests.reduce(0) { $0 + $1.spanCount }
        let attributes = requests.reduce(0) { sum, request in
            request.slabs.reduce(sum) { sum, entry in
                entry.slab.spans.reduce(sum) { $0 + Int($1.attribute_count) }
            }
        }
        guard (peer.spans, peer.attributes) == (spans, attributes) else {
            throw BenchFailure(
                description:
                    "decode: \(spans) spans with \(attributes) attributes, where opentelemetry-proto finds "
                    + "\(peer.spans) with \(peer.attributes)"
            )
        }
    }

    @inline(never)
    private static func sum(_ payloads: [Payload]) -> UInt64 {
        var sum: UInt64 = 0
        for payload in payloads { for byte in payload.bytes { sum &+= UInt64(byte) } }
        return sum
    }

    private static func decode(
        _ payloads: [Payload],
        _ encoding: TraceRequest.Encoding,
        _ expected: Int
    ) throws {
        var count = 0
        for payload in payloads {
            count += try request(payload, encoding).spanCount
        }
        guard count == expected else {
            throw BenchFailure(description: "decode: \(count) spans instead of \(expected)")
        }
    }

    private static func request(
        _ payload: Payload,
        _ encoding: TraceRequest.Encoding
    ) throws -> TraceRequest {
        try TraceRequest.decode(
            payload,
            encoding: encoding,
            receivedAt: Timestamp(unixNano: 1_790_000_000_000_000_000),
            workers: 1
        )
    }

    private static func row(_ name: String, _ spread: Spread, _ note: String) -> BenchRow {
        BenchRow(name: name, unit: "µs/span", spread: spread.scaled(0.001), note: note)
    }

    private static func rate(_ bytes: Int, _ spans: Int, _ spread: Spread) -> String {
        "\(Int(Double(bytes) / Double(spans) / spread.median * 1000)) MB/s"
    }
}
