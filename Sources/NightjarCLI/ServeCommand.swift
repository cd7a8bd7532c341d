import ArgumentParser
import Foundation
import Logging
import Nightjar
import NightjarBus
import NightjarPlugins
import NightjarServer
import NightjarSignals
import Synchronization

/// `nightjar serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the server.",
        discussion: """
            Takes OTLP/HTTP at /v1/traces, runs the built-in metrics and the plugins on it, stores everything, and answers \
            /metrics and the API.

            Options come before environment variables, those before the configuration file, that before the defaults; \
            --print-config shows what holds, and where it comes from. A key of the file is the variable's name in its own \
            words: NIGHTJAR_TRACE_IDLEPERIOD is trace.idlePeriod. Durations are written 250ms, 10s, 5m, 1h, 10d; sizes 64MiB; \
            lists in variables with commas, sections as YAML in braces.

            VARIABLES:
            \(ConfigurationManual.variables)
            """
    )

    @Option(help: "The configuration file, YAML. (default: nightjar.yaml, if it is there)")
    var config: String?

    @Flag(help: "Print the configuration and where each value comes from, and serve nothing.")
    var printConfig = false

    @Option(help: "Where to listen; port 0 takes any that is free. (default: 127.0.0.1:4318)")
    var listen: String?

    @Option(help: "The database file, made if missing; none stores nothing. (default: nightjar.db)")
    var db: String?

    @Option(help: "The folder of plugins. (default: plugins)")
    var plugins: String?

    @Option(
        help: """
            The least level of log lines taken in, and of the server's own: debug, info, warn, error, fatal. (default: all are \
            taken in, its own from info on)
            """
    )
    var logLevel: String?

    @Flag(help: "Let a new version of a plugin go live only when its own tests pass.")
    var testOnReload = false

    @Flag(help: "Allow listening beyond this machine without keys.")
    var insecure = false

    func run() async throws {
        let (flags, config) = (flags, config)
        var configuration = try Self.resolved(config, flags)
        if printConfig { return print(configuration.yaml, terminator: "") }
        configuration.server.isInsecureAllowed = insecure
        if let fault = configuration.server.fault {
            complain(fault)
            throw Outcome.usage
        }
        var logger = Logger(label: "nightjar", factory: StreamLogHandler.standardError(label:))
        logger.logLevel = Logger.Level(configuration.server.logLevel ?? .info)
        let settings = try Self.stated { () throws(ConfigurationFaults) in
            try configuration.engineConfiguration()
        }
        // A file that grows beyond what the process may write is then an error like a full disk, and not the end.
        signal(SIGXFSZ, SIG_IGN)
        do {
            let engine = try Engine(settings, logger: logger)
            let server = HTTPInterface(configuration.server, engine: engine, logger: logger) { address in
                announce(address, engine)
            }
            let current = Mutex(configuration)
            let hangups = Hangups { [logger] in
                current.withLock { Self.reload(&$0, config, flags, engine, logger) }
            }
            try await server.runUntilToldToStop()
            withExtendedLifetime(hangups) {}
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

    private var flags: [String: String] {
        let flags = [
            "listen": listen, "db": db, "plugins.dir": plugins, "logLevel": logLevel,
            "plugins.testOnReload": testOnReload ? "true" : nil,
        ]
        return flags.compactMapValues(\.self)
    }

    /// Reads the configuration again; what can change while the server runs is taken over, the rest is told.
    private static func reload(
        _ configuration: inout ResolvedConfiguration,
        _ config: String?,
        _ flags: [String: String],
        _ engine: Engine,
        _ logger: Logger
    ) {
        guard let newer = try? resolved(config, flags) else {
            // Each fault has been told.
            return logger.error("the configuration is as it was: the new one is not valid")
        }
        let changes = configuration.changes(to: newer)
        newer.apply(to: engine)
        for change in changes {
            if change.isLive {
                logger.notice("\(change.path) was read again and holds from now on")
            } else {
                logger.warning("\(change.path) was changed; that takes a new start")
            }
        }
        if changes.isEmpty { logger.notice("the configuration was read again; nothing is otherwise") }
        // What takes a new start is told again until there was one.
        if !changes.contains(where: { !$0.isLive }) { configuration = newer }
    }

    private static func resolved(
        _ config: String?,
        _ flags: [String: String]
    ) throws -> ResolvedConfiguration {
        var sources = ConfigurationSources()
        sources.file = try file(config)
        sources.environment = ProcessInfo.processInfo.environment
        sources.flags = flags
        let engine = EngineConfiguration(cores: ProcessInfo.processInfo.activeProcessorCount)
        return try stated { () throws(ConfigurationFaults) in
            try ResolvedConfiguration(sources, engine: engine)
        }
    }

    /// The configuration file that was named, else the usual one if it is there.
    private static func file(_ config: String?) throws -> (name: String, text: String)? {
        let name = config ?? "nightjar.yaml"
        guard let data = FileManager.default.contents(atPath: name) else {
            if config == nil, !FileManager.default.fileExists(atPath: name) { return nil }
            complain("\(name) cannot be read; is it there?")
            throw Outcome.environment
        }
        guard let text = String(data: data, encoding: .utf8) else {
            complain("\(name) is not UTF-8 text")
            throw Outcome.usage
        }
        return (name, text)
    }

    /// What `body` gives; every fault of the configuration is told, a line each.
    private static func stated<Answer>(_ body: () throws(ConfigurationFaults) -> Answer) throws -> Answer {
        do throws(ConfigurationFaults) {
            return try body()
        } catch {
            for fault in error.faults { complain("\(fault)") }
            throw Outcome.usage
        }
    }
}

extension Logger.Level {
    fileprivate init(_ level: LogLevel) {
        switch level {
        case .debug: self = .debug
        case .info: self = .info
        case .warn: self = .warning
        case .error: self = .error
        case .fatal: self = .critical
        }
    }
}
