import CNightjarLua
import CNightjarSignals
import Glibc
package import NightjarBus
package import NightjarSignals
import Synchronization

/// The plugins of one worker: its states, its rules, and the calls into them. Not Sendable: a worker makes it and keeps it, on a
/// thread with a stack of 8 MiB or more.
package final class PluginSession {
    private let source: PluginSetSource
    let worker: Int
    let scope: SpanScope
    let limits: PluginLimits
    /// What rules did, for whoever asks why; nil where nobody can.
    let memory: RunMemory?
    /// Whether scorers alone are called, each for every trace: whoever scores what is stored waits for slow and failing ones.
    let onlyScorers: Bool
    private var revision = 0
    private var sharesStates = false
    var members: [PluginMember] = []
    private var spanRules: [RuleList] = SpanMoment.allCases.map { _ in RuleList() }
    /// What is read of `spanRules` for each span, by moment.
    private let spanTables: UnsafeMutablePointer<RuleList.Table>
    private var traceRules: [RuleSlot] = []
    private var recordRules: [RuleEvent: [RuleSlot]] = [:]
    var processors: [RuleEvent: [RuleSlot]] = [:]
    var samplers: [RuleSlot] = []
    var timers: [RuleSlot] = []
    /// What is read and counted for every event. Plain memory, as ``PluginMember/Counts``.
    let counts: UnsafeMutablePointer<Counts>
    /// Whoever took the last emissions. Held, so that no other can be taken for it.
    private var receiver: (any EmissionReceiver)?
    // Fields are unchecked as in TraceState: one thread at a time, and no access lasts over a call that comes back to it.
    /// What the rules want to be told of.
    @exclusivity(unchecked) package private(set) var wants: RuleWants = []

    struct Counts {
        /// Counts everything that rules are called for, and of it what came from outside.
        var eventNumber = 0
        var incomingNumber = 0
        var hasExhausted = false
        /// Whoever took the last emissions, and how many others had before.
        var receiver: ObjectIdentifier?
        var receiverNumber = 0
        /// The session's memory.
        let memory: Unmanaged<RunMemory>?
    }

    /// A session of one worker, numbered from 0; it has no rules before it adopts a set. `onlyScorers`: of the rules only
    /// scorers are called, and none is ever left out.
    package init(
        _ source: PluginSetSource,
        worker: Int,
        reader: any SpanReader,
        traces: (any PluginTraces)? = nil,
        memory: RunMemory? = nil,
        onlyScorers: Bool = false
    ) {
        self.onlyScorers = onlyScorers
        self.source = source
        self.worker = worker
        self.memory = memory
        limits = source.limits
        scope = SpanScope(reader: reader, traces: traces)
        counts = .allocate(capacity: 1)
        counts.initialize(to: Counts(memory: memory.map(Unmanaged.passUnretained)))
        spanTables = .allocate(capacity: spanRules.count)
        for (moment, list) in spanRules.enumerated() {
            (spanTables + moment).initialize(to: list.table)
        }
    }

    deinit {
        counts.deallocate()
        spanTables.deallocate()
    }

    /// The lines that ran, by the names of sources, of plugins that were loaded to be watched.
    package var coveredLines: [String: Set<Int>] {
        var lines: [String: Set<Int>] = [:]
        for member in members {
            let own =
                member.instance?.state?.coveredLines ?? member.shared?.enter { $0.state?.coveredLines } ?? [:]
            lines.merge(own) { $0.union($1) }
        }
        return lines
    }

    // MARK: Versions

    /// Switches to the newest set; call between batches. True where the set changed.
    @discardableResult
    package func adopt() -> Bool {
        guard source.currentRevision != revision else { return false }
        let set = source.current
        revision = set.revision
        var next: [PluginMember] = []
        for plugin in set.plugins {
            if let member = members.first(where: { $0.plugin === plugin }) {
                next.append(member)
            } else if let member = takeUp(plugin) {
                next.append(member)
            }
        }
        for member in members where !next.contains(where: { $0 === member }) { unload(member) }
        members = next
        sharesStates = next.contains { $0.shared != nil }
        rebuildRules()
        return true
    }

    /// Switches at the border of an event already where states are shared: what one worker still gave to the old version
    /// would be missing in the state that another has handed over to the new one.
    private func adoptShared() {
        if sharesStates, source.currentRevision != revision { adopt() }
    }

    private func takeUp(_ plugin: LoadedPlugin) -> PluginMember? {
        if let shared = plugin.shared {
            guard shared.takeUp({ bringToLife($0, of: plugin) }) else { return nil }
            plugin.join()
            return PluginMember(plugin, nil)
        }
        guard let instance = plugin.take(worker: worker), bringToLife(instance, of: plugin) else {
            return nil
        }
        return PluginMember(plugin, instance)
    }

    private func bringToLife(_ instance: PluginInstance, of plugin: LoadedPlugin) -> Bool {
        do throws(MetricError) {
            try instance.goLive()
            instance.scope = scope
            if let state = instance.state { plugin.inherit(into: state) }
            plugin.note(memoryBytes: instance.state?.memoryBytes ?? 0, worker: worker)
            return true
        } catch {
            plugin.log.write(.error, plugin.name, "not started: \(error)")
            return false
        }
    }

    private func unload(_ member: PluginMember) {
        member.counts.pointee.own = nil
        guard let shared = member.shared else {
            if let instance = member.instance { sayGoodbye(instance, of: member.plugin) }
            return
        }
        guard member.plugin.leave() else { return }
        let packed = member.plugin.packedState()
        member.plugin.lastState.withLock { $0 = $0 ?? packed }
        shared.enter { sayGoodbye($0, of: member.plugin) }
    }

    private func sayGoodbye(_ instance: PluginInstance, of plugin: LoadedPlugin) {
        guard let state = instance.state else { return }
        instance.scope = scope
        for function in instance.declarations.unload {
            state.calls.begin()
            guard state.calls.call(function) != .ok else { continue }
            plugin.log.write(.warn, plugin.name, "on_unload failed: \(state.failure.message)")
        }
        instance.retire()
        plugin.note(memoryBytes: 0, worker: worker)
    }

    func rebuildRules() {
        // A rule that is left out stays so when another plugin is loaded: its slot goes on.
        let present =
            spanRules.flatMap(\.slots) + traceRules + recordRules.values.flatMap(\.self)
            + processors.values.flatMap(\.self) + samplers + timers
        var spans = SpanMoment.allCases.map { _ in [RuleSlot]() }
        var traces: [RuleSlot] = []
        (recordRules, processors, samplers, timers) = ([:], [:], [], [])
        for member in members where !member.isExhausted {
            for (index, rule) in member.plugin.declared.enumerated()
            where !onlyScorers || rule.scorer != nil {
                let slot =
                    present.first { $0.member === member && $0.index == index }
                    ?? RuleSlot(member, rule, index, member.plugin.rules[index])
                switch rule.role {
                case .process: processors[rule.event, default: []].append(slot)
                case .sampler: samplers.append(slot)
                case .every: if worker == 0 { timers.append(slot) }
                case .rule, .scorer:
                    if rule.event.isOfSpan {
                        spans[SpanMoment(rule).rawValue].append(slot)
                    } else if rule.event == .traceEnded {
                        traces.append(slot)
                    } else {
                        recordRules[rule.event, default: []].append(slot)
                    }
                }
            }
        }
        spanRules = spans.map(RuleList.init)
        for (moment, list) in spanRules.enumerated() { spanTables[moment] = list.table }
        traceRules = traces
        wants = currentWants
    }

    private var currentWants: RuleWants {
        var wants: RuleWants = []
        if !rules(at: .started).isEmpty { wants.insert(.started) }
        if !rules(at: .ended).isEmpty { wants.insert(.ended) }
        for moment in [SpanMoment.startArrived, .updateArrived, .endArrived] where !rules(at: moment).isEmpty
        {
            wants.insert(.arrivals)
        }
        if !traceRules.isEmpty { wants.insert(.traces) }
        let bits: [(RuleEvent, RuleWants)] = [
            (.log, .logs), (.metric, .metrics), (.score, .scores), (.feedback, .feedback), (.drop, .drops),
        ]
        for (event, bit) in bits where recordRules[event] != nil { wants.insert(bit) }
        if processors[.spanEnded] != nil { wants.insert(.processSpans) }
        if processors[.log] != nil || processors[.metric] != nil { wants.insert(.processSignals) }
        if !samplers.isEmpty { wants.insert(.sampling) }
        if !timers.isEmpty { wants.insert(.timers) }
        return wants
    }

    private func rules(at moment: SpanMoment) -> RuleList { spanRules[moment.rawValue] }

    // MARK: Events

    /// Calls the rules for a span, where there are such. `trace` shows what is known of its trace; it is asked at most once, when a rule needs it.
    package func span(
        _ moment: SpanMoment,
        _ span: SpanReference,
        trace: (any TraceViewSource)?,
        now: Timestamp,
        into receiver: any EmissionReceiver
    ) {
        adoptShared()
        guard wants.contains(moment.want) else { return }
        var candidates = RuleList.Candidates(spanTables[moment.rawValue], of: scope.look(at: span))
        // Most spans match no rule, and then nothing else is done for them.
        guard let first = candidates.next() else { return }
        scope.turnToSpanLookedAt(span, trace: trace, now: now)
        beginIncoming()
        call(first, into: receiver)
        while let match = candidates.next() { call(match, into: receiver) }
        finish()
    }

    /// Calls a rule with the span at hand, if its condition holds and it takes the trace.
    private func call(_ match: RuleList.Match, into receiver: any EmissionReceiver) {
        let rule = match.rule
        if match.isOpen || !rule.pointee.samplesAll || rule.pointee.isScorer {
            let slot = rule.pointee.slot.takeUnretainedValue()
            guard !match.isOpen || slot.rule.match.span?.holds(scope.ref, in: scope) != false,
                slot.isSampled(scope.ref.span.pointee.traceID)
            else { return }
            guard rule.pointee.isScorer else { return callPlainly(rule, into: receiver) }
            call(rule, into: receiver) { invokeSpan(slot.rule, $0) }
        } else {
            callPlainly(rule, into: receiver)
        }
    }

    private func callPlainly(
        _ rule: UnsafeMutablePointer<RuleSlot.Counts>,
        into receiver: any EmissionReceiver
    ) {
        let (function, ref) = (rule.pointee.function, scope.ref)
        call(rule, into: receiver) { $0.call(function, span: ref, withTrace: false, scorer: nil) }
    }

    /// Calls the rules for a span that ended and whose facts are settled.
    package func spanEnded(
        _ span: SpanReference,
        trace: (any TraceViewSource)?,
        now: Timestamp,
        into receiver: any EmissionReceiver
    ) {
        self.span(.ended, span, trace: trace, now: now, into: receiver)
    }

    /// Calls the rules for an end of a trace; the view's revision says which.
    package func traceEnded(_ trace: TraceView, now: Timestamp, into receiver: any EmissionReceiver) {
        adoptShared()
        guard !traceRules.isEmpty, !trace.spans.isEmpty else { return }
        scope.turn(to: trace, now: now)
        beginIncoming()
        for slot in traceRules {
            let rule = slot.rule
            guard trace.revision <= 1 || rule.again, slot.isSampled(trace.id) else { continue }
            guard rule.match.traces.isEmpty || rule.match.traces.contains(where: { $0.holds(in: scope) })
            else { continue }
            guard let raw = scope.rawTrace else { continue }
            call(slot.counts, into: receiver) { invokeTrace(rule, $0, raw) }
        }
        finish()
    }

    /// Calls the rules for an event that is neither a span nor a trace. `origin` says which plugins' emissions led to it: it
    /// does not reach them, and what comes of it is of the same incoming event.
    package func signal(
        _ event: SignalEvent,
        origin: EmissionOrigin?,
        now: Timestamp,
        into receiver: any EmissionReceiver
    ) {
        adoptShared()
        guard let kind = RuleEvent(rawValue: event.name), let slots = recordRules[kind] else { return }
        let handle = scope.turn(to: event, now: now)
        if origin == nil { beginIncoming() } else { counts.pointee.eventNumber += 1 }
        for slot in slots {
            guard origin?.reaches(slot.member.plugin.name) != false,
                slot.rule.match.record?.holds(for: event) != false
            else { continue }
            call(slot.counts, origin: origin, into: receiver) {
                $0.call(slot.rule.function, record: handle, of: kind.object)
            }
        }
        finish()
    }

    /// What comes now, came from outside.
    func beginIncoming() {
        counts.pointee.eventNumber += 1
        counts.pointee.incomingNumber += 1
    }

    /// Which receiver that is, among those that the session has had.
    func number(of receiver: any EmissionReceiver) -> Int {
        if counts.pointee.receiver != ObjectIdentifier(receiver) {
            self.receiver = receiver
            counts.pointee.receiver = ObjectIdentifier(receiver)
            counts.pointee.receiverNumber += 1
        }
        return counts.pointee.receiverNumber
    }

    /// Lets go of the event; states that ran out of memory for good give it back.
    func finish() {
        scope.rest()
        guard counts.pointee.hasExhausted else { return }
        counts.pointee.hasExhausted = false
        for member in members where member.isExhausted { member.retire() }
        rebuildRules()
    }
}

/// Nanoseconds of a clock that does not go back.
func monotonicNow() -> Int64 { nanoseconds(of: CLOCK_MONOTONIC) }

/// Nanoseconds that this thread has run.
func threadNow() -> Int64 { nanoseconds(of: CLOCK_THREAD_CPUTIME_ID) }

private func nanoseconds(of clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
