package import NightjarBus
package import NightjarSignals
import Synchronization

/// A condition over traces as scorers write it, asked outside of any plugin. Belongs to one thread at a time.
package final class TraceFilter {
    private let matches: [TraceMatch]
    private let scope: SpanScope

    /// Reads a condition: JSON, or a table as a script would write it.
    /// - Throws: ``PluginFault`` with what is wrong.
    package init(_ text: String, reader: any SpanReader) throws(PluginFault) {
        // What is no JSON is Lua, or a fault that Lua tells better.
        if let match = try? Value(json: text) {
            matches = try Self.read(match)
        } else {
            matches = try Self.load(text)
        }
        scope = SpanScope(reader: reader)
    }

    /// Whether a trace fulfils it.
    package func holds(for trace: TraceView) -> Bool {
        guard !matches.isEmpty else { return true }
        scope.turn(to: trace, now: Timestamp(unixNano: 0))
        defer { scope.rest() }
        return matches.contains { $0.holds(in: scope) }
    }

    private static func read(_ match: Value) throws(PluginFault) -> [TraceMatch] {
        do throws(DeclarationFault) {
            return try TraceMatch.alternatives(match)
        } catch {
            throw PluginFault(code: .load, plugin: name, detail: error.text)
        }
    }

    private static let name = "match"

    /// The match of a rule that a script declares with it.
    private static func load(_ text: String) throws(PluginFault) -> [TraceMatch] {
        let script = "nightjar.on(\"trace_ended\", \(text)\n, function() end)"
        let source = PluginSource(name: name, file: name, text: Array(script.utf8))
        let outcome = Mutex<Result<[Rule], PluginFault>>(.success([]))
        runOnLargeStack {
            let loaded = Result { () throws(PluginFault) in
                try PluginInstance(
                    source,
                    limits: PluginLimits(),
                    registry: MetricRegistry(),
                    settings: [:],
                    now: Timestamp(unixNano: 0)
                ).declarations.rules
            }
            outcome.withLock { $0 = loaded }
        }
        let rules = try outcome.withLock { $0 }.get()
        guard rules.count == 1, let match = rules.first?.match else {
            throw PluginFault(code: .load, plugin: name, detail: "write one table, as in a scorer's match")
        }
        return match.traces
    }
}
