import Foundation
import Logging
import Nightjar
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Synchronization

/// A folder of plugins and a database file, on which one engine runs after the other.
struct PluginRuns {
    let folder: Fixture
    let clock = StillClock()

    init(_ plugins: [String: String]) throws {
        folder = try Fixture()
        for (name, text) in plugins { try write(text, to: name) }
    }

    func write(_ text: String, to name: String) throws { try folder.write(text, to: "plugins/\(name)") }

    /// Runs `body` with an engine, then shuts that down.
    func run<Result: Sendable>(
        _ change: (inout EngineConfiguration) -> Void = { _ in },
        _ body: (Engine) async throws -> Result
    ) async throws -> Result {
        var configuration = EngineConfiguration(cores: 2)
        configuration.store = .file(folder.path("nightjar.db"))
        configuration.pluginFolder = folder.path("plugins")
        change(&configuration)
        var logger = Logger(label: "test", factory: StreamLogHandler.standardError(label:))
        logger.logLevel = .critical
        let engine = try Engine(configuration, logger: logger, clock: clock)
        do {
            let result = try await body(engine)
            await engine.shutdown()
            return result
        } catch {
            await engine.shutdown()
            throw error
        }
    }
}

/// A clock that stands still until a test moves it.
final class StillClock: PipelineClock {
    private let time = Mutex(Timestamp(unixNano: 1_790_000_000_000_000_000))

    func now() -> Timestamp { time.withLock { $0 } }

    func advance(by duration: Duration) { time.withLock { $0 = $0.advanced(by: duration) } }
}

extension Engine {
    /// Takes a span of a trace of its own, and waits until everything of it is stored.
    func post(_ trace: Int, agent: String = "helper") async throws {
        let body = IngestTests.body(
            trace: String(format: "%032x", trace),
            attributes: [("gen_ai.operation.name", "invoke_agent"), ("gen_ai.agent.name", .string(agent))]
        )
        _ = try await ingest(Payload(body), encoding: .json)
        _ = await flush()
    }

    /// What the series of a metric have counted, by the values of their labels.
    func counts(_ metric: String) -> [String: Double] {
        let series = series.filter { $0.instrument.name == metric }
        return Dictionary(
            series.map { ($0.labels.map(\.value).joined(separator: " "), $0.total.sum) }
        ) { $0 + $1 }
    }
}
