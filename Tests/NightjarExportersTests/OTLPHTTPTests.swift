import NightjarBus
import NightjarExporters
import NightjarSignals
import NightjarTesting
import Synchronization
import Testing

@Suite struct OTLPHTTPTests {
    static let now = Timestamp(unixNano: 1_445_412_420_000_000_000)  // 2015-10-21T07:27:00Z
    static let line = Log(timestamp: now, level: .info, message: "hello")

    static func exporter(
        _ server: ScriptedServer,
        path: String = "",
        change: (inout OTLPHTTPConfiguration) -> Void = { _ in }
    ) throws -> OTLPHTTPExporter {
        var configuration = OTLPHTTPConfiguration(endpoint: server.url + path)
        change(&configuration)
        return try OTLPHTTPExporter(configuration, bodies: TextBodies(), now: { now })
    }

    static func failure(_ body: () async throws -> Void) async -> ExportError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? ExportError
        }
    }

    @Test func `each signal goes to its path as compressed protobuf, with the headers`() async throws {
        let server = try ScriptedServer { _ in .status(200) }
        defer { server.stop() }
        let exporter = try Self.exporter(server, path: "/otlp/") { $0.headers = ["X-Key": "secret"] }
        var span = Span(
            id: SpanID(value: 1),
            traceID: TraceID(high: 1, low: 1),
            name: "s",
            startTime: Self.now
        )
        try await exporter.exportSpans([.spanStarted(span), .spanUpdated(span)])
        span.endTime = Self.now
        try await exporter.exportSpans([.spanEnded(span)])
        try await exporter.exportLogs([Self.line])
        try await exporter.exportScores([Score(id: "1", timestamp: Self.now, scorerName: "x")])
        try await exporter.exportFeedback([
            Feedback(id: "2", timestamp: Self.now, source: "user", feedbackType: "thumbs", value: 1)
        ])
        try await exporter.exportMetrics([
            Metric(timestamp: Self.now, name: "a_tokens", type: .histogram, value: 1)
        ])
        let requests = server.requests
        #expect(
            requests.map(\.path) == ["traces", "logs", "logs", "logs", "metrics"].map { "/otlp/v1/" + $0 }
        )
        #expect(requests.allSatisfy { $0.method == "POST" && $0.header("X-Key") == "secret" })
        #expect(requests.allSatisfy { $0.header("Content-Type") == "application/x-protobuf" })
        let bodies = try requests.map { String(decoding: try inflated($0), as: UTF8.self) }
        #expect(bodies == ["span s\n", "hello", "score 1", "feedback 2", "a_tokens 11\n"])
        #expect(Set(requests.map(\.connection)) == [1], "one connection serves them all")
    }

    @Test(arguments: [true, false]) func `a large body arrives whole, compressed or not`(_ compresses: Bool)
        async throws
    {
        let server = try ScriptedServer { _ in .status(200) }
        defer { server.stop() }
        let exporter = try Self.exporter(server) { $0.compresses = compresses }
        var generator = SeededGenerator(seed: 7)
        let text = (0..<300_000).map { _ in String(generator.next(), radix: 16) }.joined()
        try await exporter.exportLogs([Log(timestamp: Self.now, level: .info, message: text)])
        let request = try #require(server.requests.first)
        #expect(try inflated(request) == Array(text.utf8))
        #expect((request.header("Content-Encoding") == "gzip") == compresses)
        #expect((request.body.count < text.utf8.count) == compresses)
    }

    @Test(arguments: [408, 429, 502, 503, 504]) func `an overloaded collector is tried again`(_ status: Int)
        async throws
    {
        let server = try ScriptedServer { _ in .status(status, headers: [("Retry-After", "7")]) }
        defer { server.stop() }
        let exporter = try Self.exporter(server)
        let error = await Self.failure { try await exporter.exportLogs([Self.line]) }
        #expect(error?.code == .unavailable)
        #expect(error?.retryAfter == .seconds(7))
    }

    @Test(arguments: [301, 400, 401, 404, 413, 500]) func `other answers lose the batch`(_ status: Int)
        async throws
    {
        let server = try ScriptedServer { _ in
            .status(status, headers: [("Location", "/elsewhere")], body: Array("because".utf8))
        }
        defer { server.stop() }
        let exporter = try Self.exporter(server)
        let error = await Self.failure { try await exporter.exportLogs([Self.line]) }
        #expect(error?.code == .rejected)
        #expect(error?.detail.contains("/v1/logs answered \(status)") == true)
        #expect(server.requests.count == 1)
    }

    @Test func `a pause may be asked for until a date`() async throws {
        let server = try ScriptedServer { request in
            let later = request.connection == 1 && request.path.hasSuffix("logs")
            let date = later ? "Wed, 21 Oct 2015 07:28:00 GMT" : "soon"
            return .status(503, headers: [("Retry-After", date)])
        }
        defer { server.stop() }
        let exporter = try Self.exporter(server)
        let dated = await Self.failure { try await exporter.exportLogs([Self.line]) }
        #expect(dated?.retryAfter == .seconds(60))
        let metric = Metric(timestamp: Self.now, name: "a", type: .gauge, value: 1)
        let vague = await Self.failure { try await exporter.exportMetrics([metric]) }
        #expect(vague?.code == .unavailable)
        #expect(vague?.retryAfter == nil)
    }

    @Test func `what a collector refuses of a batch is lost alone`() async throws {
        // partial_success { rejected: 300, error_message: "no" }
        let answer: [UInt8] = [0x0A, 0x07, 0x08, 0xAC, 0x02, 0x12, 0x02, 0x6E, 0x6F]
        let server = try ScriptedServer { request in
            .status(200, body: request.path.hasSuffix("logs") ? answer : Array("no protobuf".utf8))
        }
        defer { server.stop() }
        let exporter = try Self.exporter(server)
        let error = await Self.failure { try await exporter.exportLogs([Self.line]) }
        #expect(error?.code == .rejected)
        #expect(error?.lostCount == 300)
        #expect(error?.detail.hasSuffix("refused 300 items of a batch: no") == true)
        try await exporter.exportMetrics([Metric(timestamp: Self.now, name: "a", type: .gauge, value: 1)])
    }

    @Test func `a collector that is not there, hangs up or says nothing is tried again`() async throws {
        let gone = try ScriptedServer { _ in .status(200) }
        gone.stop()
        let silent = try ScriptedServer { $0.path.hasSuffix("logs") ? .silence : .hangUp }
        defer { silent.stop() }
        let metric = Metric(timestamp: Self.now, name: "a", type: .gauge, value: 1)
        let exporter = try Self.exporter(silent) { $0.timeout = .milliseconds(50) }
        let away = try Self.exporter(gone)
        for error in [
            await Self.failure { try await exporter.exportLogs([Self.line]) },
            await Self.failure { try await exporter.exportMetrics([metric]) },
            await Self.failure { try await away.exportLogs([Self.line]) },
        ] {
            #expect(error?.code == .unavailable)
            #expect(error?.detail.contains("cannot be reached") == true)
        }
    }

    @Test func `a cancelled request ends at once`() async throws {
        let server = try ScriptedServer { _ in .silence }
        defer { server.stop() }
        let exporter = try Self.exporter(server) { $0.timeout = .seconds(1000) }
        let call = Task { try await exporter.exportLogs([Self.line]) }
        try await wait(for: "the request") { server.requests.count == 1 }
        call.cancel()
        await #expect(throws: CancellationError.self) { try await call.value }
    }

    @Test(arguments: ["", "localhost:4318", "ftp://host", "http://"]) func `an endpoint must be a URL`(
        _ text: String
    ) {
        #expect(throws: ExportError.self) {
            try OTLPHTTPExporter(OTLPHTTPConfiguration(endpoint: text), bodies: TextBodies())
        }
    }
}
