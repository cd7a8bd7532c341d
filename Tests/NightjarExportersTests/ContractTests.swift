import Foundation
import NightjarBus
import NightjarExporters
import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Synchronization
import Testing

/// A destination behind a closure that an exporter calls before or instead of delivering.
final class ScriptedDestination: ContractDestination {
    private struct State {
        var behaviour = ExporterContract.Behaviour.works
        var isHolding = false
        var text = ""
    }

    private let state = Mutex(State())
    private let never = ManualClock()

    var isHolding: Bool { state.withLock { $0.isHolding } }

    func behave(_ behaviour: ExporterContract.Behaviour) { state.withLock { $0.behaviour = behaviour } }
    func received() -> String { state.withLock { $0.text } }
    func take(_ text: String) { state.withLock { $0.text += text } }

    func pass() async throws {
        let behaviour = state.withLock { state in
            state.isHolding = state.behaviour == .hangs
            return state.behaviour
        }
        switch behaviour {
        case .works: return
        case .isDown: throw ExportError(code: .unavailable, detail: "closed")
        case .refuses: throw ExportError(code: .rejected, detail: "refused")
        case .hangs: try await never.sleep(for: .seconds(1))
        }
    }
}

/// A file, made unwritable by a folder in its place.
final class FileDestination: ContractDestination {
    let folder: TemporaryFolder
    let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path("out.jsonl")
    }

    let isHolding = false

    func behave(_ behaviour: ExporterContract.Behaviour) throws {
        if behaviour == .isDown {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
        if behaviour == .works { try FileManager.default.removeItem(atPath: path) }
    }

    func received() throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    }
}

/// Bodies that can be read with the eye.
struct TextBodies: OTLPBodies {
    func traces(_ spans: [Span]) -> [UInt8]? { Array(spans.map { "span \($0.name)\n" }.joined().utf8) }
    func logs(_ logs: [Log], scores: [Score], feedback: [Feedback]) -> [UInt8]? {
        let lines =
            logs.map(\.message) + scores.map { "score \($0.id)" } + feedback.map { "feedback \($0.id)" }
        return Array(lines.joined(separator: "\n").utf8)
    }
    func metrics(_ metrics: [Metric], bounds: (String) -> [Double]) -> [UInt8]? {
        Array(metrics.map { "\($0.name) \(bounds($0.name).count)\n" }.joined().utf8)
    }
}

/// A collector over a real socket.
final class CollectorDestination: ContractDestination {
    private struct State: Sendable {
        var behaviour = ExporterContract.Behaviour.works
        var isHolding = false
        var text = ""
    }

    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    let server: ScriptedServer
    private let shared = Shared()

    init() throws {
        let shared = shared
        server = try ScriptedServer { request in
            // What is not gzip shows as nothing received.
            let body = (try? inflated(request)) ?? []
            return shared.state.withLock { state in
                state.isHolding = state.behaviour == .hangs
                switch state.behaviour {
                case .works:
                    state.text += String(decoding: body, as: UTF8.self)
                    return .status(200)
                case .isDown: return .status(503)
                case .refuses: return .status(400)
                case .hangs: return .silence
                }
            }
        }
    }

    deinit { server.stop() }

    var isHolding: Bool { shared.state.withLock { $0.isHolding } }
    func behave(_ behaviour: ExporterContract.Behaviour) {
        shared.state.withLock { $0.behaviour = behaviour }
    }
    func received() -> String { shared.state.withLock { $0.text } }
}

func inflated(_ request: ScriptedServer.Request) throws -> [UInt8] {
    guard request.header("Content-Encoding") == "gzip" else { return request.body }
    return try request.body.withUnsafeBytes { bytes in
        let payload = try ContentInflater().inflate(bytes, encoding: .gzip)
        return withExtendedLifetime(payload) { Array(payload.bytes) }
    }
}

@Suite struct ContractTests {
    @Test func `the console keeps the contract of exporters`() async throws {
        try await ExporterContract.check {
            let destination = ScriptedDestination()
            let exporter = ConsoleExporter(colours: false) { text in
                try await destination.pass()
                destination.take(text)
            }
            return (exporter, destination)
        }
    }

    @Test func `JSON lines keep the contract of exporters`() async throws {
        try await ExporterContract.check([.works, .isDown]) {
            let destination = try FileDestination()
            return (JSONLinesExporter(path: destination.path), destination)
        }
    }

    @Test func `the exporter in memory keeps the contract of exporters`() async throws {
        struct Destination: ContractDestination {
            let script = ScriptedDestination()
            let exporter: InMemoryExporter
            init() {
                exporter = InMemoryExporter { [script] _ in try await script.pass() }
            }
            var isHolding: Bool { script.isHolding }
            func behave(_ behaviour: ExporterContract.Behaviour) { script.behave(behaviour) }
            func received() -> String { exporter.logs.map(\.message).joined() }
        }
        try await ExporterContract.check {
            let destination = Destination()
            return (destination.exporter, destination)
        }
    }

    @Test func `OTLP over HTTP keeps the contract of exporters`() async throws {
        try await ExporterContract.check {
            let destination = try CollectorDestination()
            var configuration = OTLPHTTPConfiguration(endpoint: destination.server.url)
            configuration.timeout = .seconds(100)
            return (try OTLPHTTPExporter(configuration, bodies: TextBodies()), destination)
        }
    }
}
