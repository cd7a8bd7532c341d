import Foundation
import Logging
import Nightjar
import NightjarBus
import NightjarServer
import NightjarSignals
import NightjarStore
import NightjarTesting

/// A real server in this process: a database file in a temporary folder, a socket on a free port.
struct TestServer {
    let engine: Engine
    let client: HTTPClient
    let address: String
    let folder: Fixture

    /// Runs `body` against a server with these plugins, or with no folder of plugins, then shuts it down. A folder takes a file
    /// watch, of which the kernel gives a user 128.
    static func run(
        plugins: [String: String]? = nil,
        trace: TraceConfiguration = TraceConfiguration(),
        live: LiveSettings = LiveSettings(),
        change: (inout EngineConfiguration) -> Void = { _ in },
        server changeServer: (inout ServerConfiguration) -> Void = { _ in },
        _ body: (TestServer) async throws -> Void
    ) async throws {
        let folder = try Fixture()
        try FileManager.default.createDirectory(
            atPath: folder.path("plugins"),
            withIntermediateDirectories: true
        )
        for (name, text) in plugins ?? [:] { try folder.write(text, to: "plugins/\(name)") }
        var configuration = EngineConfiguration(cores: 2)
        configuration.store = .file(folder.path("nightjar.db"))
        configuration.pluginFolder = plugins == nil ? nil : folder.path("plugins")
        configuration.trace = trace
        change(&configuration)
        var logger = Logger(label: "test", factory: StreamLogHandler.standardError(label:))
        logger.logLevel = .error
        let engine = try Engine(configuration, logger: logger)
        var server = ServerConfiguration(engine: configuration)
        server.port = 0
        server.live = live
        changeServer(&server)
        let (addresses, continuation) = AsyncStream.makeStream(of: String.self)
        let interface = HTTPInterface(server, engine: engine, logger: logger) { continuation.yield($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await interface.run() }
            var iterator = addresses.makeAsyncIterator()
            let address = await iterator.next() ?? ""
            let port = Int(address.split(separator: ":").last ?? "") ?? 0
            let test = TestServer(
                engine: engine,
                client: HTTPClient(port: port),
                address: address,
                folder: folder
            )
            do {
                try await body(test)
            } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
        }
    }

    /// Posts a body of traces as a client would.
    func post(_ request: CaptureFolder.Request) async throws -> HTTPResponse {
        try await post(
            request.body,
            type: request.isJSON ? "application/json" : "application/x-protobuf",
            encoding: request.isCompressed ? "gzip" : nil
        )
    }

    /// Posts bytes to `/v1/traces`.
    func post(_ body: [UInt8], type: String, encoding: String? = nil) async throws -> HTTPResponse {
        var headers = [(name: "Content-Type", value: type)]
        if let encoding { headers.append(("Content-Encoding", encoding)) }
        return try await client.send("POST", "/v1/traces", headers: headers, body: body)
    }

    /// `/metrics`, by line: name and labels to value.
    func metrics() async throws -> [String: Double] {
        let text = try await client.get("/metrics").text
        var values: [String: Double] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { continue }
            values[String(line[..<space])] = Double(line[line.index(after: space)...])
        }
        return values
    }
}

/// The recordings that all end-to-end tests use.
enum Captures {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .appendingPathComponent("NightjarOTLPTests/Captures")

    static let names = [
        "genai-langchain", "genai-openai", "langfuse", "langsmith", "oi-anthropic", "oi-langchain",
        "oi-openai-agents", "otel-eval", "otel-openai-v2", "pydantic-ai", "semantic-kernel",
        "synth-claude-code", "synth-mastra", "synth-vercel-ai", "traceloop",
    ]

    static func named(_ name: String) throws -> CaptureFolder {
        try CaptureFolder(folder.appendingPathComponent(name))
    }
}
