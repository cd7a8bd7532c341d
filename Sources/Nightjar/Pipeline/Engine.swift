import Foundation
package import Logging
package import NightjarBus
import NightjarExtraction
import NightjarOTLP
package import NightjarPlugins
package import NightjarSignals
package import NightjarStore

/// The event path, wired: input → journal → workers (settling, extraction, rules) → effects → store. Safe to use from any
/// thread; the server and the library are two faces of it.
package final class Engine: Sendable {
    /// What became of a request of spans.
    package struct IngestOutcome: Sendable {
        /// How many spans were taken.
        package let accepted: Int
        /// How many were refused.
        package let rejected: Int
        /// Why; nil where none were.
        package let message: String?
    }

    /// How it was set up.
    package let configuration: EngineConfiguration
    /// The metrics by name.
    package let registry: MetricRegistry
    /// What they have counted, as far as it is committed.
    package let ledger: SeriesLedger
    /// What cardinality protection dropped.
    package let cardinality: CardinalityReport
    /// The store; nil where nothing is stored.
    package let store: SQLiteStore?
    /// The plugins; nil where none are loaded.
    package let plugins: PluginHost?

    /// Where the store is read.
    package let reads = ReadQueue()
    let reader = OTLPSpanReader()
    let clock: any PipelineClock
    private let workers: [Worker]
    private let logger: Logger

    /// Opens the store, loads the plugins, starts the workers and goes on where the last run stopped.
    /// - Throws: ``StoreError`` or ``MetricError`` when it cannot start, saying why.
    package init(
        _ configuration: EngineConfiguration,
        logger: Logger,
        clock: any PipelineClock = SystemClock()
    ) throws {
        self.configuration = configuration
        self.logger = logger
        self.clock = clock
        let registry = MetricRegistry()
        let table = SeriesTable()
        let ledger = SeriesLedger(table: table)
        let report = CardinalityReport { logger.warning("\($0)") }
        (self.registry, self.ledger, cardinality) = (registry, ledger, report)
        store = try configuration.store.map { try SQLiteStore(opening: $0, ledger: ledger) }
        // The host's own names come first: neither a plugin nor what is stored can take them.
        _ = try HostMetrics(registry)
        let catalogue = try Catalogue(
            registry,
            prefix: configuration.metricsPrefix,
            disabled: configuration.disabledMetrics
        )
        let recovery = try store?.recover() ?? Recovery()
        try table.restore(recovery.series, registry: registry)
        ledger.restore(recovery.series)
        let clock = clock
        plugins = configuration.pluginFolder.map {
            PluginHost.make(
                folder: $0,
                workers: configuration.workers,
                registry: registry,
                clock: clock,
                logger: logger
            )
        }
        // Before anything is processed: what was not stored before a stop is processed by the rules too.
        plugins?.loadAll()
        let blueprint = CoreBlueprint(
            configuration: configuration,
            registry: registry,
            table: table,
            report: report,
            catalogue: catalogue,
            store: store,
            plugins: plugins,
            progress: recovery.progress,
            logger: logger
        )
        let sink: any EffectsSink = store.map { StoreSink(store: $0) } ?? LedgerSink(ledger: ledger)
        workers = (0..<configuration.workers).map { index in
            Worker(name: "nightjar-\(index)", sink: sink, clock: clock) { blueprint.makeCore(worker: index) }
        }
        try resume(recovery)
        plugins?.startWatching()
    }

    /// Takes a body of spans: returns when it is on disk (or accepted, where nothing is stored).
    /// - Throws: ``EngineError``; nothing of the body was taken then.
    package func ingest(_ body: Payload, encoding: TraceEncoding) async throws(EngineError) -> IngestOutcome {
        let request: TraceRequest
        do throws(OTLPError) {
            request = try TraceRequest.decode(
                body,
                encoding: encoding == .json ? .json : .protobuf,
                receivedAt: clock.now(),
                workers: workers.count
            )
        } catch {
            throw EngineError(code: error.code == .tooLarge ? .tooLarge : .malformed, detail: "\(error)")
        }
        if request.spanCount > 0 { try await accept(request, receivedAt: now) }
        return IngestOutcome(
            accepted: request.spanCount + request.dropped,
            rejected: request.rejected,
            message: request.rejectedMessage
        )
    }

    /// Takes scores and feedback; returns when they are on disk.
    /// - Throws: ``EngineError``; nothing was taken then.
    package func annotate(
        scores: [Score],
        feedback: [Feedback]
    ) async throws(EngineError) -> (scores: [AnnotationReceipt], feedback: [AnnotationReceipt]) {
        try checkRoom()
        let now = clock.now()
        guard let store else {
            for score in scores { dispatch(.score(score), isKnown: true, now) }
            for item in feedback { dispatch(.feedback(item), isKnown: true, now) }
            return (
                scores.map { AnnotationReceipt(id: $0.id, replaced: false, pending: false) },
                feedback.map { AnnotationReceipt(id: $0.id, replaced: false, pending: false) }
            )
        }
        let receipt = try await submit(to: store) { completion in
            Submission(scores: scores, feedback: feedback, receivedAt: now) { [self] result in
                if case .success(let receipt) = result {
                    for (score, one) in zip(scores, receipt.scores) {
                        dispatch(.score(score), isKnown: !one.pending, now)
                    }
                    for (item, one) in zip(feedback, receipt.feedback) {
                        dispatch(.feedback(item), isKnown: !one.pending, now)
                    }
                }
                completion(result)
            }
        }
        return (receipt.scores, receipt.feedback)
    }

    /// Returns when everything taken before has been processed and its effects are durable; false after 30 s.
    package func flush() async -> Bool { await reach(WorkItem.barrier) }

    /// Settles and ends every trace as if nothing more could come, then flushes; false after 30 s.
    package func finish() async -> Bool { await reach(WorkItem.finish) }

    /// Finishes what was taken, stops the workers and closes the store. Later calls are refused.
    package func shutdown() async {
        plugins?.stop()
        for worker in workers { worker.close() }
        let end = Date(timeIntervalSinceNow: 5)
        for worker in workers where !worker.wait(until: end) {
            logger.error("a worker did not stop in time; what it had not finished is done at the next start")
        }
        do {
            try store?.close()
        } catch {
            logger.error("the store did not close cleanly: \(error)")
        }
    }

    // MARK: - On the way in

    private func accept(_ request: TraceRequest, receivedAt: Timestamp) async throws(EngineError) {
        guard let store else { return dispatch(request, known: [], sequence: 0) }
        let chunks = request.chunks()
        _ = try await submit(to: store) { completion in
            Submission(
                chunks: chunks.map(JournalChunk.init),
                receivedAt: receivedAt
            ) { [self] result in
                // On the writer's thread, in the order of the journal: workers see requests in that order.
                if case .success(let receipt) = result {
                    let known = zip(chunks, receipt.isNewTrace).filter { !$1 }.map(\.0.traceID)
                    dispatch(request, known: Set(known), sequence: receipt.sequences.last ?? 0)
                }
                completion(result)
            }
        }
    }

    private func submit(
        to store: SQLiteStore,
        _ make: (@escaping Submission.Completion) -> Submission
    ) async throws(EngineError) -> SubmissionReceipt {
        let result: Result<SubmissionReceipt, StoreError> = await withCheckedContinuation { continuation in
            do throws(StoreError) {
                try store.submit(make { continuation.resume(returning: $0) })
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        switch result {
        case .success(let receipt): return receipt
        case .failure(let error): throw EngineError(error)
        }
    }

    private func checkRoom() throws(EngineError) {
        guard workers.allSatisfy({ $0.queuedBytes < configuration.queueBytes }) else {
            throw EngineError(
                code: .overloaded,
                detail: "the workers are \(configuration.queueBytes) bytes behind; send again later"
            )
        }
    }

    private func dispatch(_ request: TraceRequest, known: Set<TraceID>, sequence: Int64) {
        for (index, worker) in workers.enumerated() {
            let slabs = request.slabs.filter { $0.worker == index }.map(\.slab)
            if !slabs.isEmpty { worker.enqueue(.spans(slabs, known: known, sequence: sequence)) }
        }
    }

    private func dispatch(_ annotation: Annotation, isKnown: Bool, _ now: Timestamp) {
        let partition = annotation.traceID.map(Partition.of) ?? 0
        workers[partition % workers.count].enqueue(
            .annotation(annotation, isKnown: isKnown, receivedAt: now)
        )
    }

    // MARK: - Going on after a start

    private func resume(_ recovery: Recovery) throws {
        for record in recovery.openTraces {
            workers[Partition.of(record.id) % workers.count].enqueue(.restore(record.id))
        }
        var replayed = 0
        try store?.replay { chunk in
            guard let request = readable(chunk) else { return }
            dispatch(request, known: chunk.traceID.map { [$0] } ?? [], sequence: chunk.sequence)
            replayed += 1
            waitForRoom()
        }
        if replayed > 0 { logger.info("went on after a stop: \(replayed) requests processed again") }
        for score in recovery.scores { try recount(.score(score), at: score.timestamp) }
        for item in recovery.feedback { try recount(.feedback(item), at: item.timestamp) }
        for worker in workers { worker.enqueue(.resumed) }
    }

    /// The spans of a chunk; nil, and a line in the log, where it cannot be read any more: it must not stop every start.
    private func readable(_ chunk: StoredChunk) -> TraceRequest? {
        do throws(OTLPError) {
            return try TraceRequest.decode(
                Payload(chunk.payload),
                encoding: .protobuf,
                receivedAt: chunk.receivedAt,
                workers: workers.count
            )
        } catch {
            logger.error("chunk \(chunk.sequence) of the journal cannot be read and is left out: \(error)")
            return nil
        }
    }

    private func recount(_ annotation: Annotation, at time: Timestamp) throws {
        let isKnown = try annotation.traceID.map { try store?.trace($0) != nil } ?? false
        dispatch(annotation, isKnown: isKnown, time)
    }

    /// Holds a replay back while the workers are behind, so that memory stays bounded.
    private func waitForRoom() {
        for worker in workers where worker.queuedBytes > configuration.queueBytes {
            let room = DispatchSemaphore(value: 0)
            worker.enqueue(.barrier { room.signal() })
            _ = room.wait(timeout: .now() + 30)
        }
    }

    private func reach(_ make: (@escaping @Sendable () -> Void) -> WorkItem) async -> Bool {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .unbounded)
        for worker in workers where !worker.enqueue(make { continuation.yield() }) { continuation.yield() }
        let count = workers.count
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                var iterator = stream.makeAsyncIterator()
                for _ in 0..<count { guard await iterator.next() != nil else { return false } }
                return true
            }
            group.addTask {
                try? await Task.sleep(for: .seconds(30))  // cancelled when the barrier was faster
                return false
            }
            let reached = await group.next() ?? false
            group.cancelAll()
            return reached
        }
    }
}

/// How a body of spans is written.
package enum TraceEncoding: Sendable {
    /// OTLP protobuf.
    case protobuf
    /// OTLP JSON.
    case json
}
