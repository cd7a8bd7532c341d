import NightjarBus
import NightjarPlugins
import NightjarSignals

/// Annotations, logs and observations on their way through a worker.
extension WorkerCore {
    func take(
        _ annotation: Annotation,
        isKnown: Bool,
        isReplacement: Bool,
        receivedAt: Timestamp
    ) {
        let trace = annotation.traceID.flatMap { assembler.trace($0, recalling: isKnown) }
        defer { tellRules() }
        guard let id = annotation.traceID, trace?.has(annotation.spanID) != true else {
            return join(annotation, trace, isReplacement)
        }
        // Its span, or the root that speaks for its trace, may still come; the bus does not wait for it.
        guard waitingCount < Self.waitingLimit else { return join(annotation, trace, isReplacement) }
        if trace?.record.isSampledOut != true { collector.tell(annotation) }
        waitingCount += 1
        let due = receivedAt.advanced(by: idleTimeout)
        let waits = Waiting(annotation: annotation, isReplacement: isReplacement, due: due)
        waiting[id, default: []].append(waits)
        waitingDeadlines.push(id, at: due)
    }

    /// Counts an annotation whose target is known, or is not waited for any longer. `isTold`: the bus has had it.
    private func join(
        _ annotation: Annotation,
        _ trace: TraceState?,
        _ isReplacement: Bool,
        isTold: Bool = false
    ) {
        collector.targetNothing()
        guard let trace else {
            if !isTold { collector.tell(annotation) }
            return collector.count(annotation, entityType: nil, isReplacement: isReplacement)
        }
        var annotation = annotation
        // Where the root's entity is known, it was given when the annotation was made.
        if annotation.correlation.rootEntity.isEmpty {
            assembler.load(trace)
            let target = trace.correlation(of: annotation.spanID, reader: reader)
            annotation = annotation.joined(
                annotation.correlation.filled(from: target.correlation),
                target.metadata
            )
            collector.correlate(annotation, targetMetadata: target.metadata)
            assembler.releaseEnded(trace)
        }
        if !isTold, !trace.record.isSampledOut { collector.tell(annotation) }
        collector.count(
            annotation,
            entityType: trace.entityType(of: annotation.spanID),
            isReplacement: isReplacement
        )
    }

    /// Counts what waited for spans that have come.
    func settleWaiting(_ trace: TraceState) {
        guard !waiting.isEmpty, let annotations = waiting.removeValue(forKey: trace.id) else { return }
        let rest = annotations.filter { !trace.has($0.annotation.spanID) }
        waitingCount -= annotations.count - rest.count
        if !rest.isEmpty { waiting[trace.id] = rest }
        for waiting in annotations where trace.has(waiting.annotation.spanID) {
            join(waiting.annotation, trace, waiting.isReplacement, isTold: true)
        }
        tellRules()
    }

    /// Counts what has waited long enough; a trace may come up several times.
    func expireWaiting(of id: TraceID, until limit: Timestamp) {
        guard let annotations = waiting[id] else { return }
        let rest = annotations.filter { $0.due > limit }
        waitingCount -= annotations.count - rest.count
        waiting[id] = rest.isEmpty ? nil : rest
        for expired in annotations where expired.due <= limit {
            join(
                expired.annotation,
                assembler.trace(id, recalling: false),
                expired.isReplacement,
                isTold: true
            )
        }
        tellRules()
    }

    // MARK: - Logs and observations

    func take(_ event: SignalEvent, receivedAt: Timestamp) {
        collector.targetNothing()
        switch event {
        case .log(let log):
            guard let log = processing.process(log).flatMap(processedByPlugins) else { return }
            if rules != nil { contents.note(log) }
            collector.keep(joined(log), isSampledOut: isSampledOut(log.traceID))
        case .metric(let metric):
            guard let metric = processing.process(metric).flatMap(processedByPlugins) else { return }
            collector.observe(metric, receivedAt: receivedAt)
        case .drop: collector.noteForRules(event)
        default: break
        }
        tellRules()
    }

    private func processedByPlugins(_ log: Log) -> Log? {
        guard let rules, rules.wants.contains(.processSignals) else { return log }
        return rules.process(log, now: now, into: collector)
    }

    private func processedByPlugins(_ metric: Metric) -> Metric? {
        guard let rules, rules.wants.contains(.processSignals) else { return metric }
        return rules.process(metric, now: now, into: collector)
    }

    /// A line with what its span belongs to, where that is here and final; else that is filled in when it is.
    private func joined(_ log: Log) -> Log {
        guard log.correlation.rootEntity.isEmpty, let id = log.traceID else { return log }
        let trace = assembler.trace(id, recalling: false)
        if trace?.isSettled(log.spanID) != true { unjoinedLogs.note(log) }
        guard let trace, trace.has(log.spanID) else { return log }
        var log = log
        log.correlation = log.correlation.filled(
            from: trace.correlation(of: log.spanID, reader: reader).correlation
        )
        return log
    }

    /// Fills in what lines belong to that came before their spans, or before all that these inherit.
    func joinLogs(of trace: TraceState) {
        guard !unjoinedLogs.isEmpty else { return }
        let known = unjoinedLogs.take(of: trace.id) { trace.isSettled($0) }
        for span in known where !trace.record.isSampledOut {
            let correlation = trace.correlation(of: span, reader: reader).correlation
            collector.correlate(LogCorrelation(traceID: trace.id, spanID: span, correlation: correlation))
        }
    }

    /// Whether a signal follows a trace that is sampled out. Of a trace that is not here the samplers may still know.
    private func isSampledOut(_ id: TraceID?) -> Bool {
        let isForPlugins = rules?.wants.contains(.sampling) == true
        guard let id, !sampler.keepsEverything || isForPlugins else { return false }
        if let trace = assembler.trace(id, recalling: false) { return trace.record.isSampledOut }
        if let isKept = sampler.remembered(id) { return !isKept }
        // What plugins will say is not known before the first span; the store lets go of the line if they leave the trace out.
        return !isForPlugins && sampler.knownAnswer(id) == false
    }
}
