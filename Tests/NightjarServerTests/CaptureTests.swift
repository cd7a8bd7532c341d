import Foundation
import Nightjar
import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

/// Recorded requests of real clients, posted to the real server over a real socket; what comes out is compared with what was
/// written down by hand beside each recording.
@Suite struct CaptureTests {
    @Test(arguments: Captures.names)
    func `every span of a recording comes back with its facts`(client: String) async throws {
        let capture = try Captures.named(client)
        try await TestServer.run { server in
            for request in capture.requests where request.signal == "traces" {
                #expect(try await server.post(request).status == 200)
            }
            #expect(await server.engine.flush())
            let byTrace = Dictionary(grouping: capture.expectedSpans) { $0["trace_id"]?.string ?? "" }
            var exact = 0
            for (trace, expected) in byTrace {
                let answer = try await server.client.get("/api/traces/\(trace)")
                #expect(answer.status == 200)
                let spans = try answer.json()["spans"]?.array ?? []
                #expect(spans.count == expected.count, "trace \(trace)")
                for span in expected {
                    let found = spans.first { $0["id"]?.string == span["span_id"]?.string }
                    let differences = ExpectedSpan(span, among: expected).differences(from: found ?? .null)
                    #expect(differences.isEmpty, "\(span["name"]?.json ?? "") in \(trace): \(differences)")
                    if differences.isEmpty { exact += 1 }
                }
            }
            print("capture \(client): spans exact \(exact)/\(capture.expectedSpans.count)")
        }
    }

    @Test(arguments: Captures.names)
    func `the metrics of a recording add up exactly, sent once or twice`(client: String) async throws {
        let capture = try Captures.named(client)
        try await TestServer.run { server in
            // Clients retry when an answer is lost: what comes twice counts once.
            for request in capture.requests + capture.requests where request.signal == "traces" {
                #expect(try await server.post(request).status == 200)
            }
            #expect(await server.engine.flush())
            let expected = ExpectedMetrics(capture.expectedSpans).totals
            // Verdicts on spans are a test of their own.
            let found = try await server.metrics().filter {
                $0.key.hasPrefix("mastra_") && !$0.key.contains("_bucket{")
                    && !$0.key.hasPrefix("mastra_scores_total")
            }
            var equal = 0
            for key in Set(expected.keys).union(found.keys).sorted() {
                let isEqual = abs((expected[key] ?? .nan) - (found[key] ?? .nan)) < 1e-6
                #expect(isEqual, "\(key): expected \(expected[key] ?? .nan), found \(found[key] ?? .nan)")
                if isEqual { equal += 1 }
            }
            print("capture \(client): metric totals equal \(equal)/\(expected.count)")
        }
    }
}
