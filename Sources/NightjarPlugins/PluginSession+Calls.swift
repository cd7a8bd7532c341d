import CNightjarLua
import CNightjarSignals
import NightjarBus
import NightjarSignals
import Synchronization

extension PluginSession {
    typealias RuleCounts = UnsafeMutablePointer<RuleSlot.Counts>

    /// Calls a rule, hands on what it emitted, and counts how it went.
    func call(
        _ rule: RuleCounts,
        origin: EmissionOrigin? = nil,
        into receiver: any EmissionReceiver,
        _ invoke: (LuaCalls) -> LuaState.Outcome
    ) {
        guard onlyScorers || rule.pointee.circuit.allowsCall(at: monotonicNow()) else {
            rule.pointee.record._withUnsafeGuaranteedRef { $0.countLeftOut() }
            note(rule, .circuitOpen)
            return
        }
        let member = rule.pointee.member
        if let own = member.pointee.own, !member.pointee.isExhausted {
            run(rule, own, origin, receiver, invoke)
        } else if !member.pointee.isExhausted, let shared = member.pointee.member.takeUnretainedValue().shared
        {
            shared.enter { instance in
                instance.scope = scope
                // Another worker may have been in the state since the last call.
                member.pointee.eventNumber = -1
                if let entered = PluginMember.Entered(instance) {
                    run(rule, entered, origin, receiver, invoke)
                }
            }
        } else {
            rule.pointee.record._withUnsafeGuaranteedRef { $0.countLeftOut() }
        }
    }

    private func run(
        _ rule: RuleCounts,
        _ entered: PluginMember.Entered,
        _ origin: EmissionOrigin?,
        _ receiver: any EmissionReceiver,
        _ invoke: (LuaCalls) -> LuaState.Outcome
    ) {
        let member = rule.pointee.member
        let state = entered.calls
        if member.pointee.eventNumber != counts.pointee.eventNumber {
            state.begin()
            member.pointee.eventNumber = counts.pointee.eventNumber
            member.pointee.delivered = 0
        }
        let payer = origin.flatMap(payer) ?? member
        let incoming = counts.pointee.incomingNumber
        if origin != nil || payer.pointee.spent.incoming == incoming {
            state.allow(limits.emissions - payer.pointee.spent(of: incoming))
        }
        let (outcome, nanoseconds) = timed(rule, state, invoke)
        rule.pointee.record._withUnsafeGuaranteedRef { $0.countCall() }
        let emitted = deliver(rule, entered, outcome == .ok, origin, receiver)
        if emitted > 0 { payer.pointee.spend(emitted, of: incoming) }
        if outcome != .ok {
            fail(rule.pointee.slot.takeUnretainedValue(), entered.instance.takeUnretainedValue(), outcome)
        } else if rule.pointee.circuit.hasFailures, rule.pointee.circuit.succeeded() {
            rule.pointee.record._withUnsafeGuaranteedRef { $0.setOpen(false) }
        }
        if let nanoseconds {
            measure(
                rule.pointee.slot.takeUnretainedValue(),
                entered.instance.takeUnretainedValue(),
                nanoseconds
            )
        }
        note(rule, outcome == .ok ? .ran : .failed, emitted, nanoseconds)
    }

    /// Calls, and times the call where its turn has come.
    private func timed(_ rule: RuleCounts, _ state: LuaCalls, _ invoke: (LuaCalls) -> LuaState.Outcome) -> (
        outcome: LuaState.Outcome, nanoseconds: Int?
    ) {
        switch rule.pointee.meter.count() {
        case .none: return (invoke(state), nil)
        case .glance:
            let started = monotonicNow()
            let outcome = invoke(state)
            let now = monotonicNow()
            rule.pointee.meter.glanced(now - started, at: now)
            return (outcome, nil)
        case .full:
            let started = threadNow()
            let outcome = invoke(state)
            return (outcome, Int(threadNow() - started))
        }
    }

    /// Remembers what became of a call, for whoever asks.
    private func note(
        _ rule: RuleCounts,
        _ outcome: RunMemory.Outcome,
        _ emitted: Int = 0,
        _ nanoseconds: Int? = nil
    ) {
        guard let memory = counts.pointee.memory else { return }
        let trace = scope.isAtSpan ? scope.ref.span.pointee.traceID : scope.traceID
        guard let trace else { return }
        memory._withUnsafeGuaranteedRef { memory in
            rule.pointee.slot._withUnsafeGuaranteedRef {
                memory.note($0, trace, outcome, emitted, nanoseconds)
            }
        }
    }

    /// What an event's emissions cause is paid by the plugin that emitted first; nil where nobody did.
    private func payer(of origin: EmissionOrigin) -> UnsafeMutablePointer<PluginMember.Counts>? {
        members.first { $0.plugin.name == origin.plugins.first }?.counts
    }

    private func measure(_ slot: RuleSlot, _ instance: PluginInstance, _ nanoseconds: Int) {
        slot.record.sample(nanoseconds: nanoseconds)
        slot.member.plugin.note(memoryBytes: instance.state?.memoryBytes ?? 0, worker: worker)
        let now = monotonicNow()
        guard slot.counts.pointee.meter.add(nanoseconds, at: now, limit: limits.share), memory != nil else {
            return
        }
        slot.counts.pointee.circuit.open(at: now)
        slot.record.setOpen(true)
        leftOut(slot, "it took over \(Int(limits.share * 100)) % of its worker")
    }

    /// Calls a rule or a scorer with the span at hand.
    func invokeSpan(_ rule: Rule, _ state: LuaCalls) -> LuaState.Outcome {
        guard let name = rule.scorer else {
            return state.call(rule.function, span: scope.ref, withTrace: false, scorer: nil)
        }
        return rule.options.withScorer(name) {
            state.call(rule.function, span: scope.ref, withTrace: true, scorer: $0)
        }
    }

    /// Calls a rule or a scorer with a trace.
    func invokeTrace(_ rule: Rule, _ state: LuaCalls, _ trace: UnsafePointer<nj_trace>) -> LuaState.Outcome {
        guard let name = rule.scorer else { return state.call(rule.function, trace: trace, scorer: nil) }
        return rule.options.withScorer(name) { state.call(rule.function, trace: trace, scorer: $0) }
    }

    /// Hands on what the last call emitted; how much that was.
    private func deliver(
        _ rule: RuleCounts,
        _ entered: PluginMember.Entered,
        _ succeeded: Bool,
        _ origin: EmissionOrigin?,
        _ receiver: any EmissionReceiver
    ) -> Int {
        let member = rule.pointee.member
        let emissions = entered.calls.emissions
        let delivered = member.pointee.delivered
        guard emissions.count > delivered, let first = emissions.baseAddress else { return 0 }
        member.pointee.delivered = emissions.count
        let time = scope.eventTime
        member.pointee.series.turn(toNumbers: entered.calls.labelEpoch, receiver: number(of: receiver))
        for place in delivered..<emissions.count {
            let emission = first + place
            switch nj_emission_kind(UInt32(emission.pointee.kind)) {
            case NJ_EMIT_METRIC where succeeded:
                observe(emission, member, entered.instance, origin, time, receiver)
            case NJ_EMIT_METRIC, NJ_EMIT_CHANGE: break
            default:
                let slot = rule.pointee.slot.takeUnretainedValue()
                receiver.origin = self.origin(origin, of: slot.member)
                defer { receiver.origin = nil }
                EmissionReader(plugin: slot.member.plugin, scope: scope, receiver: receiver)
                    .deliver(emission.pointee, of: slot.rule, succeeded: succeeded)
            }
        }
        return emissions.count - delivered
    }

    /// Hands on an observation.
    private func observe(
        _ emission: UnsafePointer<nj_emission>,
        _ member: UnsafeMutablePointer<PluginMember.Counts>,
        _ instance: Unmanaged<PluginInstance>,
        _ origin: EmissionOrigin?,
        _ time: Timestamp,
        _ receiver: any EmissionReceiver
    ) {
        let set = Int(emission.pointee.label_set)
        // One that has no number is not remembered.
        var unnumbered = EmittedSeries.Entry()
        withUnsafeMutablePointer(to: &unnumbered) { unnumbered in
            let entry = set >= 0 ? member.pointee.series.entry(set) : unnumbered
            if entry.pointee.instrument == nil {
                let handle = emission.pointee.instrument
                entry.pointee.instrument = instance._withUnsafeGuaranteedRef { $0.instrument(handle) }
            }
            guard let instrument = entry.pointee.instrument else { return }
            receiver.metric(
                instrument,
                value: emission.pointee.value,
                labels: UnsafeBufferPointer(
                    start: emission.pointee.labels,
                    count: Int(emission.pointee.label_count)
                ),
                at: time,
                remembered: &entry.pointee.remembered,
                origin: { self.origin(origin, of: member.pointee.member.takeUnretainedValue()) }
            )
        }
    }

    /// What the emissions of a plugin are marked with, where its event is of some origin.
    private func origin(_ origin: EmissionOrigin?, of member: PluginMember) -> EmissionOrigin {
        guard let origin else { return member.origin }
        return EmissionOrigin(plugins: origin.plugins + [member.plugin.name])
    }

    private func fail(_ slot: RuleSlot, _ instance: PluginInstance, _ outcome: LuaState.Outcome) {
        guard let state = instance.state else { return }
        let failure = state.failure
        let plugin = slot.member.plugin
        slot.record.countError()
        let count = plugin.errors.add(failure, rule: slot.rule.name, trace: scope.traceID, at: scope.now)
        plugin.log.errors?.tell(
            PluginErrorNotice(
                plugin: plugin.name,
                rule: slot.rule.name,
                message: failure.message,
                traceback: failure.traceback,
                isLimit: failure.outcome.isLimit,
                traceID: scope.traceID,
                timestamp: scope.now,
                count: count
            )
        )
        // The first, then ever more rarely: a rule that fails on every event must not fill the log.
        if count & (count - 1) == 0 {
            plugin.log.write(.error, plugin.name, failure.message + (count > 1 ? " (\(count) times)" : ""))
        }
        if !onlyScorers,
            slot.counts.pointee.circuit.failed(
                isTimeout: outcome == .time || outcome == .fuel,
                at: monotonicNow()
            )
        {
            slot.record.setOpen(true)
            leftOut(slot, "repeated failures")
        }
        guard outcome == .memory else { return }
        state.collect()
        plugin.note(memoryBytes: state.memoryBytes, worker: worker)
        guard state.isNearlyFull else { return }
        // What fills it is reachable, so every further call would fail the same way.
        slot.member.isExhausted = true
        counts.pointee.hasExhausted = true
        plugin.isExhausted.store(true, ordering: .relaxed)
        plugin.log.write(.error, plugin.name, "stopped: what it keeps fills its memory; reload it")
    }

    private func leftOut(_ slot: RuleSlot, _ reason: String) {
        let plugin = slot.member.plugin
        plugin.log.write(
            .warn,
            plugin.name,
            "\(slot.rule.place): left out for \(slot.counts.pointee.circuit.waitSeconds) s after \(reason)"
        )
    }
}

extension ScorerOptions {
    /// Calls with what C has to know of a scorer; valid during the call.
    fileprivate func withScorer(
        _ name: String,
        _ body: (UnsafePointer<nj_scorer>) -> LuaState.Outcome
    ) -> LuaState.Outcome {
        name.withText { name in
            withCategories { categories in
                var scorer = nj_scorer()
                scorer.name = name
                scorer.has_range = range != nil
                scorer.low = range?.lowerBound ?? 0
                scorer.high = range?.upperBound ?? 0
                scorer.categories = categories.baseAddress
                scorer.category_count = UInt32(categories.count)
                return body(&scorer)
            }
        }
    }

    /// Calls with the categories as texts that are valid during the call.
    private func withCategories<Result>(_ body: (UnsafeBufferPointer<nj_text>) -> Result) -> Result {
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
