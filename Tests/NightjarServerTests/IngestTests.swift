import Foundation
import Nightjar
import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

@Suite struct IngestTests {
    private static var shortWait: TraceConfiguration {
        var configuration = TraceConfiguration()
        configuration.parentWait = .milliseconds(50)
        return configuration
    }

    /// One span as OTLP JSON.
    static func body(
        trace: String = "4bf92f3577b34da6a3ce929d0e0e4736",
        span: String = "00f067aa0ba902b7",
        parent: String? = nil,
        name: String = "invoke_agent helper",
        attributes: [(String, Value)] = [
            ("gen_ai.operation.name", "invoke_agent"), ("gen_ai.agent.name", "helper"),
        ]
    ) -> [UInt8] {
        let list = attributes.map { key, value -> Value in
            let any: Value =
                switch value {
                case .int(let number): ["intValue": .string(String(number))]
                case .double: ["doubleValue": value]
                default: ["stringValue": value]
                }
            return ["key": .string(key), "value": any]
        }
        var row: Value.Object = [
            "traceId": .string(trace), "spanId": .string(span), "name": .string(name), "kind": 1,
            "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000000250000000",
            "attributes": .array(list),
        ]
        row["parentSpanId"] = parent.map { .string($0) }
        let scope: Value = ["scope": ["name": "test"], "spans": [.object(row)]]
        let resource: Value = [
            "attributes": [["key": "service.name", "value": ["stringValue": "shop"]]]
        ]
        let request: Value = ["resourceSpans": [["resource": resource, "scopeSpans": [scope]]]]
        return Array(request.json.utf8)
    }

    @Test
    func `a malformed body is answered with 400 in the request's own encoding and nothing of it is taken`()
        async throws
    {
        try await TestServer.run { server in
            var broken = Self.body()
            broken.removeLast(3)
            let json = try await server.post(broken, type: "application/json")
            #expect(json.status == 400)
            #expect(json.header("content-type") == "application/json")
            #expect(try json.json()["code"] == 3)
            #expect(try json.json()["message"]?.string?.contains("byte") == true)

            let binary = try await server.post([0x0A, 0xFF, 0x01], type: "application/x-protobuf")
            #expect(binary.status == 400)
            #expect(binary.header("content-type") == "application/x-protobuf")
            #expect(binary.body.starts(with: [0x08, 0x03, 0x12]))

            let list = try await server.client.get("/api/traces").json()
            #expect(list["traces"]?.array?.isEmpty == true)
        }
    }

    @Test(
        arguments: [
            ("text/plain", nil, 415), ("application/json", "br", 415), ("application/json", "gzip", 400),
            ("application/x-protobuf", "deflate", 400),
        ] as [(String, String?, Int)]
    )
    func `what cannot be read is refused with the fitting status`(
        type: String,
        encoding: String?,
        status: Int
    ) async throws {
        try await TestServer.run { server in
            let answer = try await server.post(Self.body(), type: type, encoding: encoding)
            #expect(answer.status == status, "\(answer.text)")
        }
    }

    @Test func `spans with bad ids are rejected alone and the rest is kept`() async throws {
        try await TestServer.run { server in
            let good = String(decoding: Self.body(), as: UTF8.self)
            let bad = String(decoding: Self.body(trace: "00000000000000000000000000000000"), as: UTF8.self)
            let both =
                #"{"resourceSpans":["#
                + [good, bad].map {
                    String($0.dropFirst(#"{"resourceSpans":["#.count).dropLast(2))
                }.joined(separator: ",") + "]}"
            let answer = try await server.post(Array(both.utf8), type: "application/json")
            #expect(answer.status == 200)
            let partial = try answer.json()["partialSuccess"]
            #expect(partial?["rejectedSpans"]?.number == 1)
            #expect(partial?["errorMessage"]?.string?.isEmpty == false)
            #expect(await server.engine.flush())
            #expect(try await server.client.get("/api/traces").json()["traces"]?.array?.count == 1)
        }
    }

    @Test func `a child that comes first is counted once, under its agent, when the agent comes`()
        async throws
    {
        try await TestServer.run { server in
            let child = Self.body(
                span: "00f067aa0ba902b8",
                parent: "00f067aa0ba902b7",
                name: "chat m",
                attributes: [
                    ("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "m"),
                    ("gen_ai.usage.input_tokens", 7),
                ]
            )
            #expect(try await server.post(child, type: "application/json").status == 200)
            #expect(await server.engine.flush())
            #expect(try await server.metrics()[#"mastra_model_input_tokens{model="m"}"#] == nil)
            #expect(try await server.post(Self.body(), type: "application/json").status == 200)
            #expect(await server.engine.flush())
            let metrics = try await server.metrics()
            #expect(metrics[#"mastra_model_input_tokens{agent="helper",model="m"}"#] == 7)
            #expect(metrics[#"mastra_agent_runs_ended{agent="helper",service="shop",status="ok"}"#] == 1)
        }
    }

    @Test func `a child whose parent never comes is counted without it when the wait is over`() async throws {
        try await TestServer.run(trace: Self.shortWait) { server in
            let child = Self.body(
                span: "00f067aa0ba902b8",
                parent: "00f067aa0ba902b7",
                name: "chat m",
                attributes: [("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "m")]
            )
            #expect(try await server.post(child, type: "application/json").status == 200)
            try await wait(for: "the count without an agent") {
                try await server.metrics()[#"mastra_model_requests_ended{model="m",status="ok"}"#] == 1
            }
        }
    }

    @Test func `high-cardinality labels are kept off the built-in metrics, and counted`() async throws {
        try await TestServer.run { server in
            for index in 0..<3 {
                let body = Self.body(
                    trace: "4bf92f3577b34da6a3ce929d0e0e473\(index)",
                    attributes: [
                        ("gen_ai.operation.name", "invoke_agent"),
                        ("gen_ai.agent.name", .string("123e4567-e89b-12d3-a456-42661417400\(index)")),
                    ]
                )
                #expect(try await server.post(body, type: "application/json").status == 200)
            }
            #expect(await server.engine.flush())
            let metrics = try await server.metrics()
            #expect(metrics[#"mastra_agent_runs_ended{service="shop",status="ok"}"#] == 3)
            let dropped =
                #"nightjar_labels_dropped_total{label="agent",metric="mastra_agent_runs_ended",reason="uuid"}"#
            #expect(metrics[dropped] == 3)
        }
    }

    @Test func `more label values than any cache holds are all counted`() throws {
        let registry = MetricRegistry()
        let run = try RecordedRun(plugins: nil, registry: registry) { _ in }
        let count = 24_000
        for batch in 0..<(count / 2000) {
            let spans = (0..<2000).map { index -> Value in
                let number = batch * 2000 + index
                let name: Value = [
                    "key": "gen_ai.tool.name", "value": ["stringValue": .string("tool \(number)")],
                ]
                let kind: Value = [
                    "key": "gen_ai.operation.name", "value": ["stringValue": "execute_tool"],
                ]
                return [
                    "traceId": .string(String(format: "%032x", number + 1)), "spanId": "00f067aa0ba902b7",
                    "name": "execute_tool", "startTimeUnixNano": "1790000000000000000",
                    "endTimeUnixNano": "1790000000250000000", "attributes": [kind, name],
                ]
            }
            let request: Value = ["resourceSpans": [["scopeSpans": [["spans": .array(spans)]]]]]
            try run.add(Array(request.json.utf8))
        }
        run.finish()
        let ended = run.totals.filter { $0.instrument.name == "mastra_tool_calls_ended" }
        #expect(ended.count == 2001)
        #expect(ended.reduce(0) { $0 + $1.total.sum } == Double(count))
    }

    @Test func `deflate bodies are taken`() async throws {
        try await TestServer.run { server in
            // zlib with one stored block: what a compressor may do with anything.
            let body = Self.body()
            let count = UInt16(body.count)
            var bytes: [UInt8] = [
                0x78, 0x01, 0x01, UInt8(count & 0xFF), UInt8(count >> 8), UInt8(~count & 0xFF),
                UInt8(~count >> 8),
            ]
            bytes += body
            let (low, high) = body.reduce((UInt32(1), UInt32(0))) { sums, byte in
                let low = (sums.0 + UInt32(byte)) % 65_521
                return (low, (sums.1 + low) % 65_521)
            }
            let check = high << 16 | low
            bytes += [
                UInt8(check >> 24), UInt8(check >> 16 & 0xFF), UInt8(check >> 8 & 0xFF), UInt8(check & 0xFF),
            ]
            let answer = try await server.post(bytes, type: "application/json", encoding: "deflate")
            #expect(answer.status == 200, "\(answer.text)")
        }
    }
}
