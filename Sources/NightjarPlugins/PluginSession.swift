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
    private var spanRules: [RuleEntry] = []
    private var traceRules: [RuleEntry] = []
    private var calls = 0

    /// A plugin of the running set with this worker's state of it.
    private final class Member {
        let plugin: LoadedPlugin
        let instance: PluginInstance
        /// How many of the event's emissions have been handed on; -1 before the event's first call.
        var delivered = -1

        init(_ plugin: LoadedPlugin, _ instance: PluginInstance) {
            self.plugin = plugin
            self.instance = instance
        }
    }

    /// What the loop over rules looks at; the match's nodes are the program's own.
    private struct RuleEntry {
        let nodes: UnsafePointer<nj_match_node>?
        let needsScope: Bool
        let takesDuplicates: Bool
        let member: Int
        let rule: Int
        let sampleLimit: UInt64
        let sampleSalt: UInt64
        var circuit = Circuit()
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
        spanRules = []
        traceRules = []
        for (place, member) in members.enumerated() where member.instance.state != nil {
            for (index, rule) in member.instance.declarations.rules.enumerated() {
                let entry = RuleEntry(
                    nodes: rule.spanMatch?.nodes,
                    needsScope: rule.spanMatch?.slow.isEmpty == false,
                    takesDuplicates: rule.takesDuplicates,
                    member: place,
                    rule: index,
                    sampleLimit: sampleLimit(rule.options.sample),
                    sampleSalt: salt(rule.scorer ?? "")
                )
                switch rule.event {
                case .spanEnded: spanRules.append(entry)
                case .traceEnded: traceRules.append(entry)
                default: break
                }
            }
        }
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
        guard !spanRules.isEmpty else { return }
        scope.turn(to: span, trace: trace, now: now)
        for member in members { member.delivered = -1 }
        var ref = scope.ref
        let isDuplicate = ref.span.pointee.duplicate_of != 0
        for place in spanRules.indices {
            if isDuplicate, !spanRules[place].takesDuplicates { continue }
            if let nodes = spanRules[place].nodes {
                if spanRules[place].needsScope {
                    guard slowMatch(place) else { continue }
                } else if !nj_match_span(nodes, &ref, nil, nil) {
                    continue
                }
            }
            guard isSampled(spanRules[place], ref.span.pointee.traceID) else { continue }
            call(&spanRules[place], trace: nil, into: receiver)
        }
        finish()
    }

    /// Calls the rules for an end of a trace; the view's revision says which.
    package func traceEnded(_ trace: TraceView, now: Timestamp, into receiver: any EmissionReceiver) {
        guard !traceRules.isEmpty, !trace.spans.isEmpty else { return }
        scope.turn(to: trace, now: now)
        for member in members { member.delivered = -1 }
        for place in traceRules.indices {
            let entry = traceRules[place]
            let rule = members[entry.member].instance.declarations.rules[entry.rule]
            guard trace.revision <= 1 || rule.again, isSampled(entry, trace.id) else { continue }
            guard rule.traceMatch.isEmpty || rule.traceMatch.contains(where: { $0.holds(in: scope) }) else {
                continue
            }
            call(&traceRules[place], trace: scope.rawTrace, into: receiver)
        }
        scope.rest()
        finish()
    }

    private func slowMatch(_ place: Int) -> Bool {
        let entry = spanRules[place]
        let rule = members[entry.member].instance.declarations.rules[entry.rule]
        return rule.spanMatch?.holds(scope.ref, in: scope) ?? true
    }

    private func isSampled(_ entry: RuleEntry, _ trace: TraceID) -> Bool {
        entry.sampleLimit == .max
            || TraceID(high: trace.high ^ entry.sampleSalt, low: trace.low).mixed < entry.sampleLimit
    }

    /// States that ran out of memory for good give it back.
    private func finish() {
        guard
            members.contains(where: {
                $0.plugin.isExhausted.load(ordering: .relaxed) && $0.instance.state != nil
            })
        else { return }
        for member in members where member.plugin.isExhausted.load(ordering: .relaxed) {
            member.instance.retire()
        }
        rebuildRules()
    }
}

extension PluginSession {
    /// Every so many calls one is timed.
    private static let timedCalls = 16

    private func call(
        _ entry: inout RuleEntry,
        trace: UnsafePointer<nj_trace>?,
        into receiver: any EmissionReceiver
    ) {
        guard entry.circuit.allowsCall(at: monotonicNow()) else { return }
        let member = members[entry.member]
        guard let state = member.instance.state else { return }
        let rule = member.instance.declarations.rules[entry.rule]
        if member.delivered < 0 {
            state.begin()
            member.delivered = 0
        }
        calls &+= 1
        let started = calls % Self.timedCalls == 0 ? monotonicNow() : 0
        let outcome = invoke(rule, state, trace)
        let record = member.plugin.rules.indices.contains(entry.rule) ? member.plugin.rules[entry.rule] : nil
        record?.countCall()
        if started != 0 { record?.sample(nanoseconds: Int(monotonicNow() - started)) }
        deliver(member, rule, state, succeeded: outcome == .ok, into: receiver)
        if outcome == .ok {
            if entry.circuit.openUntil != 0 || entry.circuit.hasFailures, entry.circuit.succeeded() {
                record?.setOpen(false)
            }
        } else {
            fail(&entry, member, rule, state, record, outcome)
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
        _ member: Member,
        _ rule: Rule,
        _ state: LuaState,
        succeeded: Bool,
        into receiver: any EmissionReceiver
    ) {
        let emissions = state.emissions
        guard emissions.count > member.delivered else { return }
        let reader = EmissionReader(plugin: member.plugin, scope: scope, receiver: receiver)
        for place in member.delivered..<emissions.count {
            reader.deliver(emissions[place], of: rule, from: member.instance, succeeded: succeeded)
        }
        member.delivered = emissions.count
    }

    private func fail(
        _ entry: inout RuleEntry,
        _ member: Member,
        _ rule: Rule,
        _ state: LuaState,
        _ record: RuleRecord?,
        _ outcome: LuaState.Outcome
    ) {
        let failure = state.failure
        let plugin = member.plugin
        record?.countError()
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
        if entry.circuit.failed(isTimeout: outcome == .time || outcome == .fuel, at: monotonicNow()) {
            record?.setOpen(true)
            plugin.log.write(
                .warn,
                plugin.name,
                "\(rule.place): left out for \(entry.circuit.waitSeconds) s after repeated failures"
            )
        }
        guard outcome == .memory else { return }
        state.collect()
        plugin.note(memoryBytes: state.memoryBytes)
        if state.isNearlyFull {
            // What fills it is reachable, so every further call would fail the same way.
            plugin.isExhausted.store(true, ordering: .relaxed)
            plugin.log.write(.error, plugin.name, "stopped: what it keeps fills its memory; reload it")
        }
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
