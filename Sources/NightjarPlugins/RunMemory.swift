package import NightjarSignals
import Synchronization

/// What became of the last calls of rules, for whoever asks why a rule did what it did. Safe to use from any thread.
package final class RunMemory: Sendable {
    /// How a call ended.
    package enum Outcome: String, Sendable {
        /// It ran to its end.
        case ran
        /// It failed; what it had emitted was dropped.
        case failed
        /// It was left out: its circuit is open.
        case circuitOpen = "circuit_open"
    }

    /// What one rule did for one trace.
    package struct Run: Sendable {
        /// The plugin.
        package let plugin: String
        /// Which of the plugin's loads it was.
        package let generation: Int
        /// The rule's place among those of its plugin.
        package let rule: Int
        /// What told it from the other rules of that load.
        package let label: String
        /// How the last call ended.
        package fileprivate(set) var outcome: Outcome
        /// How many calls there were.
        package fileprivate(set) var calls = 0
        /// How many of them failed.
        package fileprivate(set) var errors = 0
        /// What they emitted.
        package fileprivate(set) var emitted = 0
        /// The time of those that were timed, in nanoseconds, and how many those were.
        package fileprivate(set) var timed = (nanoseconds: 0, calls: 0)
    }

    /// So many traces are remembered, the oldest forgotten first.
    static let traceLimit = 10_000

    fileprivate struct Entry {
        let trace: TraceID
        var runs: [Run] = []
    }

    fileprivate struct State {
        var places: [TraceID: Int] = [:]
        var entries: [Entry] = []
        /// The entry that is overwritten next.
        var next = 0
        /// The entry of the last call: most calls are for the trace of the one before.
        var last = -1
    }

    private let state = Mutex(State())

    /// Nothing remembered.
    package init() {}

    func note(
        _ slot: RuleSlot,
        _ trace: TraceID,
        _ outcome: Outcome,
        _ emitted: Int,
        _ nanoseconds: Int?
    ) {
        state.withLock { state in
            let place = state.place(of: trace)
            let index = state.entries[place].index(of: slot)
            state.entries[place].runs[index].add(outcome, emitted, nanoseconds)
        }
    }

    /// What rules did for a trace; empty where nothing is remembered.
    package func runs(of trace: TraceID) -> [Run] {
        state.withLock { state in state.places[trace].map { state.entries[$0].runs } ?? [] }
    }
}

extension RunMemory.Run {
    fileprivate mutating func add(_ outcome: RunMemory.Outcome, _ emitted: Int, _ nanoseconds: Int?) {
        self.outcome = outcome
        if outcome != .circuitOpen { calls += 1 }
        if outcome == .failed { errors += 1 }
        if outcome == .ran { self.emitted += emitted }
        if let nanoseconds { timed = (timed.nanoseconds + nanoseconds, timed.calls + 1) }
    }
}

extension RunMemory.Entry {
    /// The place of a rule's runs, made where there are none.
    fileprivate mutating func index(of slot: RuleSlot) -> Int {
        let plugin = slot.member.plugin
        for index in runs.indices
        where runs[index].rule == slot.index && runs[index].generation == plugin.generation
            && runs[index].plugin == plugin.name
        {
            return index
        }
        runs.append(
            RunMemory.Run(
                plugin: plugin.name,
                generation: plugin.generation,
                rule: slot.index,
                label: slot.record.label,
                outcome: .ran
            )
        )
        return runs.count - 1
    }
}

extension RunMemory.State {
    /// The entry of a trace, made where there is none.
    fileprivate mutating func place(of trace: TraceID) -> Int {
        if last >= 0, entries[last].trace == trace { return last }
        if let place = places[trace] {
            last = place
            return place
        }
        if entries.count < RunMemory.traceLimit {
            entries.append(RunMemory.Entry(trace: trace))
            last = entries.count - 1
        } else {
            places[entries[next].trace] = nil
            entries[next] = RunMemory.Entry(trace: trace)
            last = next
            next = (next + 1) % RunMemory.traceLimit
        }
        places[trace] = last
        return last
    }
}
