package import Nightjar
import NightjarBus
import NightjarPlugins
import NightjarStore

/// A configuration as all sources together make it: options over the environment over the file over the defaults.
package struct ResolvedConfiguration: Sendable {
    /// How the server is set up.
    package var server: ServerConfiguration
    private let origins: [String: ConfigurationPlace]

    /// Reads the sources, on top of the defaults for an engine.
    /// - Throws: Everything that is wrong, at once.
    package init(
        _ sources: ConfigurationSources,
        engine: EngineConfiguration
    ) throws(ConfigurationFaults) {
        var server = ServerConfiguration(engine: engine)
        server.database = "nightjar.db"
        server.plugins.folder = "plugins"
        server.retention = Retention()
        let reading = sources.read()
        for change in reading.changes { change(&server) }
        (self.server, origins) = (server, reading.origins)
        let faults = reading.faults.isEmpty ? samplingFaults : reading.faults
        guard faults.isEmpty else { throw ConfigurationFaults(faults: faults) }
    }

    /// Where the value of a key was written.
    package func origin(of path: String) -> ConfigurationPlace { origins[path] ?? .standard }

    /// The engine's configuration, with all that is set beside it.
    /// - Throws: ``ConfigurationFaults`` for an exporter that cannot be made.
    package func engineConfiguration() throws(ConfigurationFaults) -> EngineConfiguration {
        var engine = server.engine
        engine.trace.parentWait = server.effectiveParentWait
        engine.bus.queueBytes = engine.queueBytes / 2
        // Stopping takes ten seconds at most.
        engine.exportPatience = .seconds(3)
        engine.sampling = server.sampling.samplers
        engine.pluginTests = server.testsPlugins ? PluginTests.run : nil
        if let level = server.logLevel { engine.bus.logLevel = level }
        if !server.hasBuiltInMetrics { engine.disabledMetrics = Set(EngineConfiguration.builtInMetricNames) }
        engine.exporters = try server.exporters.make(place: origin(of: "exporters"), buckets: engine.buckets)
        return engine
    }

    /// The whole of it as YAML that can be used as a file, with where each value comes from; secrets are hidden.
    package var yaml: String {
        var text = ""
        var open: [Substring] = []
        for key in ConfigurationKey.all {
            let parts = key.path.split(separator: ".")
            let sections = Array(parts.dropLast())
            for (depth, section) in sections.enumerated() where open.count <= depth || open[depth] != section
            {
                open = Array(sections.prefix(depth))
                text += "\(indent(depth))\(section):\n"
                open.append(section)
            }
            open = sections
            let name = parts.last ?? ""
            if let value = key.written(server) {
                text += "\(indent(sections.count))\(name): \(value)  # \(origin(of: key.path))\n"
            } else {
                text += "\(indent(sections.count))# \(name): not set\n"
            }
        }
        return text
    }

    private func indent(_ depth: Int) -> String { String(repeating: "  ", count: depth) }

    private var samplingFaults: [ConfigurationFault] {
        let (type, probability) = (origin(of: "sampling.type"), origin(of: "sampling.probability"))
        if server.sampling.type == .ratio, server.sampling.probability == nil {
            return [
                ConfigurationFault(
                    place: type,
                    key: "sampling.type",
                    message: "ratio needs sampling.probability; write a number from 0 to 1"
                )
            ]
        }
        guard server.sampling.probability != nil, type == .standard else { return [] }
        return [
            ConfigurationFault(
                place: probability,
                key: "sampling.probability",
                message: "it does nothing without sampling.type; write ratio there"
            )
        ]
    }
}
