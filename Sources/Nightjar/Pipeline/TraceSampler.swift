import NightjarBus
import NightjarSignals

/// Whether traces are stored and exported: asked at a trace's first event, and remembered, so that a trace is whole whatever
/// a sampler of the program's own would say the second time. Safe to use from any thread.
final class TraceSampler: Sendable {
    /// So many answers of samplers of the program's own are remembered, oldest forgotten first; the store knows older ones.
    fileprivate static let remembered = 100_000

    private struct Memory: Sendable {
        var answers: [TraceID: Bool] = [:]
        var order: [TraceID] = []
        var start = 0

        mutating func remember(_ trace: TraceID, _ isKept: Bool) {
            guard answers.updateValue(isKept, forKey: trace) == nil else { return }
            order.append(trace)
            guard order.count - start > TraceSampler.remembered else { return }
            answers[order[start]] = nil
            start += 1
            guard start > TraceSampler.remembered else { return }
            order.removeFirst(start)
            start = 0
        }
    }

    private let samplings: [Sampling]
    /// Whether the answer depends on nothing but the trace's id.
    private let isByID: Bool
    private let memory = LockedValue(Memory())

    /// A sampler of several; none keeps everything. A trace is kept if any of them keeps it.
    init(_ samplings: [Sampling]) {
        self.samplings = samplings
        isByID = samplings.allSatisfy { if case .custom = $0 { false } else { true } }
    }

    /// Whether there are no samplers.
    var isEmpty: Bool { samplings.isEmpty }

    /// Whether every trace is kept.
    var keepsEverything: Bool {
        samplings.isEmpty || samplings.contains { if case .always = $0 { true } else { false } }
    }

    /// Whether a trace is kept.
    func isKept(_ trace: TraceID, _ context: () -> SamplingContext) -> Bool {
        if keepsEverything { return true }
        if isByID { return answer(SamplingContext(traceID: trace, name: "", type: .generic)) }
        if let known = memory.update({ $0.answers[trace] }) { return known }
        let isKept = answer(context())
        return memory.update { memory in
            if let known = memory.answers[trace] { return known }
            memory.remember(trace, isKept)
            return isKept
        }
    }

    /// Notes what was decided of a trace with the help of plugins' samplers; it holds whatever the others say.
    func remember(_ trace: TraceID, isKept: Bool) { memory.update { $0.remember(trace, isKept) } }

    /// What is remembered of a trace; nil where nothing is: it was never asked about, long ago, or its id alone tells.
    func remembered(_ trace: TraceID) -> Bool? { memory.update { $0.answers[trace] } }

    /// What is known of a trace without asking; nil where only its first event tells.
    func knownAnswer(_ trace: TraceID) -> Bool? {
        if keepsEverything { return true }
        if isByID { return answer(SamplingContext(traceID: trace, name: "", type: .generic)) }
        return memory.update { $0.answers[trace] }
    }

    private func answer(_ context: SamplingContext) -> Bool { samplings.contains { $0.isKept(context) } }
}
