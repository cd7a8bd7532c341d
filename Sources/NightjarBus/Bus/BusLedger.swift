import NightjarSignals
import Synchronization

/// Counts what became of events, and gathers losses to be told as ``Drop``s: one per exporter, signal and reason at a time.
final class BusLedger: Sendable {
    /// The most names that are counted apart; subscribers choose theirs freely, and a count may be a metric's label.
    private static let names = 1000

    /// Losses of one kind to be told to everyone but the pipe that had them.
    struct Loss {
        let pipe: Int
        var drop: Drop
    }

    private struct Key: Hashable {
        let pipe: String
        let signal: Signal
        let reason: String
    }

    private struct LossKey: Hashable {
        let pipe: Int
        let signal: Signal
        let reason: String
    }

    private struct State {
        var names: Set<String> = []
        var counts: [Key: Int] = [:]
        var losses: [LossKey: Loss] = [:]
        var lossNumber = 0
        var isTelling = false
    }

    private let state = Mutex(State())

    /// Counts events by what became of them.
    func count(_ count: Int, _ signal: Signal, _ reason: String, pipe: String) {
        guard count > 0 else { return }
        state.withLock { Self.add(count, signal, reason, pipe, to: &$0) }
    }

    /// Counts events as lost. Returns whether someone must begin to tell losses: nobody does yet.
    func lose(_ loss: Drop, pipe: Int) -> Bool {
        guard loss.count > 0 else { return false }
        return state.withLock { state in
            Self.add(loss.count, loss.signal, loss.reason, loss.exporter ?? BusCount.bus, to: &state)
            // A drop about drops would bring forth the next one.
            guard loss.signal != .drop else { return false }
            state.lossNumber += 1
            let key = LossKey(pipe: pipe, signal: loss.signal, reason: loss.reason)
            var sum = loss
            sum.count += state.losses[key]?.drop.count ?? 0
            state.losses[key] = Loss(pipe: pipe, drop: sum)
            defer { state.isTelling = true }
            return !state.isTelling
        }
    }

    /// What is to be told; where that is nothing, the one that tells losses over time is done.
    func takeLosses(byTeller: Bool) -> [Loss] {
        state.withLock { state in
            if byTeller { state.isTelling = !state.losses.isEmpty }
            defer { state.losses = [:] }
            return Array(state.losses.values)
        }
    }

    /// How many losses there were: another number means that there are new ones.
    var losses: Int { state.withLock { $0.lossNumber } }

    /// All counts, in no order.
    var counts: [BusCount] {
        state.withLock { $0.counts }.map {
            BusCount(exporter: $0.key.pipe, signal: $0.key.signal, reason: $0.key.reason, count: $0.value)
        }
    }

    private static func add(
        _ count: Int,
        _ signal: Signal,
        _ reason: String,
        _ pipe: String,
        to state: inout State
    ) {
        var name = pipe
        if !state.names.contains(name) {
            if state.names.count < names { state.names.insert(name) } else { name = "other" }
        }
        state.counts[Key(pipe: name, signal: signal, reason: reason), default: 0] += count
    }
}
