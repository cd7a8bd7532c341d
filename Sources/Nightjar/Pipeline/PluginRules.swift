import Logging
import NightjarBus
import NightjarPlugins
import NightjarSignals

/// The rules of plugins, for one worker.
final class PluginRules: RuleRunner {
    private let session: PluginSession

    init(_ session: PluginSession) {
        self.session = session
    }

    var wantsSpans: Bool { session.wantsSpans }
    var wantsTraces: Bool { session.wantsTraces }

    func refresh() { session.adopt() }

    func spanEnded(
        _ span: SpanReference,
        in trace: TraceState,
        now: Timestamp,
        into receiver: any EmissionReceiver
    ) {
        session.spanEnded(span, trace: { trace.view() }, now: now, into: receiver)
    }

    func traceEnded(_ trace: TraceView, now: Timestamp, into receiver: any EmissionReceiver) {
        session.traceEnded(trace, now: now, into: receiver)
    }
}

extension PluginHost {
    /// The host of an engine's folder, nil where it has none; its lines go to the engine's log.
    static func make(
        _ configuration: EngineConfiguration,
        registry: MetricRegistry,
        clock: any PipelineClock,
        logger: Logger
    ) -> PluginHost? {
        guard let folder = configuration.pluginFolder else { return nil }
        return PluginHost(
            PluginConfiguration(folder: folder),
            registry: registry,
            workers: configuration.workers,
            now: { clock.now() },
            log: { line in
                logger.log(
                    level: Logger.Level(line.level),
                    "\(line.message)",
                    metadata: line.plugin.map { ["plugin": "\($0)"] }
                )
            }
        )
    }
}

extension Logger.Level {
    /// The level of swift-log that fits one of ours.
    init(_ level: LogLevel) {
        switch level {
        case .debug: self = .debug
        case .info: self = .info
        case .warn: self = .warning
        case .error: self = .error
        case .fatal: self = .critical
        }
    }
}
