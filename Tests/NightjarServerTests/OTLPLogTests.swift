import Nightjar
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// `POST /v1/logs`, and evaluations as scores: signals contract, sections 5 and 9.
@Suite struct OTLPLogTests {
    private static let body = """
        {"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
        "scopeLogs":[{"scope":{"name":"app"},"logRecords":[
        {"timeUnixNano":"1790000000000000000","severityNumber":13,"body":{"stringValue":"slow"},
        "attributes":[{"key":"ms","value":{"intValue":"1200"}},{"key":"password","value":{"stringValue":"p-1"}}],
        "traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7"},
        {"timeUnixNano":"1790000000000000000","severityNumber":9,"body":{"kvlistValue":{"values":[]}}}]}]}]}
        """

    private func send(_ body: [UInt8], to server: TestServer) async throws -> HTTPResponse {
        try await server.client.send(
            "POST",
            "/v1/logs",
            headers: [("Content-Type", "application/json")],
            body: body
        )
    }

    @Test func `a log line is stored with what it belongs to, without its secrets`() async throws {
        try await TestServer.run { server in
            #expect(try await server.post(IngestTests.body(), type: "application/json").status == 200)
            let answer = try await send(Array(Self.body.utf8), to: server)
            #expect(answer.status == 200)
            #expect(answer.text == "{}")
            #expect(await server.engine.flush())
            let trace = try await server.client.get("/api/traces/4bf92f3577b34da6a3ce929d0e0e4736").json()
            let log = trace["logs"]?.array?.first
            #expect(log?["message"] == "slow")
            #expect(log?["level"] == "warn")
            #expect(log?["data"]?["ms"] == 1200)
            #expect(log?["data"]?["password"] == "[REDACTED]")
            #expect(log?["correlation"]?["serviceName"] == "shop")
        }
    }

    @Test func `a body that is none is refused in its own encoding`() async throws {
        try await TestServer.run { server in
            let answer = try await send(Array("{\"resourceLogs\":3}".utf8), to: server)
            #expect(answer.status == 400)
            #expect(try answer.json()["code"] == 3)
        }
    }

    @Test(arguments: ["otel-eval"])
    func `the evaluations of a recording are scores, once however often they come`(client: String)
        async throws
    {
        let capture = try Captures.named(client)
        try await TestServer.run { server in
            for request in capture.requests + capture.requests {
                guard request.signal == "traces" || request.signal == "logs" else { continue }
                var headers = [
                    (
                        name: "Content-Type",
                        value: request.isJSON ? "application/json" : "application/x-protobuf"
                    )
                ]
                if request.isCompressed { headers.append(("Content-Encoding", "gzip")) }
                let answer = try await server.client.send(
                    "POST",
                    "/v1/\(request.signal)",
                    headers: headers,
                    body: request.body
                )
                #expect(answer.status == 200)
            }
            #expect(await server.engine.flush())
            var query = ScoreQuery()
            query.limit = 500
            let scores = try #require(server.engine.store).scores(query).records.map(\.score)
            let found = scores.map {
                Self.line(
                    $0.traceID?.description,
                    $0.spanID?.description,
                    $0.scorerName,
                    $0.score,
                    $0.label,
                    $0.error
                )
            }
            let expected = capture.expectedEvaluations.map {
                Self.line(
                    $0["trace_id"]?.string,
                    $0["span_id"]?.string,
                    $0["name"]?.string ?? "",
                    $0["value"]?.number,
                    $0["label"]?.string,
                    $0["error_type"]?.string
                )
            }
            #expect(found.sorted() == expected.sorted())
        }
    }

    private static func line(
        _ trace: String?,
        _ span: String?,
        _ name: String,
        _ value: Double?,
        _ label: String?,
        _ error: String?
    ) -> String {
        "\(trace ?? "-") \(span ?? "-") \(name) \(value.map { "\($0)" } ?? "-") \(label ?? "-") \(error ?? "-")"
    }
}
