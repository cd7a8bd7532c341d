import NightjarSignals
import Synchronization

/// What is counted and kept of one rule, over all workers. Safe to use from any thread.
final class RuleRecord: Sendable {
    let name: String
    let event: String
    let match: String?
    let place: String
    private let calls = Atomic<Int>(0)
    private let errors = Atomic<Int>(0)
    private let sampledCalls = Atomic<Int>(0)
    private let sampledNanoseconds = Atomic<Int>(0)
    private let isOpen = Atomic<Bool>(false)

    init(_ rule: Rule) {
        name = rule.scorer ?? rule.event.rawValue
        event = rule.event.rawValue
        match = rule.matchText
        place = rule.place
    }

    func countCall() { calls.wrappingAdd(1, ordering: .relaxed) }

    func countError() { errors.wrappingAdd(1, ordering: .relaxed) }

    /// Some calls are timed: reading the clock costs as much as a small rule.
    func sample(nanoseconds: Int) {
        sampledCalls.wrappingAdd(1, ordering: .relaxed)
        sampledNanoseconds.wrappingAdd(nanoseconds, ordering: .relaxed)
    }

    func setOpen(_ open: Bool) { isOpen.store(open, ordering: .relaxed) }

    var status: PluginStatus.Rule {
        let timed = sampledCalls.load(ordering: .relaxed)
        return PluginStatus.Rule(
            name: name,
            event: event,
            match: match,
            place: place,
            calls: calls.load(ordering: .relaxed),
            errors: errors.load(ordering: .relaxed),
            meanMicroseconds: timed == 0
                ? nil : Double(sampledNanoseconds.load(ordering: .relaxed)) / Double(timed) / 1000,
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
