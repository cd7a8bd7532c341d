import NightjarBus
import NightjarSignals

/// Whether traces are stored and exported: asked at a trace's first event, and remembered, so that a trace is whole whatever
/// a sampler of the program's own would say the second time. Safe to use from any thread.
final class TraceSampler: Sendable {
    /// So many answers of samplers of the program's own are remembered, oldest forgotten first; the store knows older ones.
    private static let remembered = 100_000

    private struct Memory: Sendable {
        var answers: [TraceID: Bool] = [:]
        var order: [TraceID] = []
        var start = 0
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
            memory.answers[trace] = isKept
            memory.order.append(trace)
            if memory.order.count - memory.start > Self.remembered {
                memory.answers[memory.order[memory.start]] = nil
                memory.start += 1
                if memory.start > Self.remembered {
                    memory.order.removeFirst(memory.start)
                    memory.start = 0
                }
            }
            return isKept
        }
    }

    /// What is known of a trace without asking; nil where only its first event tells.
    func knownAnswer(_ trace: TraceID) -> Bool? {
        if keepsEverything { return true }
        if isByID { return answer(SamplingContext(traceID: trace, name: "", type: .generic)) }
        return memory.update { $0.answers[trace] }
    }

    private func answer(_ context: SamplingContext) -> Bool { samplings.contains { $0.isKept(context) } }
}
