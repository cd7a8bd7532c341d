import CNightjarSignals
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Synchronization

/// A moment that tests are at.
let moment = Timestamp(unixNano: 1_700_000_000_500_000_000)

/// Plugins given as text, loaded for one worker, and what they emit.
final class Fixture {
    let registry = MetricRegistry()
    let receiver: RecordingReceiver
    let session: PluginSession
    let lines = LineRecorder()
    var builder = SpanBuilder(service: "shop", environment: "prod", resource: [("host.name", .text("a1"))])
    private let sets: PluginSetSource

    init(
        _ plugins: [String: String],
        limits: PluginLimits = PluginLimits(),
        settings: [String: Value.Object] = [:],
        reader: SpanContentReader = SpanContentReader(),
        traces: (any PluginTraces)? = nil
    ) throws {
        receiver = RecordingReceiver(registry)
        let lines = lines
        sets = try PluginHost.load(
            files: plugins.sorted { $0.key < $1.key }.map {
                PluginSource(name: $0.key, file: $0.key + ".lua", text: Array($0.value.utf8))
            },
            limits: limits,
            settings: settings,
            registry: registry,
            now: { moment },
            log: { lines.add($0) }
        )
        session = PluginSession(sets, worker: 0, reader: reader, traces: traces)
        session.adopt()
    }

    /// One plugin called `rule`.
    convenience init(
        _ script: String,
        limits: PluginLimits = PluginLimits(),
        reader: SpanContentReader = SpanContentReader(),
        traces: (any PluginTraces)? = nil
    ) throws {
        try self.init(["rule": script], limits: limits, reader: reader, traces: traces)
    }

    func end(_ span: SpanReference, in trace: TraceView? = nil) {
        session.spanEnded(span, trace: trace, now: moment, into: receiver)
    }

    func end(_ trace: TraceView) { session.traceEnded(trace, now: moment, into: receiver) }

    /// How many calls the plugins' rules had.
    func calls() throws -> Int { sets.current.ruleStatus.reduce(0) { $0 + $1.calls } }

    /// The log line that a failing call left, if any.
    var fault: String? { lines.all.last { $0.level == .error }?.message }
}

/// Keeps log lines; safe to use from any thread.
final class LineRecorder: Sendable {
    private let lines = Mutex<[PluginLogLine]>([])

    func add(_ line: PluginLogLine) { lines.withLock { $0.append(line) } }

    var all: [PluginLogLine] { lines.withLock { $0 } }
}

/// The fault that loading a script ends with, nil where it loads.
func loadFault(_ script: [UInt8], name: String = "rule", limits: PluginLimits = PluginLimits()) -> String? {
    do throws(PluginFaults) {
        _ = try PluginHost.load(
            files: [PluginSource(name: name, file: name + ".lua", text: script)],
            limits: limits,
            registry: MetricRegistry(),
            now: { moment }
        )
        return nil
    } catch {
        return error.faults.first?.detail
    }
}

func loadFault(_ script: String) -> String? { loadFault(Array(script.utf8)) }
