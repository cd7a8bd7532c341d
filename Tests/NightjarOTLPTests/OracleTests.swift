import CNightjarSignals
import Foundation
import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Testing

/// What the OpenTelemetry project's own protobuf classes read out of the recordings, against what this decoder reads.
/// Skipped where the Python environment is not installed; `Tests/Oracle/decode_otlp.py` says how to.
struct OracleTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let python = root.appending(path: ".build-venv/bin/python")
    private static let isInstalled: Bool = {
        let package = root.appending(path: ".build-venv/lib")
        let found = FileManager.default.enumerator(atPath: package.path)?.contains {
            ($0 as? String)?.hasSuffix("opentelemetry/proto/trace") == true
        }
        return found == true
    }()

    @Test(.enabled(if: isInstalled), arguments: Captures.names)
    func `an independent decoder reads the same spans`(_ client: String) async throws {
        let capture = try Captures.named(client)
        let expected = try await Self.oracle(client)
        let references = try capture.traceRequests.flatMap { try $0.decoded().references }
        #expect(references.count == expected.count)
        for (reference, wanted) in zip(references, expected) {
            let found = Self.facts(reference)
            for (key, value) in wanted.entries {
                #expect(Self.isSame(found[key] ?? .null, value), "\(key) of \(reference.key)")
            }
        }
    }

    @Test(.enabled(if: isInstalled))
    func `an independent decoder reads the spans that we write`() async throws {
        var random = RandomSpan(seed: 7)
        let spans = (0..<40).map { _ in random.span() }
        let native = try await Self.shown("traces", SpanEncoder.request(spans.map { ($0, true) }))
        let sent = try await Self.shown(
            "traces",
            try #require(OTLPEncoder.traces(spans.map { .spanEnded($0) }))
        )
        for tree in [native, sent] {
            let found = Self.items(tree, "resourceSpans", "scopeSpans", "spans")
            #expect(found.map { $0["name"]?.string ?? "" } == spans.map(\.name))
            #expect(found.map { $0["spanId"]?.string } == spans.map(\.id.description))
            #expect(found.map { $0["traceId"]?.string } == spans.map(\.traceID.description))
            for (item, span) in zip(found, spans) {
                let times = [item["startTimeUnixNano"]?.string, item["endTimeUnixNano"]?.string]
                #expect(times[0] == String(span.startTime.unixNano))
                if let end = span.endTime { #expect(times[1] == String(end.unixNano)) }
                let keys = (item["attributes"]?.array ?? []).compactMap { $0["key"]?.string ?? "" }
                #expect(Set(span.attributes.entries.map(\.key)).isSubset(of: keys))
                #expect(Set(keys).count == keys.count)
            }
        }
    }

    @Test(.enabled(if: isInstalled))
    func `an independent decoder reads the logs and metrics that we write`() async throws {
        let now = Timestamp(unixNano: 1_700_000_000_000_000_000)
        var log = Log(timestamp: now, level: .warn, message: "careful", data: ["n": 1])
        log.traceID = TraceID(high: 1, low: 2)
        var score = Score(id: "s", timestamp: now, scorerName: "tone")
        score.score = 0.5
        let logs = try await Self.shown("logs", try #require(OTLPEncoder.logs([log], scores: [score])))
        let records = Self.items(logs, "resourceLogs", "scopeLogs", "logRecords")
        #expect(records.map { $0["severityNumber"]?.string } == ["SEVERITY_NUMBER_WARN", nil])
        #expect(records.map { $0["eventName"]?.string } == [nil, "gen_ai.evaluation.result"])
        #expect(records[0]["body"]?["stringValue"] == "careful")
        #expect(records[0]["traceId"] == .string(TraceID(high: 1, low: 2).description))
        let observations = [
            OTLPEncoderTests.observation("calls", .counter, 2),
            OTLPEncoderTests.observation("open", .gauge, 3),
            OTLPEncoderTests.observation("wait_ms", .histogram, 5),
        ]
        let body = try #require(OTLPEncoder.metrics(observations) { _ in [1, 10] })
        let metrics = Self.items(
            try await Self.shown("metrics", body),
            "resourceMetrics",
            "scopeMetrics",
            "metrics"
        )
        #expect(metrics.map { $0["name"]?.string } == ["calls", "open", "wait_ms"])
        #expect(metrics[0]["sum"]?["aggregationTemporality"] == "AGGREGATION_TEMPORALITY_DELTA")
        #expect(metrics[0]["sum"]?["isMonotonic"] == true)
        #expect(metrics[0]["sum"]?["dataPoints"]?.array?.first?["asDouble"]?.number == 2)
        #expect(metrics[1]["gauge"]?["dataPoints"]?.array?.first?["asDouble"]?.number == 3)
        let buckets = metrics[2]["histogram"]?["dataPoints"]?.array?.first
        #expect(buckets?["bucketCounts"] == ["0", "1", "0"])
        #expect(buckets?["explicitBounds"]?.array?.compactMap(\.number) == [1, 10])
    }

    private static func items(_ tree: Value, _ resources: String, _ scopes: String, _ items: String)
        -> [Value]
    {
        (tree[resources]?.array ?? []).flatMap { $0[scopes]?.array ?? [] }.flatMap { $0[items]?.array ?? [] }
    }

    private static func shown(_ signal: String, _ body: [UInt8]) async throws -> Value {
        let folder = try TemporaryFolder()
        let file = folder.path("request.pb")
        try Data(body).write(to: URL(filePath: file))
        return try Value(jsonBytes: try await output([signal, file]))
    }

    private static func oracle(_ client: String) async throws -> [Value.Object] {
        let folder = try #require(Bundle.module.url(forResource: "Captures", withExtension: nil))
        let data = try await output([folder.appending(path: client).path])
        return try data.split(separator: UInt8(ascii: "\n")).compactMap {
            try Value(jsonBytes: Array($0)).object
        }
    }

    private static func output(_ arguments: [String]) async throws -> [UInt8] {
        let script = root.appending(path: "Tests/Oracle/decode_otlp.py").path
        let process = try RunningProcess(python, [script] + arguments)
        let code = try await process.exitCode(limit: .seconds(60))
        try #require(code == 0, "\(process.errorOutput)")
        return Array(process.output.utf8)
    }

    /// The attributes that came, without those that are made of them.
    private static func sent(_ reference: SpanReference) -> Value.Object {
        var object = Value.Object()
        for attribute in reference.slab.attributes(of: reference.row) {
            object[attribute.keyText.string ?? ""] = OTLPSpanReader().value(attribute)
        }
        return object
    }

    private static func facts(_ reference: SpanReference) -> Value.Object {
        let span = OTLPSpanReader().span(reference)
        let row = reference.row.pointee
        return [
            "trace": .string(span.traceID.description),
            "id": .string(span.id.description),
            "parent": .string(span.parentSpanID?.description ?? ""),
            "name": .string(span.name),
            "kind": .int(Int64(span.kind.rawValue)),
            "start": .int(Int64(clamping: row.start_nano)),
            "end": .int(Int64(clamping: row.end_nano)),
            "attributes": .object(sent(reference)),
            "resource": .object(span.resource),
            "scope": .array([span.scope["name"] ?? "", span.scope["version"] ?? ""]),
            "events": .array(
                span.events.map { event in
                    [
                        "name": .string(event.name), "time": .int(event.timestamp.unixNano),
                        "attributes": .object(event.attributes),
                    ]
                }
            ),
            "links": .array(
                span.links.map { link in
                    [
                        "trace": .string(link.traceID.description), "id": .string(link.spanID.description),
                        "attributes": .object(link.attributes),
                    ]
                }
            ),
        ]
    }

    /// Equal up to how JSON writes numbers: a double that is whole comes back as an integer.
    private static func isSame(_ left: Value, _ right: Value) -> Bool {
        switch (left, right) {
        case (.array(let left), .array(let right)):
            left.count == right.count && zip(left, right).allSatisfy { isSame($0, $1) }
        case (.object(let left), .object(let right)):
            left.entries.count == right.entries.count
                && left.entries.allSatisfy { entry in
                    right[entry.key].map { isSame(entry.value, $0) } ?? false
                }
        case (.int(let left), .double(let right)), (.double(let right), .int(let left)): Double(left) == right
        default: left == right
        }
    }
}
