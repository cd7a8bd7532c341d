import NightjarOTLP
import NightjarSignals

/// Bodies into slabs, against reading the same bytes and against the same spans as JSON.
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
        let jsonBytes = json.reduce(0) { $0 + $1.count }
        return [
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
            let request = try TraceRequest.decode(
                payload,
                encoding: encoding,
                receivedAt: Timestamp(unixNano: 1_790_000_000_000_000_000),
                workers: 1
            )
            count += request.spanCount
        }
        guard count == expected else {
            throw BenchFailure(description: "decode: \(count) spans instead of \(expected)")
        }
    }

    private static func row(_ name: String, _ spread: Spread, _ note: String) -> BenchRow {
        BenchRow(name: name, unit: "µs/span", spread: spread.scaled(0.001), note: note)
    }

    private static func rate(_ bytes: Int, _ spans: Int, _ spread: Spread) -> String {
        "\(Int(Double(bytes) / Double(spans) / spread.median * 1000)) MB/s"
    }
}
