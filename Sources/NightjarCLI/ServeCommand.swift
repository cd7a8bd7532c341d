import ArgumentParser
import Foundation
import Logging
import Nightjar
import NightjarServer

/// `nightjar serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the server.",
        discussion: """
            Takes OTLP/HTTP at /v1/traces, runs the built-in metrics and the plugins on it, stores everything, and answers \
            /metrics and the API. Each option can also be given in the environment: NIGHTJAR_LISTEN, NIGHTJAR_DB, \
            NIGHTJAR_PLUGINS, NIGHTJAR_LOG_LEVEL.
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
        let engine = configuration.engine
        let server = HTTPInterface(configuration, logger: logger) { address, names in
            announce(address, names, engine)
        }
        do {
            try await server.runUntilToldToStop()
        } catch {
            complain("cannot serve: \(error)")
            throw Outcome.environment
        }
    }

    private func announce(_ address: String, _ names: [String], _ engine: EngineConfiguration) {
        print("nightjar \(NightjarVersion.text) listens on \(address)")
        print("  traces    POST \(address)/v1/traces   (OTEL_EXPORTER_OTLP_ENDPOINT=\(address))")
        print("  metrics   \(address)/metrics")
        print(
            "  plugins   \(engine.pluginFolder ?? "none"): \(names.isEmpty ? "none yet" : names.joined(separator: ", "))"
        )
        print("  stored in \(engine.databaseDescription)")
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
        engine.pluginFolder = setting(plugins, "PLUGINS") ?? "plugins"
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

    private func level() throws -> Logger.Level {
        let name = setting(logLevel, "LOG_LEVEL") ?? "info"
        guard let level = Logger.Level(rawValue: name == "warn" ? "warning" : name) else {
            complain("--log-level \(name): use debug, info, warning or error")
            throw Outcome.usage
        }
        return level
    }
}
