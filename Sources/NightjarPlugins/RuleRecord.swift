import NightjarBus
import NightjarSignals
import Synchronization

/// What is counted and kept of one rule, over all workers. Safe to use from any thread.
final class RuleRecord: Sendable {
    private struct Times {
        var sketch = QuantileSketch()
        /// The time of all calls up to the last timed one: each that was timed stands for those since the one before.
        var nanoseconds = 0
        var timedAtCall = 0
    }

    /// A label has at most so many characters of a scorer's name.
    private static let labelLimit = 200

    let name: String
    let label: String
    let event: String
    let match: String?
    let place: String
    let since = monotonicNow()
    /// Matches that led to no call.
    private let leftOut = Atomic<Int>(0)
    private let calls = Atomic<Int>(0)
    private let errors = Atomic<Int>(0)
    private let times = Mutex(Times())
    private let isOpen = Atomic<Bool>(false)

    init(_ rule: Rule, label: String) {
        name = rule.name
        self.label = label
        event = rule.eventName
        match = rule.match.text
        place = rule.place
    }

    /// Records of the rules of one plugin, each with a label of its own.
    static func records(of rules: [Rule]) -> [RuleRecord] {
        var labels: Set<String> = []
        return rules.map { rule in
            let name = String(rule.name.prefix(labelLimit))
            var label = name
            var number = 1
            while !labels.insert(label).inserted {
                number += 1
                label = "\(name)#\(number)"
            }
            return RuleRecord(rule, label: label)
        }
    }

    /// Counts a match that led to no call.
    func countLeftOut() { leftOut.wrappingAdd(1, ordering: .relaxed) }

    /// Counts a match that led to a call.
    func countCall() { calls.wrappingAdd(1, ordering: .relaxed) }

    func countError() { errors.wrappingAdd(1, ordering: .relaxed) }

    /// Some calls are timed: reading the clock costs as much as a small rule. The call is counted before.
    func sample(nanoseconds: Int) {
        let calls = calls.load(ordering: .relaxed)
        times.withLock { times in
            times.sketch.add(Double(nanoseconds) / 1000)
            times.nanoseconds += nanoseconds * max(calls - times.timedAtCall, 0)
            times.timedAtCall = max(calls, times.timedAtCall)
        }
    }

    func setOpen(_ open: Bool) { isOpen.store(open, ordering: .relaxed) }

    var status: PluginStatus.Rule {
        let times = times.withLock { $0 }
        let calls = calls.load(ordering: .relaxed)
        let mean = times.sketch.count == 0 ? nil : times.sketch.sum / Double(times.sketch.count)
        // What has not been timed since is taken for average; a total that never falls leaves it out.
        let rest = (mean ?? 0) * 1000 * Double(max(calls - times.timedAtCall, 0))
        let nanoseconds = Double(times.nanoseconds) + rest
        let elapsed = Double(max(monotonicNow() - since, 1))
        return PluginStatus.Rule(
            name: name,
            label: label,
            event: event,
            match: match,
            place: place,
            matches: calls + leftOut.load(ordering: .relaxed),
            calls: calls,
            errors: errors.load(ordering: .relaxed),
            meanMicroseconds: mean,
            p99Microseconds: times.sketch.quantile(0.99),
            share: mean.map { _ in nanoseconds / elapsed },
            callSeconds: nanoseconds / 1_000_000_000,
            isCircuitOpen: isOpen.load(ordering: .relaxed)
        )
    }

    /// What it has counted.
    var totals: PluginStatus.Totals {
        var totals = PluginStatus.Totals()
        totals.calls = calls.load(ordering: .relaxed)
        totals.matches = totals.calls + leftOut.load(ordering: .relaxed)
        totals.errors = errors.load(ordering: .relaxed)
        totals.nanoseconds = times.withLock { $0.nanoseconds }
        return totals
    }
}

/// What the rules of one plugin have counted over all its versions: a version goes on counting until the last worker has left
/// it, and what it counted stays when it goes. Safe to use from any thread.
final class PluginTotals: Sendable {
    private struct State {
        var gone: [String: PluginStatus.Totals] = [:]
        var versions: [ObjectIdentifier: [RuleRecord]] = [:]
    }

    private let state = Mutex(State())

    /// A version is there. Rules that no version has any more are forgotten, so that this stays small.
    func enter(_ version: LoadedPlugin) {
        state.withLock { state in
            state.versions[ObjectIdentifier(version)] = version.rules
            let labels = Set(state.versions.values.flatMap { $0.map(\.label) })
            state.gone = state.gone.filter { labels.contains($0.key) }
        }
    }

    /// A version is no more.
    func leave(_ version: LoadedPlugin) {
        state.withLock { state in
            for record in state.versions.removeValue(forKey: ObjectIdentifier(version)) ?? [] {
                state.gone[record.label, default: PluginStatus.Totals()].add(record.totals)
            }
        }
    }

    /// The sums, by the labels of the rules.
    var sums: [String: PluginStatus.Totals] {
        state.withLock { state in
            var sums = state.gone
            for record in state.versions.values.flatMap(\.self) {
                sums[record.label, default: PluginStatus.Totals()].add(record.totals)
            }
            return sums
        }
    }
}

extension PluginStatus.Totals {
    fileprivate mutating func add(_ other: PluginStatus.Totals) {
        matches += other.matches
        calls += other.calls
        errors += other.errors
        nanoseconds += other.nanoseconds
    }
}

/// The last errors of one plugin: equal ones are one entry with a count. Safe to use from any thread.
final class ErrorRecord: Sendable {
    /// So many are kept.
    static let limit = 20

    private let entries = Mutex<[PluginStatus.Failure]>([])

    /// Keeps an error; how often it has been seen now.
    func add(_ failure: LuaState.Failure, rule: String, trace: TraceID?, at time: Timestamp) -> Int {
        entries.withLock { entries in
            if let place = entries.firstIndex(where: { $0.message == failure.message && $0.rule == rule }) {
                entries[place].count += 1
                entries[place].lastSeen = time
                entries[place].traceID = trace ?? entries[place].traceID
                let entry = entries.remove(at: place)
                entries.append(entry)
                return entry.count
            }
            if entries.count == Self.limit { entries.removeFirst() }
            entries.append(
                PluginStatus.Failure(
                    rule: rule,
                    message: failure.message,
                    traceback: failure.traceback,
                    isLimit: failure.outcome.isLimit,
                    traceID: trace,
                    lastSeen: time,
                    count: 1
                )
            )
            return 1
        }
    }

    /// The errors, the oldest first.
    var all: [PluginStatus.Failure] { entries.withLock { $0 } }
}
