import NightjarBus
import NightjarSignals
import Synchronization

/// What is counted and kept of one rule, over all workers. Safe to use from any thread.
final class RuleRecord: Sendable {
    let name: String
    let event: String
    let match: String?
    let place: String
    let since = monotonicNow()
    private let matches = Atomic<Int>(0)
    private let calls = Atomic<Int>(0)
    private let errors = Atomic<Int>(0)
    private let times = Mutex(QuantileSketch())
    private let isOpen = Atomic<Bool>(false)

    init(_ rule: Rule) {
        name = rule.name
        event = rule.event.rawValue
        match = rule.match.text
        place = rule.place
    }

    func countMatch() { matches.wrappingAdd(1, ordering: .relaxed) }

    func countCall() { calls.wrappingAdd(1, ordering: .relaxed) }

    func countError() { errors.wrappingAdd(1, ordering: .relaxed) }

    /// Some calls are timed: reading the clock costs as much as a small rule.
    func sample(nanoseconds: Int) { times.withLock { $0.add(Double(nanoseconds) / 1000) } }

    func setOpen(_ open: Bool) { isOpen.store(open, ordering: .relaxed) }

    var status: PluginStatus.Rule {
        let times = times.withLock { $0 }
        let calls = calls.load(ordering: .relaxed)
        let mean = times.count == 0 ? nil : times.sum / Double(times.count)
        let elapsed = Double(max(monotonicNow() - since, 1)) / 1000
        return PluginStatus.Rule(
            name: name,
            event: event,
            match: match,
            place: place,
            matches: matches.load(ordering: .relaxed),
            calls: calls,
            errors: errors.load(ordering: .relaxed),
            meanMicroseconds: mean,
            p99Microseconds: times.quantile(0.99),
            share: mean.map { $0 * Double(calls) / elapsed },
            isCircuitOpen: isOpen.load(ordering: .relaxed)
        )
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
