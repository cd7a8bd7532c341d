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

    fileprivate struct State {
        var runs: [TraceID: [Run]] = [:]
        var order: [TraceID] = []
        var oldest = 0
    }

    private let state = Mutex(State())

    init() {}

    func note(
        _ slot: RuleSlot,
        _ trace: TraceID?,
        _ outcome: Outcome,
        _ emitted: Int = 0,
        _ nanoseconds: Int? = nil
    ) {
        guard let trace else { return }
        let plugin = slot.member.plugin
        state.withLock { state in
            let place = state.place(of: trace)
            var runs = state.runs[place] ?? []
            let index =
                runs.firstIndex {
                    $0.rule == slot.index && $0.generation == plugin.generation && $0.plugin == plugin.name
                } ?? runs.count
            if index == runs.count {
                runs.append(
                    Run(
                        plugin: plugin.name,
                        generation: plugin.generation,
                        rule: slot.index,
                        outcome: outcome
                    )
                )
            }
            runs[index].outcome = outcome
            if outcome != .circuitOpen { runs[index].calls += 1 }
            if outcome == .failed { runs[index].errors += 1 }
            if outcome == .ran { runs[index].emitted += emitted }
            if let nanoseconds {
                runs[index].timed = (
                    runs[index].timed.nanoseconds + nanoseconds, runs[index].timed.calls + 1
                )
            }
            state.runs[place] = runs
        }
    }

    /// What rules did for a trace; empty where nothing is remembered.
    package func runs(of trace: TraceID) -> [Run] { state.withLock { $0.runs[trace] ?? [] } }
}

extension RunMemory.State {
    /// The trace itself, with a place made for it.
    fileprivate mutating func place(of trace: TraceID) -> TraceID {
        guard runs[trace] == nil else { return trace }
        runs[trace] = []
        order.append(trace)
        if order.count - oldest > RunMemory.traceLimit {
            runs[order[oldest]] = nil
            oldest += 1
            if oldest > RunMemory.traceLimit {
                order.removeFirst(oldest)
                oldest = 0
            }
        }
        return trace
    }
}
