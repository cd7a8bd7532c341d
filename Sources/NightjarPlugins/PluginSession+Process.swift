import CNightjarLua
package import NightjarBus
package import NightjarSignals

/// What a processor makes of a span.
package struct SpanChange: Sendable {
    /// The fields that it set: `name`, `attributes`, `metadata`, `tags`.
    package let fields: [(name: String, value: Value)]
}

extension PluginSession {
    /// Runs the plugins' processors over a span. `apply` makes a change and gives the span as it is then. False where one of
    /// them dropped it.
    package func process(
        _ span: SpanReference,
        now: Timestamp,
        into receiver: any EmissionReceiver,
        apply: (SpanChange, SpanReference) -> SpanReference
    ) -> Bool {
        guard let slots = processors[.spanEnded] else { return true }
        var span = span
        for slot in slots {
            scope.turn(to: span, trace: nil, now: now)
            defer { finish() }
            guard slot.rule.match.span?.holds(scope.ref, in: scope) != false else { continue }
            beginIncoming()
            var result = (keeps: true, changes: [(name: String, value: Value)]())
            call(slot.counts, into: receiver) { state in
                let (outcome, keeps) = state.process(slot.rule.function, span: scope.ref)
                result = (keeps, outcome == .ok ? state.changes : [])
                return outcome
            }
            guard result.keeps else { return false }
            if !result.changes.isEmpty { span = apply(SpanChange(fields: result.changes), span) }
        }
        return true
    }

    /// The line as the plugins' processors leave it; nil where one of them drops it.
    package func process(_ log: Log, now: Timestamp, into receiver: any EmissionReceiver) -> Log? {
        guard case .log(let log)? = process(.log(log), .log, now, receiver) else { return nil }
        return log
    }

    /// The observation as the plugins' processors leave it; nil where one of them drops it.
    package func process(_ metric: Metric, now: Timestamp, into receiver: any EmissionReceiver) -> Metric? {
        guard case .metric(let metric)? = process(.metric(metric), .metric, now, receiver) else { return nil }
        return metric
    }

    private func process(
        _ event: SignalEvent,
        _ kind: RuleEvent,
        _ now: Timestamp,
        _ receiver: any EmissionReceiver
    ) -> SignalEvent? {
        var event = event
        for slot in processors[kind] ?? [] {
            guard slot.rule.match.record?.holds(for: event) != false else { continue }
            let handle = scope.turn(to: event, now: now)
            defer { finish() }
            beginIncoming()
            var keeps = true
            var changes: [(name: String, value: Value)] = []
            call(slot.counts, into: receiver) { state in
                let result = state.process(slot.rule.function, record: handle, of: kind.object)
                keeps = result.keeps
                if result.outcome == .ok { changes = state.changes }
                return result.outcome
            }
            guard keeps else { return nil }
            for change in changes { event.set(change.name, change.value) }
        }
        return event
    }

    /// What share of traces like that of a first span the plugins' samplers keep: the largest that one of them says. A sampler
    /// that fails keeps everything; nil where there is none.
    package func sampledShare(
        _ span: SpanReference,
        now: Timestamp,
        into receiver: any EmissionReceiver
    ) -> Double? {
        guard !samplers.isEmpty else { return nil }
        scope.turn(to: span, trace: nil, now: now)
        defer { finish() }
        beginIncoming()
        var largest = 0.0
        for slot in samplers {
            var share = 1.0
            call(slot.counts, into: receiver) { state in
                let result = state.sample(slot.rule.function, span: scope.ref)
                if result.outcome == .ok { share = result.share }
                return result.outcome
            }
            largest = max(largest, share)
        }
        return largest
    }

    /// When a timer is due next.
    package var nextTimer: Timestamp? { timers.map { $0.due ?? Timestamp(unixNano: 0) }.min() }

    /// Calls the timers that are due.
    package func advance(to now: Timestamp, into receiver: any EmissionReceiver) {
        for slot in timers {
            guard case .every(let seconds) = slot.rule.role else { continue }
            let next = now.advanced(by: .milliseconds(Int64(seconds * 1000)))
            guard let due = slot.due else {
                slot.due = next
                continue
            }
            guard due <= now else { continue }
            // One that is late is not made up for.
            slot.due = next
            scope.turn(to: now)
            beginIncoming()
            call(slot.counts, into: receiver) { $0.call(slot.rule.function) }
            finish()
        }
    }
}

extension SignalEvent {
    /// Sets what a processor set.
    fileprivate mutating func set(_ name: String, _ value: Value) {
        switch self {
        case .log(var log):
            switch (name, value) {
            case ("message", .string(let text)): log.message = text
            case ("data", .object(let data)): log.data = data
            case ("metadata", .object(let metadata)): log.metadata = metadata
            case ("tags", _): log.tags = value.array?.compactMap(\.string) ?? []
            default: break
            }
            self = .log(log)
        case .metric(var metric):
            switch (name, value) {
            case ("name", .string(let text)): metric.name = text
            case ("metadata", .object(let metadata)): metric.metadata = metadata
            case ("labels", .object(let labels)):
                metric.labels = labels.entries.reduce(into: [:]) {
                    $0[$1.key] = $1.value.string ?? $1.value.json
                }
            default: break
            }
            self = .metric(metric)
        default: break
        }
    }
}

extension LuaCalls {
    /// What a processor set, as far as it has a value here.
    fileprivate var changes: [(name: String, value: Value)] {
        emissions.compactMap { emission in
            guard emission.kind == Int32(NJ_EMIT_CHANGE.rawValue), let name = emission.text.string else {
                return nil
            }
            // JSON of our own making: what cannot be read of it was text that is no UTF-8, which is left as it was.
            guard let value = try? Value(jsonBytes: Array(emission.data.buffer)) else { return nil }
            return (name, value)
        }
    }
}
