import CNightjarLua
import NightjarBus
import NightjarSignals
import Synchronization

/// Looks at plugins without running them on anything: `nightjar check`.
package enum PluginCheck {
    /// What is found.
    package struct Findings: Sendable {
        /// Why plugins do not load.
        package var faults: [PluginFault] = []
        /// What is legal and probably not meant.
        package var lints: [PluginLint] = []
    }

    /// Loads plugins as a server would, in the order of their names, and looks at their code.
    package static func check(_ sources: [PluginSource]) -> Findings {
        let outcome = Mutex(Findings())
        runOnLargeStack {
            let found = look(sources)
            outcome.withLock { $0 = found }
        }
        return outcome.withLock { $0 }
    }

    private static func look(_ sources: [PluginSource]) -> Findings {
        var findings = Findings()
        let registry = MetricRegistry()
        let environment = PluginEnvironment(
            registry: registry,
            limits: PluginLimits(),
            settings: [:],
            log: PluginLog { _ in },
            now: { Timestamp(unixNano: 0) }
        )
        var policies: [(plugin: String, metric: String, policy: LabelPolicy)] = []
        var scorers: [String: String] = [:]
        for source in sources.sorted(by: { $0.name < $1.name }) {
            do throws(PluginFault) {
                let plugin = try LoadedPlugin(
                    source,
                    generation: 1,
                    workers: 1,
                    environment: environment,
                    errors: ErrorRecord()
                )
                if let scorer = plugin.scorers.first(where: { scorers[$0] != nil }),
                    let owner = scorers[scorer]
                {
                    throw PluginFault(
                        code: .load,
                        plugin: plugin.name,
                        detail: "the scorer \(scorer) is \(owner)'s already; give it another name"
                    )
                }
                for scorer in plugin.scorers { scorers[scorer] = plugin.name }
                try declare(plugin, registry)
                findings.lints += lints(of: source.text, file: source.file, facts: facts(of: plugin))
                for (metric, policy) in plugin.policies.sorted(by: { $0.key < $1.key }) {
                    policies.append((plugin.name, metric, policy))
                }
            } catch {
                findings.faults.append(error)
            }
        }
        findings.lints += overlaps(policies)
        return findings
    }

    private static func declare(_ plugin: LoadedPlugin, _ registry: MetricRegistry) throws(PluginFault) {
        do throws(MetricError) {
            for metric in plugin.metrics { _ = try registry.instrument(metric, source: plugin.name) }
        } catch {
            throw PluginFault(code: .load, plugin: plugin.name, detail: error.description)
        }
    }

    private static func facts(of plugin: LoadedPlugin) -> LintFacts {
        var metrics: [String: Set<String>?] = [:]
        for metric in plugin.metrics { metrics[metric.name] = .some(plugin.policies[metric.name]?.allow) }
        let rules = plugin.declared.compactMap {
            rule -> (lineDefined: Int, event: String, fields: [String])? in
            if case .every = rule.role { return nil }
            return (rule.line, rule.event.rawValue, ObjectFields.names(of: rule.event.object, methods: true))
        }
        return LintFacts(
            isGlobalScope: plugin.isGlobal,
            rules: rules.filter { $0.lineDefined > 0 },
            metrics: metrics
        )
    }
}
