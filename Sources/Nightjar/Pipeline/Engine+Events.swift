import Foundation
import Logging
import NightjarBus
import NightjarExtraction
import NightjarOTLP
package import NightjarSignals
package import NightjarStore

/// What became of a request of events.
package struct EventOutcome: Sendable {
    /// How many events were taken.
    package var accepted = 0
    /// How many were left out because they only go out, or because they are derived here anew.
    package var ignored = 0
    /// What became of the scores, in their order.
    package var scores: [AnnotationReceipt] = []
    /// What became of the feedback, in its order.
    package var feedback: [AnnotationReceipt] = []
}

extension Engine {
    /// Takes events of any kind, all or none; returns when they are on disk (or accepted, where nothing is stored). Ends of
    /// traces, drops and observations of the built-in metrics are left out: they come about here.
    /// - Throws: ``EngineError``; nothing was taken then.
    package func ingest(_ events: [SignalEvent]) async throws(EngineError) -> EventOutcome {
        try await ingest(events, edge)
    }

    func ingest(
        _ events: [SignalEvent],
        _ edge: SignalEdge
    ) async throws(EngineError) -> EventOutcome {
        try checkRoom()
        for event in events {
            switch event {
            case .score, .feedback: try refuseSampledOut(event.traceID)
            default: break
            }
        }
        try refuseOld(events)
        try refuseOfFullTraces(events)
        let own = events.filter { event in
            if case .metric(let metric) = event { !isDerived(metric.name) } else { true }
        }
        let batch = try prepared(own, edge)
        if let span = batch.rejected.first?.span {
            throw EngineError(code: .tooLarge, detail: "span \(span.id) is too large; send less content")
        }
        let result = await withCheckedContinuation { continuation in
            accept(batch) { continuation.resume(returning: $0) }
        }
        let receipt = try result.get()
        let ignored = batch.ignored + events.count - own.count
        return EventOutcome(
            accepted: events.count - ignored,
            ignored: ignored,
            scores: receipt.scores,
            feedback: receipt.feedback
        )
    }

    /// Takes events that were made in this process, and waits until they are on disk. Tries again while the store cannot take
    /// them; false where it could not until the engine closed.
    func take(_ events: [SignalEvent]) -> Bool {
        var pause: TimeInterval = 0.01
        while true {
            let done = DispatchSemaphore(value: 0)
            let outcome = LockedValue<Result<SubmissionReceipt, EngineError>?>(nil)
            waitForRoom()
            do throws(EngineError) {
                let batch = try prepared(withoutFullTraces(events), edge)
                if !batch.rejected.isEmpty { lost(Losses(batch.rejected), "too_large") }
                accept(batch) { result in
                    outcome.update { $0 = result }
                    done.signal()
                }
            } catch {
                logger.error("signals of this process cannot be taken: \(error)")
                return false
            }
            done.wait()
            switch outcome.value {
            case .failure(let error) where error.isRetryable && error.code != .closed && !isClosing.value:
                logger.warning("signals of this process wait for the store: \(error)")
                Thread.sleep(forTimeInterval: pause)
                pause = min(pause * 2, 1)
            case .failure(let error):
                logger.error("signals of this process are lost: \(error)")
                return false
            case .success, nil: return true
            }
        }
    }

    /// Spans of this process whose traces take no more are lost, and counted.
    private func withoutFullTraces(_ events: [SignalEvent]) -> [SignalEvent] {
        let full = fullTraces.ids
        guard !full.isEmpty else { return events }
        let refused = events.filter { event in event.span.map { full.contains($0.traceID) } ?? false }
        guard !refused.isEmpty else { return events }
        lost(Losses(refused), "trace_full")
        return events.filter { event in event.span.map { !full.contains($0.traceID) } ?? true }
    }

    /// Redacts and cuts what came from this process or as events, then puts it in the journal's form.
    private func prepared(
        _ events: [SignalEvent],
        _ edge: SignalEdge
    ) throws(EngineError) -> EventBatch {
        let minimum = configuration.bus.logLevel
        let loud = events.filter { event in
            if case .log(let log) = event { log.level >= minimum } else { true }
        }
        do throws(OTLPError) {
            return try EventBatch(
                loud.map(edge.cleaned),
                receivedAt: clock.now(),
                workers: workers.count,
                isStored: store != nil
            )
        } catch {
            throw EngineError(code: .malformed, detail: "\(error)")
        }
    }

    private func accept(
        _ batch: EventBatch,
        completion: @escaping @Sendable (Result<SubmissionReceipt, EngineError>) -> Void
    ) {
        let now = clock.now()
        guard !batch.parts.isEmpty else { return completion(.success(SubmissionReceipt())) }
        guard let store else {
            dispatch(batch, receipt: nil, now)
            return completion(.success(batch.receiptWithoutStore))
        }
        let submission = Submission(
            chunks: batch.chunks,
            scores: batch.scores,
            feedback: batch.feedback,
            receivedAt: now
        ) { [self] result in
            // On the writer's thread, in the order of the journal: workers see batches in that order.
            if case .success(let receipt) = result { dispatch(batch, receipt: receipt, now) }
            completion(result.mapError { EngineError($0) })
        }
        do throws(StoreError) {
            try store.submit(submission)
        } catch {
            completion(.failure(EngineError(error)))
        }
    }

    private func dispatch(_ batch: EventBatch, receipt: SubmissionReceipt?, _ now: Timestamp) {
        for part in batch.parts {
            switch part {
            case .spans(let request, let chunks, let first):
                guard let receipt else {
                    dispatch(request, known: [], sequence: 0, sequences: [:])
                    continue
                }
                dispatch(request, chunks, receipt, first..<first + chunks.count)
            case .events(let events, let partition, let chunk):
                let sequence = receipt?.sequences[chunk] ?? 0
                workers[partition % workers.count].enqueue(
                    .events(events, partition: partition, sequence: sequence, receivedAt: now)
                )
            case .annotation(let annotation, let place):
                let receipts: [AnnotationReceipt]? =
                    switch annotation {
                    case .score: receipt?.scores
                    case .feedback: receipt?.feedback
                    }
                dispatch(annotation, receipts?[place], now)
            }
        }
    }

    func isDerived(_ name: String) -> Bool {
        name.hasPrefix("nightjar_")
            || (name.hasPrefix(configuration.metricsPrefix)
                && Catalogue.names.contains(String(name.dropFirst(configuration.metricsPrefix.count))))
    }
}

extension EventBatch {
    /// What is answered where nothing is stored.
    fileprivate var receiptWithoutStore: SubmissionReceipt {
        var receipt = SubmissionReceipt()
        receipt.scores = scores.map { AnnotationReceipt(id: $0.id, replaced: false, pending: false) }
        receipt.feedback = feedback.map { AnnotationReceipt(id: $0.id, replaced: false, pending: false) }
        return receipt
    }
}
