import HTTPTypes
import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
package import Nightjar
import NightjarStore
import ServiceLifecycle
import UnixSignals

/// The server: an engine behind one HTTP listener.
package struct HTTPInterface: Service {
    private let configuration: ServerConfiguration
    private let engine: Engine
    private let live: LiveFeed
    private let logger: Logger
    private let onRunning: @Sendable (String) -> Void
    private let load: ServerLoad

    /// A server that is not started. `onRunning` gets the address that it listens on, once it does.
    package init(
        _ configuration: ServerConfiguration,
        engine: Engine,
        logger: Logger,
        onRunning: @escaping @Sendable (String) -> Void
    ) {
        self.configuration = configuration
        self.engine = engine
        live = LiveFeed(engine: engine, configuration.live)
        self.logger = logger
        self.onRunning = onRunning
        let room = FileLimit.room(for: configuration.connections.connections)
        if room < configuration.connections.connections {
            logger.warning(
                "the system lets the process have \(room) connections, fewer than limits.connections"
            )
        }
        var bounded = configuration
        bounded.connections.connections = room
        load = ServerLoad(bounded) { engine.countRefusal($0) }
    }

    /// Listens, and returns when the task is cancelled or the process is told to stop: then it takes nothing more, finishes
    /// what it took, stores it and closes the engine.
    /// - Throws: When the address cannot be bound.
    package func run() async throws {
        let application = Application(
            router: router(),
            server: HTTPServerBuilder { [load, configuration] responder in
                GuardedHTTP(responder, load: load, bodyBytes: configuration.bodyBytes)
            },
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                serverName: "nightjar"
            ),
            onServerRunning: { channel in onRunning(address(of: channel)) },
            logger: quiet(logger)
        )
        do {
            // Who reads live would read for ever: they are told to go.
            try await withTaskCancellationHandler {
                try await withGracefulShutdownHandler {
                    try await application.run()
                } onGracefulShutdown: {
                    live.stop()
                }
            } onCancel: {
                live.stop()
            }
        } catch is CancellationError {
            // Told to stop, with requests still open.
        } catch {
            await engine.shutdown()
            throw error
        }
        await engine.shutdown()
    }

    /// Runs until the process gets SIGTERM or SIGINT.
    /// - Throws: As ``run()``.
    package func runUntilToldToStop() async throws {
        var settings = ServiceGroupConfiguration(
            services: [
                .init(
                    service: self,
                    successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup
                )
            ],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: quiet(logger)
        )
        // Requests that are not done by then are cut off: stopping takes ten seconds at most, storing included.
        settings.maximumGracefulShutdownDuration = .seconds(2)
        let group = ServiceGroup(configuration: settings)
        try await group.run()
    }

    private func router() -> Router<BasicRequestContext> {
        let scope = ScopeMiddleware(load: load, inflatedBytes: configuration.inflatedBytes)
        let router = APIRouter(scope: scope)
        OTLPRoutes(engine: engine, bodyBytes: configuration.bodyBytes).add(to: router)
        EventRoutes(engine: engine, bodyBytes: configuration.bodyBytes).add(to: router)
        TraceRoutes(engine: engine).add(to: router)
        SessionRoutes(engine: engine).add(to: router)
        SignalRoutes(engine: engine).add(to: router)
        ScoreReportRoutes(engine: engine).add(to: router)
        AnnotationRoutes(engine: engine, bodyBytes: configuration.bodyBytes).add(to: router)
        StatusRoutes(engine: engine).add(to: router)
        LoadRoutes(engine: engine, load: load).add(to: router)
        MetricRoutes(engine: engine).add(to: router)
        PluginRoutes(engine: engine).add(to: router)
        LiveRoutes(feed: live, engine: engine, settings: configuration.live).add(to: router)
        CleanupRoutes(engine: engine).add(to: router)
        TransferRoutes(engine: engine, bodyBytes: configuration.bodyBytes).add(to: router)
        return router.finished()
    }

    private func address(of channel: any Channel) -> String {
        let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
        return "http://\(host):\(channel.localAddress?.port ?? configuration.port)"
    }

    /// The framework's own lines are for whoever debugs it.
    private func quiet(_ logger: Logger) -> Logger {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return quiet
    }
}
