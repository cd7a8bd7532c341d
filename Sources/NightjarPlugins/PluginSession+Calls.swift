import CNightjarLua
import CNightjarSignals
import NightjarBus
import NightjarSignals
import Synchronization

extension PluginSession {
    /// Of the calls of each rule the first and then every so many-th are timed.
    private static let timedCalls = 16

    /// Calls a rule, hands on what it emitted, and counts how it went.
    func call(
        _ slot: RuleSlot,
        origin: EmissionOrigin? = nil,
        into receiver: any EmissionReceiver,
        _ invoke: (LuaState) -> LuaState.Outcome
    ) {
        slot.record.countMatch()
        guard onlyScorers || slot.circuit.allowsCall(at: monotonicNow()) else {
            memory?.note(slot, scope.traceID, .circuitOpen)
            return
        }
        let member = slot.member
        guard !member.isExhausted else { return }
        if let shared = member.shared {
            shared.enter { instance in
                instance.scope = scope
                run(slot, instance, origin, receiver, invoke)
            }
        } else if let instance = member.instance {
            run(slot, instance, origin, receiver, invoke)
        }
    }

    private func run(
        _ slot: RuleSlot,
        _ instance: PluginInstance,
        _ origin: EmissionOrigin?,
        _ receiver: any EmissionReceiver,
        _ invoke: (LuaState) -> LuaState.Outcome
    ) {
        guard let state = instance.state else { return }
        let member = slot.member
        // Another worker may have been in a shared state since the last call.
        if member.eventNumber != eventNumber || member.shared != nil {
            state.begin()
            member.eventNumber = eventNumber
            member.delivered = 0
        }
        // What an event's emissions cause is paid by the plugin that emitted first.
        let payer =
            origin.flatMap { origin in members.first { $0.plugin.name == origin.plugins.first } } ?? member
        if origin != nil || payer.spent.incoming == incomingNumber {
            state.allow(limits.emissions - payer.spent(of: incomingNumber))
        }
        slot.meter.count()
        // By rule: where two are called in turns, a count over both would time one of them always and the other never.
        let isTimed = slot.calls % Self.timedCalls == 0 || slot.meter.isSlow
        slot.calls &+= 1
        let started = isTimed ? threadNow() : 0
        let outcome = invoke(state)
        let nanoseconds = isTimed ? Int(threadNow() - started) : nil
        slot.record.countCall()
        let emitted = deliver(slot, instance, state, outcome == .ok, origin, receiver)
        if emitted > 0 { payer.spend(emitted, of: incomingNumber) }
        if outcome == .ok {
            if slot.circuit.hasFailures, slot.circuit.succeeded() { slot.record.setOpen(false) }
        } else {
            fail(slot, state, outcome)
        }
        if let nanoseconds { measure(slot, state, nanoseconds) }
        memory?.note(slot, scope.traceID, outcome == .ok ? .ran : .failed, emitted, nanoseconds)
    }

    private func measure(_ slot: RuleSlot, _ state: LuaState, _ nanoseconds: Int) {
        slot.record.sample(nanoseconds: nanoseconds)
        slot.member.plugin.note(memoryBytes: state.memoryBytes, worker: worker)
        guard memory != nil else { return }
        let now = monotonicNow()
        guard slot.meter.add(nanoseconds, at: now, limit: limits.share) else { return }
        slot.circuit.open(at: now)
        slot.record.setOpen(true)
        leftOut(slot, "it took over \(Int(limits.share * 100)) % of its worker")
    }

    /// Calls a rule or a scorer with the span at hand.
    func invokeSpan(_ rule: Rule, _ state: LuaState) -> LuaState.Outcome {
        guard let name = rule.scorer else {
            return state.call(rule.function, span: scope.ref, withTrace: false, scorer: nil)
        }
        return rule.options.withScorer(name) {
            state.call(rule.function, span: scope.ref, withTrace: true, scorer: $0)
        }
    }

    /// Calls a rule or a scorer with a trace.
    func invokeTrace(_ rule: Rule, _ state: LuaState, _ trace: UnsafePointer<nj_trace>) -> LuaState.Outcome {
        guard let name = rule.scorer else { return state.call(rule.function, trace: trace, scorer: nil) }
        return rule.options.withScorer(name) { state.call(rule.function, trace: trace, scorer: $0) }
    }

    /// Hands on what the last call emitted; how much that was.
    private func deliver(
        _ slot: RuleSlot,
        _ instance: PluginInstance,
        _ state: LuaState,
        _ succeeded: Bool,
        _ origin: EmissionOrigin?,
        _ receiver: any EmissionReceiver
    ) -> Int {
        let member = slot.member
        let emissions = state.emissions
        let count = emissions.count - member.delivered
        guard count > 0 else { return 0 }
        receiver.origin =
            origin.map { EmissionOrigin(plugins: $0.plugins + [member.plugin.name]) } ?? member.origin
        defer { receiver.origin = nil }
        let reader = EmissionReader(plugin: member.plugin, scope: scope, receiver: receiver)
        let time = reader.eventTime
        for place in member.delivered..<emissions.count {
            let emission = emissions[place]
            switch nj_emission_kind(UInt32(emission.kind)) {
            case NJ_EMIT_METRIC:
                guard succeeded, let id = instance.instrument(emission.instrument) else { continue }
                receiver.metric(
                    id,
                    value: emission.value,
                    labels: UnsafeBufferPointer(start: emission.labels, count: Int(emission.label_count)),
                    at: time
                )
            case NJ_EMIT_CHANGE: break
            default: reader.deliver(emission, of: slot.rule, succeeded: succeeded)
            }
        }
        member.delivered = emissions.count
        return count
    }

    private func fail(_ slot: RuleSlot, _ state: LuaState, _ outcome: LuaState.Outcome) {
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
            slot.circuit.failed(isTimeout: outcome == .time || outcome == .fuel, at: monotonicNow())
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
        hasExhausted = true
        plugin.isExhausted.store(true, ordering: .relaxed)
        plugin.log.write(.error, plugin.name, "stopped: what it keeps fills its memory; reload it")
    }

    private func leftOut(_ slot: RuleSlot, _ reason: String) {
        let plugin = slot.member.plugin
        plugin.log.write(
            .warn,
            plugin.name,
            "\(slot.rule.place): left out for \(slot.circuit.waitSeconds) s after \(reason)"
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
