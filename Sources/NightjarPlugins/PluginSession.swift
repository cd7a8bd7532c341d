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
    private let worker: Int
    private let scope: SpanScope
    private var revision = 0
    private var members: [Member] = []
    private var spanRules = RuleList([])
    private var traceRules = RuleList([])
    private var calls = 0
    private var eventNumber = 0
    private var hasExhausted = false

    /// A plugin of the running set with this worker's state of it.
    private final class Member {
        let plugin: LoadedPlugin
        let instance: PluginInstance
        /// The event that its state was last told of.
        var eventNumber = -1
        /// How many of the event's emissions have been handed on.
        var delivered = 0
        var isExhausted = false

        init(_ plugin: LoadedPlugin, _ instance: PluginInstance) {
            self.plugin = plugin
            self.instance = instance
        }
    }

    /// A rule with everything that a call of it touches.
    private final class RuleSlot {
        let member: Member
        let rule: Rule
        /// The rule's place among those of its plugin.
        let index: Int
        let record: RuleRecord?
        let sampleLimit: UInt64
        let sampleSalt: UInt64
        var circuit = Circuit()

        init(_ member: Member, _ rule: Rule, _ index: Int, _ record: RuleRecord?) {
            self.member = member
            self.rule = rule
            self.index = index
            self.record = record
            sampleLimit = NightjarPlugins.sampleLimit(rule.options.sample)
            sampleSalt = salt(rule.scorer ?? "")
        }

        func isSampled(_ trace: TraceID) -> Bool {
            sampleLimit == .max || TraceID(high: trace.high ^ sampleSalt, low: trace.low).mixed < sampleLimit
        }
    }

    /// What the loop over rules reads of each: plain memory, because most rules do not match most events, and counting
    /// references would cost more than the comparison.
    private struct Filter {
        let nodes: UnsafePointer<nj_match_node>?
        let needsScope: Bool
        let takesDuplicates: Bool
    }

    private final class RuleList {
        let slots: [RuleSlot]
        let filters: UnsafeMutableBufferPointer<Filter>

        init(_ slots: [RuleSlot]) {
            self.slots = slots
            filters = .allocate(capacity: slots.count)
            for (place, slot) in slots.enumerated() {
                let filter = Filter(
                    nodes: slot.rule.spanMatch?.nodes,
                    needsScope: slot.rule.spanMatch?.slow.isEmpty == false,
                    takesDuplicates: slot.rule.takesDuplicates
                )
                filters.initializeElement(at: place, to: filter)
            }
        }

        deinit { filters.deallocate() }

        var isEmpty: Bool { slots.isEmpty }
    }

    /// A session of one worker, numbered from 0; it has no rules before it adopts a set.
    package init(_ source: PluginSetSource, worker: Int, reader: any SpanReader) {
        self.source = source
        self.worker = worker
        scope = SpanScope(reader: reader)
    }

    /// Whether any rule wants spans.
    package var wantsSpans: Bool { !spanRules.isEmpty }

    /// Whether any rule wants whole traces.
    package var wantsTraces: Bool { !traceRules.isEmpty }

    /// Switches to the newest set; call between batches. True where the set changed.
    @discardableResult
    package func adopt() -> Bool {
        guard source.currentRevision != revision else { return false }
        let set = source.current
        revision = set.revision
        var next: [Member] = []
        for plugin in set.plugins {
            if let member = members.first(where: { $0.plugin === plugin }) {
                next.append(member)
            } else if let instance = plugin.take(worker: worker), bringToLife(instance, of: plugin) {
                next.append(Member(plugin, instance))
            }
        }
        for member in members where !next.contains(where: { $0 === member }) { unload(member) }
        members = next
        rebuildRules()
        return true
    }

    private func bringToLife(_ instance: PluginInstance, of plugin: LoadedPlugin) -> Bool {
        do throws(MetricError) {
            try instance.goLive()
            instance.scope = scope
            plugin.note(memoryBytes: instance.state?.memoryBytes ?? 0)
            return true
        } catch {
            plugin.log.write(.error, plugin.name, "not started: \(error)")
            return false
        }
    }

    private func unload(_ member: Member) {
        guard let state = member.instance.state else { return }
        for function in member.instance.declarations.unload {
            state.begin()
            guard state.call(function) != .ok else { continue }
            member.plugin.log.write(.warn, member.plugin.name, "on_unload failed: \(state.failure.message)")
        }
        member.instance.retire()
    }

    private func rebuildRules() {
        // A rule that is left out stays so when another plugin is loaded: its slot goes on.
        let present = spanRules.slots + traceRules.slots
        var spans: [RuleSlot] = []
        var traces: [RuleSlot] = []
        for member in members where member.instance.state != nil {
            for (index, rule) in member.instance.declarations.rules.enumerated() {
                let records = member.plugin.rules
                let slot =
                    present.first { $0.member === member && $0.index == index }
                    ?? RuleSlot(member, rule, index, records.indices.contains(index) ? records[index] : nil)
                switch rule.event {
                case .spanEnded: spans.append(slot)
                case .traceEnded: traces.append(slot)
                default: break
                }
            }
        }
        spanRules = RuleList(spans)
        traceRules = RuleList(traces)
    }

    // MARK: Events

    /// Calls the rules for a span that ended and whose inherited facts are settled. `trace` gives what is known of its trace;
    /// it is asked at most once, when a rule needs it.
    package func spanEnded(
        _ span: SpanReference,
        trace: @escaping () -> TraceView?,
        now: Timestamp,
        into receiver: any EmissionReceiver
    ) {
        let rules = spanRules
        guard !rules.isEmpty else { return }
        scope.turn(to: span, trace: trace, now: now)
        eventNumber += 1
        var ref = scope.ref
        let isDuplicate = ref.span.pointee.duplicate_of != 0
        let filters = rules.filters
        for place in 0..<filters.count {
            let filter = filters[place]
            if isDuplicate, !filter.takesDuplicates { continue }
            if let nodes = filter.nodes {
                if filter.needsScope {
                    guard rules.slots[place].rule.spanMatch?.holds(ref, in: scope) != false else { continue }
                } else if !nj_match_span(nodes, &ref, nil, nil) {
                    continue
                }
            }
            let slot = rules.slots[place]
            guard slot.isSampled(ref.span.pointee.traceID) else { continue }
            call(slot, trace: nil, into: receiver)
        }
        finish()
    }

    /// Calls the rules for an end of a trace; the view's revision says which.
    package func traceEnded(_ trace: TraceView, now: Timestamp, into receiver: any EmissionReceiver) {
        let rules = traceRules
        guard !rules.isEmpty, !trace.spans.isEmpty else { return }
        scope.turn(to: trace, now: now)
        eventNumber += 1
        for slot in rules.slots {
            let rule = slot.rule
            guard trace.revision <= 1 || rule.again, slot.isSampled(trace.id) else { continue }
            guard rule.traceMatch.isEmpty || rule.traceMatch.contains(where: { $0.holds(in: scope) }) else {
                continue
            }
            call(slot, trace: scope.rawTrace, into: receiver)
        }
        finish()
    }

    /// Lets go of the event; states that ran out of memory for good give it back.
    private func finish() {
        scope.rest()
        guard hasExhausted else { return }
        hasExhausted = false
        for member in members where member.isExhausted { member.instance.retire() }
        rebuildRules()
    }
}

extension PluginSession {
    /// Every so many calls one is timed.
    private static let timedCalls = 16

    private func call(
        _ slot: RuleSlot,
        trace: UnsafePointer<nj_trace>?,
        into receiver: any EmissionReceiver
    ) {
        guard slot.circuit.allowsCall(at: monotonicNow()) else { return }
        let member = slot.member
        guard let state = member.instance.state, !member.isExhausted else { return }
        if member.eventNumber != eventNumber {
            state.begin()
            member.eventNumber = eventNumber
            member.delivered = 0
        }
        calls &+= 1
        let started = calls % Self.timedCalls == 0 ? monotonicNow() : 0
        let outcome: LuaState.Outcome
        if trace == nil, slot.rule.scorer == nil {
            outcome = state.call(slot.rule.function, span: scope.ref, withTrace: false, scorer: nil)
        } else {
            outcome = invoke(slot.rule, state, trace)
        }
        slot.record?.countCall()
        if started != 0 { slot.record?.sample(nanoseconds: Int(monotonicNow() - started)) }
        deliver(slot, state, succeeded: outcome == .ok, into: receiver)
        if outcome != .ok {
            fail(slot, state, outcome)
        } else if slot.circuit.hasFailures, slot.circuit.succeeded() {
            slot.record?.setOpen(false)
        }
    }

    private func invoke(_ rule: Rule, _ state: LuaState, _ trace: UnsafePointer<nj_trace>?)
        -> LuaState.Outcome
    {
        guard let name = rule.scorer else {
            guard let trace else {
                return state.call(rule.function, span: scope.ref, withTrace: false, scorer: nil)
            }
            return state.call(rule.function, trace: trace, scorer: nil)
        }
        return name.withText { name in
            rule.options.withCategories { categories in
                var scorer = nj_scorer()
                scorer.name = name
                scorer.has_range = rule.options.range != nil
                scorer.low = rule.options.range?.lowerBound ?? 0
                scorer.high = rule.options.range?.upperBound ?? 0
                scorer.categories = categories.baseAddress
                scorer.category_count = UInt32(categories.count)
                guard let trace else {
                    return state.call(rule.function, span: scope.ref, withTrace: true, scorer: &scorer)
                }
                return state.call(rule.function, trace: trace, scorer: &scorer)
            }
        }
    }

    private func deliver(
        _ slot: RuleSlot,
        _ state: LuaState,
        succeeded: Bool,
        into receiver: any EmissionReceiver
    ) {
        let member = slot.member
        let emissions = state.emissions
        guard emissions.count > member.delivered else { return }
        let reader = EmissionReader(plugin: member.plugin, scope: scope, receiver: receiver)
        let time = reader.eventTime
        for place in member.delivered..<emissions.count {
            if emissions[place].kind == Int32(NJ_EMIT_METRIC.rawValue) {
                guard succeeded, let id = member.instance.instrument(emissions[place].instrument) else {
                    continue
                }
                receiver.metric(
                    id,
                    value: emissions[place].value,
                    labels: UnsafeBufferPointer(
                        start: emissions[place].labels,
                        count: Int(emissions[place].label_count)
                    ),
                    at: time
                )
                continue
            }
            reader.deliver(emissions[place], of: slot.rule, succeeded: succeeded)
        }
        member.delivered = emissions.count
    }

    private func fail(_ slot: RuleSlot, _ state: LuaState, _ outcome: LuaState.Outcome) {
        let failure = state.failure
        let plugin = slot.member.plugin
        let rule = slot.rule
        slot.record?.countError()
        let trace = scope.event?.row.pointee.traceID ?? scope.view?.id
        let count = plugin.errors.add(
            failure,
            rule: rule.scorer ?? rule.event.rawValue,
            trace: trace,
            at: scope.now
        )
        // The first, then ever more rarely: a rule that fails on every event must not fill the log.
        if count & (count - 1) == 0 {
            plugin.log.write(.error, plugin.name, failure.message + (count > 1 ? " (\(count) times)" : ""))
        }
        if slot.circuit.failed(isTimeout: outcome == .time || outcome == .fuel, at: monotonicNow()) {
            slot.record?.setOpen(true)
            plugin.log.write(
                .warn,
                plugin.name,
                "\(rule.place): left out for \(slot.circuit.waitSeconds) s after repeated failures"
            )
        }
        guard outcome == .memory else { return }
        state.collect()
        plugin.note(memoryBytes: state.memoryBytes)
        guard state.isNearlyFull else { return }
        // What fills it is reachable, so every further call would fail the same way.
        slot.member.isExhausted = true
        hasExhausted = true
        plugin.isExhausted.store(true, ordering: .relaxed)
        plugin.log.write(.error, plugin.name, "stopped: what it keeps fills its memory; reload it")
    }
}

extension ScorerOptions {
    /// Calls with the categories as texts that are valid during the call.
    fileprivate func withCategories<Result>(_ body: (UnsafeBufferPointer<nj_text>) -> Result) -> Result {
        guard !categories.isEmpty else { return body(UnsafeBufferPointer(start: nil, count: 0)) }
        let blocks = categories.map { category in
            let block = UnsafeMutableRawBufferPointer.allocate(
                byteCount: category.utf8.count + 1,
                alignment: 1
            )
            block.copyBytes(from: Array(category.utf8) + [0])
            return block
        }
        defer { for block in blocks { block.deallocate() } }
        return blocks.map { nj_text(UnsafeRawBufferPointer(rebasing: $0.dropLast())) }
            .withUnsafeBufferPointer(body)
    }
}

/// Nanoseconds of a clock that does not go back.
func monotonicNow() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

private func sampleLimit(_ share: Double) -> UInt64 {
    share >= 1 ? .max : UInt64(share * 18_446_744_073_709_549_568)
}

/// FNV-1a of a name, so that two scorers with one share take different traces.
private func salt(_ name: String) -> UInt64 {
    guard !name.isEmpty else { return 0 }
    return name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
}
