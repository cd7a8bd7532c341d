import ArgumentParser
import Foundation
import Logging
import Nightjar
import NightjarBus
import NightjarPlugins
import NightjarServer
import NightjarSignals

/// `nightjar serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the server.",
        discussion: """
            Takes OTLP/HTTP at /v1/traces, runs the built-in metrics and the plugins on it, stores everything, and answers \
            /metrics and the API. Each option can also be given in the environment: NIGHTJAR_LISTEN, NIGHTJAR_DB, \
            NIGHTJAR_PLUGINS_DIR, NIGHTJAR_LOGLEVEL;
            and when traces end: NIGHTJAR_TRACE_IDLEPERIOD (6s), NIGHTJAR_TRACE_IDLETIMEOUT (60s), NIGHTJAR_TRACE_MAXAGE (1h), \
            NIGHTJAR_EXTRACTION_PARENTWAIT.
            """
    )

    @Option(help: "Where to listen; port 0 takes any that is free. (default: 127.0.0.1:4318)")
    var listen: String?

    @Option(help: "The database file, made if missing; none stores nothing. (default: nightjar.db)")
    var db: String?

    @Option(help: "The folder of plugins. (default: plugins)")
    var plugins: String?

    @Option(help: "The least level to log: debug, info, warning, error. (default: info)")
    var logLevel: String?

    @Flag(help: "Allow listening beyond this machine without keys.")
    var insecure = false

    func run() async throws {
        let configuration = try serverConfiguration()
        if let fault = configuration.fault {
            complain(fault)
            throw Outcome.usage
        }
        var logger = Logger(label: "nightjar", factory: StreamLogHandler.standardError(label:))
        logger.logLevel = try level()
        do {
            let engine = try Engine(configuration.engine, logger: logger)
            let server = HTTPInterface(configuration, engine: engine, logger: logger) { address in
                announce(address, engine)
            }
            try await server.runUntilToldToStop()
        } catch {
            complain("cannot serve: \(error)")
            throw Outcome.environment
        }
    }

    private func announce(_ address: String, _ engine: Engine) {
        let names = engine.plugins?.status.filter { $0.condition == .running }.map(\.name) ?? []
        print("nightjar \(NightjarVersion.text) listens on \(address)")
        print("  traces    POST \(address)/v1/traces   (OTEL_EXPORTER_OTLP_ENDPOINT=\(address))")
        print("  metrics   \(address)/metrics")
        print(
            "  plugins   \(engine.configuration.pluginFolder ?? "none"): \(names.isEmpty ? "none yet" : names.joined(separator: ", "))"
        )
        print("  stored in \(engine.configuration.databaseDescription)")
        fflush(nil)
    }

    // MARK: - Configuration

    /// A flag, else the environment's value, else nothing.
    private func setting(_ flag: String?, _ name: String) -> String? {
        flag ?? ProcessInfo.processInfo.environment["NIGHTJAR_\(name)"]
    }

    private func serverConfiguration() throws -> ServerConfiguration {
        var engine = EngineConfiguration(cores: ProcessInfo.processInfo.activeProcessorCount)
        engine.setDatabase(setting(db, "DB") ?? "nightjar.db")
        engine.pluginFolder = setting(plugins, "PLUGINS_DIR") ?? "plugins"
        try setDuration("TRACE_IDLEPERIOD", &engine.trace.idlePeriod)
        try setDuration("TRACE_IDLETIMEOUT", &engine.trace.idleTimeout)
        try setDuration("TRACE_MAXAGE", &engine.trace.maxAge)
        engine.trace.parentWait = engine.trace.maxAge
        try setDuration("EXTRACTION_PARENTWAIT", &engine.trace.parentWait)
        var configuration = ServerConfiguration(engine: engine)
        configuration.isInsecureAllowed = insecure
        if let listen = setting(listen, "LISTEN") {
            guard let colon = listen.lastIndex(of: ":"),
                let port = UInt16(listen[listen.index(after: colon)...])
            else {
                complain("--listen \(listen): write HOST:PORT, such as 127.0.0.1:4318")
                throw Outcome.usage
            }
            let host = String(listen[..<colon])
            configuration.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
            configuration.port = Int(port)
        }
        return configuration
    }

    private func setDuration(_ name: String, _ duration: inout Duration) throws {
        guard let text = setting(nil, name) else { return }
        guard let value = Duration(written: text) else {
            complain("NIGHTJAR_\(name)=\(text): write a duration such as 250ms, 10s, 5m, 1h or 10d")
            throw Outcome.usage
        }
        duration = value
    }

    private func level() throws -> Logger.Level {
        let name = setting(logLevel, "LOGLEVEL") ?? "info"
        guard let level = Logger.Level(rawValue: name == "warn" ? "warning" : name) else {
            complain("--log-level \(name): use debug, info, warning or error")
            throw Outcome.usage
        }
        return level
    }
}
