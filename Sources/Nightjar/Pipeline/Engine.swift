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

    /// What exporters and subscribers hang on.
    package let bus: ObservabilityBus

    /// What is counted of those who read events live.
    package let live = LiveCounts()

    /// Where the store is read.
    package let reads: ReadQueue
    let reader = OTLPSpanReader()
    let clock: any PipelineClock
    let sampler: TraceSampler
    let edge: SignalEdge
    /// What is done to logs that came by OTLP: large values are cut as those of spans are, and nothing else.
    let receivedEdge: SignalEdge
    let workers: [Worker]
    let logger: Logger
    let isClosing = LockedValue(false)
    let retention: LockedValue<Retention?>
    let counts = HostCounts()
    let fullTraces = FullTraces()
    let payloads: PayloadRedactor

    /// Opens the store, loads the plugins, starts the workers and goes on where the last run stopped.
    /// - Throws: ``StoreError`` or ``MetricError`` when it cannot start, saying why.
    package init(
        _ configuration: EngineConfiguration,
        logger: Logger,
        clock: any PipelineClock = SystemClock()
    ) throws {
        (self.configuration, self.logger, self.clock) = (configuration, logger, clock)
        retention = LockedValue(configuration.retention)
        let registry = MetricRegistry()
        let table = SeriesTable()
        let ledger = SeriesLedger(table: table)
        let report = CardinalityReport { logger.warning("\($0)") }
        (self.registry, self.ledger, cardinality) = (registry, ledger, report)
        sampler = TraceSampler(configuration.sampling)
        let rules = RedactionRules(configuration.redaction)
        edge = SignalEdge(configuration, rules: rules)
        receivedEdge = SignalEdge(received: configuration, rules: rules)
        payloads = PayloadRedactor(configuration, rules: rules)
        bus = ObservabilityBus.make(configuration, clock: clock, logger: logger)
        reads = ReadQueue(patience: configuration.queryTimeout)
        store = try configuration.openStore(ledger)
        try configuration.declareNames(registry)
        let catalogue = try Catalogue(
            registry,
            prefix: configuration.metricsPrefix,
            disabled: configuration.disabledMetrics
        )
        let recovery = try store?.recover() ?? Recovery()
        try table.restore(recovery.series, registry: registry)
        table.reserve(below: recovery.firstFreeSeries)
        ledger.restore(recovery.series)
        plugins = try PluginHost.make(configuration, registry, store, clock: clock, logger: logger)
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
            sampler: sampler,
            outlet: SignalOutlet(bus: bus),
            edge: edge,
            fullTraces: fullTraces,
            logger: logger
        )
        let sink: any EffectsSink =
            store.map { StoreSink(store: $0) } ?? LedgerSink(ledger: ledger, now: { clock.now() })
        workers = (0..<configuration.workers).map { index in
            Worker(name: "nightjar-\(index)", sink: sink, clock: clock) { blueprint.makeCore(worker: index) }
        }
        try resume(recovery)
        plugins?.startWatching()
        tellRulesOfDrops()
    }

    /// Takes a body of spans: returns when it is on disk (or accepted, where nothing is stored).
    /// - Throws: ``EngineError``; nothing of the body was taken then.
    package func ingest(_ body: Payload, encoding: BodyEncoding) async throws(EngineError) -> IngestOutcome {
        try checkRoom()
        let request: TraceRequest
        do throws(OTLPError) {
            var payload = try TraceRequest.protobuf(body, encoding: encoding.otlp)
            if let redacted = try payloads.redacted(payload) { payload = redacted }
            request = try TraceRequest.decode(
                payload,
                encoding: .protobuf,
                receivedAt: clock.now(),
                workers: workers.count,
                limits: spanLimits
            )
        } catch {
            throw EngineError(error)
        }
        noteRefused(request)
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
        for trace in Set(scores.map(\.traceID) + feedback.map(\.traceID)) { try refuseSampledOut(trace) }
        let (scores, feedback) = (scores.map(edge.cleaned), feedback.map(edge.cleaned))
        let now = clock.now()
        guard let store else {
            for score in scores { dispatch(.score(score), nil, now) }
            for item in feedback { dispatch(.feedback(item), nil, now) }
            return (
                scores.map { AnnotationReceipt(id: $0.id, replaced: false, pending: false) },
                feedback.map { AnnotationReceipt(id: $0.id, replaced: false, pending: false) }
            )
        }
        let receipt = try await submit(to: store) { completion in
            Submission(scores: scores, feedback: feedback, receivedAt: now) { [self] result in
                if case .success(let receipt) = result {
                    for (score, one) in zip(scores, receipt.scores) { dispatch(.score(score), one, now) }
                    for (item, one) in zip(feedback, receipt.feedback) {
                        dispatch(.feedback(item), one, now)
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
        isClosing.update { $0 = true }
        plugins?.stop()
        for worker in workers { worker.close() }
        let end = Date(timeIntervalSinceNow: 5)
        for worker in workers where !worker.wait(until: end) {
            logger.error("a worker did not stop in time; what it had not finished is done at the next start")
        }
        let isExported = await Barrier.wait(count: 1, limit: configuration.exportPatience) { [bus] done in
            // Not waited for beyond the limit: an exporter that hangs must not keep the store from closing.
            Task {
                await bus.shutdown()
                done()
            }
        }
        // No worker calls a plugin any more, and the store still takes what they keep.
        plugins?.saveStates()
        if !isExported { logger.error("exporters did not take everything in time; what they held is lost") }
        do {
            try store?.close()
        } catch {
            logger.error("the store did not close cleanly: \(error)")
        }
    }

    // MARK: - On the way in

    private func accept(_ request: TraceRequest, receivedAt: Timestamp) async throws(EngineError) {
        guard let store else { return dispatch(request, known: [], sequence: 0, sequences: [:]) }
        let chunks = request.chunks()
        _ = try await submit(to: store) { completion in
            var submission = Submission(
                chunks: chunks.map(JournalChunk.init),
                receivedAt: receivedAt
            ) { [self] result in
                // On the writer's thread, in the order of the journal: workers see requests in that order.
                if case .success(let receipt) = result {
                    dispatch(request, chunks, receipt, chunks.indices)
                }
                completion(result)
            }
            submission.heldBytes = request.slabs.reduce(0) { $0 + $1.slab.retainedBytes }
            return submission
        }
    }

    func submit(
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

    func checkRoom() throws(EngineError) {
        guard workers.allSatisfy({ $0.queuedBytes < configuration.queueBytes }) else {
            throw EngineError(
                code: .overloaded,
                detail: "the workers are \(configuration.queueBytes) bytes behind; send again later"
            )
        }
    }

    func dispatch(
        _ request: TraceRequest,
        known: Set<TraceID>,
        sequence: Int64,
        sequences: [TraceID: Int64]
    ) {
        for (index, worker) in workers.enumerated() {
            let slabs = request.slabs.filter { $0.worker == index }.map(\.slab)
            guard !slabs.isEmpty else { continue }
            worker.enqueue(.spans(slabs, known: known, sequence: sequence, sequences: sequences))
        }
    }

    /// Hands an annotation to its worker; without a receipt nothing is stored.
    func dispatch(_ annotation: Annotation, _ receipt: AnnotationReceipt?, _ now: Timestamp) {
        let partition = annotation.traceID.map(Partition.of) ?? 0
        workers[partition % workers.count].enqueue(
            .annotation(
                annotation,
                isKnown: receipt?.pending != true,
                isReplacement: receipt?.replaced ?? false,
                receivedAt: now
            )
        )
    }

    // MARK: - Going on after a start

    private func resume(_ recovery: Recovery) throws {
        for record in recovery.openTraces {
            workers[Partition.of(record.id) % workers.count].enqueue(.restore(record.id))
        }
        var replayed = 0
        try store?.replay { chunk in
            replay(chunk)
            replayed += 1
            waitForRoom()
        }
        if replayed > 0 { logger.info("went on after a stop: \(replayed) requests processed again") }
        for score in recovery.scores { try recount(.score(score), at: score.timestamp) }
        for item in recovery.feedback { try recount(.feedback(item), at: item.timestamp) }
        for score in recovery.replacedScores {
            try recount(.score(score), at: score.timestamp, isReplacement: true)
        }
        for item in recovery.replacedFeedback {
            try recount(.feedback(item), at: item.timestamp, isReplacement: true)
        }
        for worker in workers { worker.enqueue(.resumed) }
    }

    private func replay(_ chunk: StoredChunk) {
        switch chunk.kind {
        case .spans:
            guard let trace = chunk.traceID, let request = readable(chunk) else { return }
            dispatch(
                request,
                known: [trace],
                sequence: chunk.sequence,
                sequences: [trace: chunk.sequence]
            )
        case .events:
            if let body = ReceivedRequest.body(ofJournalled: chunk.payload) {
                return replay(body, of: chunk)
            }
            let (events, faults) = EventLines.decode(chunk.payload, now: chunk.receivedAt)
            for fault in faults {
                logger.error("chunk \(chunk.sequence) of the journal, \(fault); the line is left out")
            }
            workers[chunk.partition % workers.count].enqueue(
                .events(
                    events,
                    partition: chunk.partition,
                    sequence: chunk.sequence,
                    receivedAt: chunk.receivedAt
                )
            )
        }
    }

    /// The spans of a chunk; nil, and a line in the log, where it cannot be read any more: it must not stop every start.
    private func readable(_ chunk: StoredChunk) -> TraceRequest? {
        do throws(OTLPError) {
            return try TraceRequest.decode(
                Payload(chunk.payload),
                encoding: .protobuf,
                receivedAt: chunk.receivedAt,
                workers: workers.count,
                limits: .taken
            )
        } catch {
            logger.error("chunk \(chunk.sequence) of the journal cannot be read and is left out: \(error)")
            return nil
        }
    }

    private func recount(_ annotation: Annotation, at time: Timestamp, isReplacement: Bool = false) throws {
        let isKnown = try annotation.traceID.map { try store?.trace($0) != nil } ?? false
        let id = annotation.id
        dispatch(annotation, AnnotationReceipt(id: id, replaced: isReplacement, pending: !isKnown), time)
    }

    /// Holds a replay back while the workers are behind, so that memory stays bounded.
    func waitForRoom() {
        for worker in workers where worker.queuedBytes > configuration.queueBytes {
            let room = DispatchSemaphore(value: 0)
            worker.enqueue(.barrier { room.signal() })
            _ = room.wait(timeout: .now() + 30)
        }
    }

    private func reach(_ make: (@escaping @Sendable () -> Void) -> WorkItem) async -> Bool {
        await Barrier.wait(count: workers.count, limit: .seconds(30)) { done in
            for worker in workers where !worker.enqueue(make(done)) { done() }
        }
    }
}

/// How a body of spans is written.
package enum BodyEncoding: Sendable {
    /// OTLP protobuf.
    case protobuf
    /// OTLP JSON.
    case json
}
