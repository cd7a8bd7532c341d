package import NightjarBus
import NightjarExtraction
import NightjarOTLP
package import NightjarPlugins
package import NightjarSignals
package import NightjarStore

/// Recorded events through extraction and plugins, with no server and nothing stored: the same path as live events, on the
/// caller's thread.
package final class RecordedRun {
    /// One observation of a metric.
    package struct Observation: Sendable {
        /// The series that it was added to.
        package let series: StoredSeries
        /// The value.
        package let value: Double
        /// The event's time.
        package let time: Timestamp
    }

    /// Why a recording could not be read.
    package struct InputFault: Error, CustomStringConvertible {
        /// What is wrong, with the place in the recording.
        package let description: String
    }

    /// Which observations are kept one by one; every one counts in the totals.
    package enum KeptObservations: Sendable {
        /// All of them.
        case all
        /// Those of plugins' metrics.
        case ofPlugins
        /// None of them.
        case none
    }

    /// How a run differs from one over a recording.
    package struct Settings {
        /// Which observations are kept one by one.
        package var observations = KeptObservations.all
        /// Whether of the plugins' rules only the scorers run.
        package var onlyScorers = false
        /// Where rules find other traces, and what was said of theirs; nil: nowhere.
        package var stored: (any StoredTraces)?
        /// Whether spans that were taken from there may be read back, so that not all of them are held.
        package var recalls = false

        /// A run over a recording.
        package init() {}
    }

    /// Observations in the order in which they were made.
    package private(set) var observations: [Observation] = []
    /// Scores that rules gave.
    package internal(set) var scores: [Score] = []
    /// Feedback that rules gave.
    package private(set) var feedback: [Feedback] = []
    /// What rules logged or printed.
    package internal(set) var logs: [Log] = []
    /// How many spans were read.
    package internal(set) var spanCount = 0
    /// How many spans were refused.
    package internal(set) var rejectedCount = 0

    let core: WorkerCore
    let clock: any PipelineClock
    /// The ids of the scores that rules gave.
    private(set) var scoreIDs: Set<String> = []
    private let ledger: SeriesLedger
    private let sink: LedgerSink

    /// A run through the built-in extraction and, where there are any, plugins.
    package init(
        plugins: PluginSetSource?,
        registry: MetricRegistry,
        clock: any PipelineClock = SystemClock(),
        settings: Settings = Settings(),
        warn: @escaping @Sendable (String) -> Void
    ) throws(MetricError) {
        self.clock = clock
        let table = SeriesTable()
        ledger = SeriesLedger(table: table)
        sink = LedgerSink(ledger: ledger, now: { clock.now() })
        let aggregator = try MetricAggregator(
            registry: registry,
            table: table,
            configuration: CardinalityConfiguration(),
            report: CardinalityReport(warn: warn)
        )
        var configuration = TraceConfiguration()
        let source = settings.recalls ? settings.stored.map(StoredTraceSource.init) : nil
        // A recording has its end: nothing has to be let go before it.
        if source == nil { configuration.retainedBytes = .max }
        // What the records of traces hold is little; without them late spans would be traces of their own.
        (configuration.rememberedTraces, configuration.rememberedSpans) = (1_000_000, .max)
        core = WorkerCore(
            assembler: TraceAssembler(configuration, source: source, completing: SpanCompletion.complete),
            aggregator: aggregator,
            catalogue: try Catalogue(registry),
            rules: { traces in
                plugins.map {
                    PluginSession(
                        $0,
                        worker: 0,
                        reader: OTLPSpanReader(),
                        traces: traces,
                        onlyScorers: settings.onlyScorers
                    )
                }
            },
            store: settings.stored,
            decode: StoredTraceSource.slabs,
            idleTimeout: configuration.idleTimeout,
            source: source,
            edge: SignalEdge(EngineConfiguration(cores: 1), rules: RedactionRules(RedactionConfiguration()))
        )
        guard settings.observations != .none else { return }
        core.observer = { [unowned self] series, value, time in
            let series = table.series(series)
            guard settings.observations == .all || !Self.isBuiltIn(series.instrument.name) else { return }
            observations.append(Observation(series: series, value: value, time: time))
        }
    }

    /// Takes one recorded body in: OTLP protobuf or JSON, or events as JSON lines; gzip, zlib or neither.
    /// - Throws: ``InputFault`` with the place of the fault; nothing of the body is taken then.
    package func add(_ bytes: [UInt8]) throws(InputFault) {
        do {
            let body = try inflated(Payload(bytes))
            let now = clock.now()
            if let events = try events(body, now) {
                try add(events, now)
            } else {
                let isJSON = body.bytes.first { $0 > 0x20 } == UInt8(ascii: "{")
                add(
                    try TraceRequest.decode(
                        body,
                        encoding: isJSON ? .json : .protobuf,
                        receivedAt: now,
                        workers: 1
                    )
                )
            }
            collect()
        } catch {
            throw InputFault(description: "\(error)")
        }
    }

    /// Takes events in, as a server would.
    /// - Throws: ``InputFault`` where one cannot be.
    package func add(_ events: [SignalEvent]) throws(InputFault) {
        let now = clock.now()
        do throws(OTLPError) {
            try add(events, now)
        } catch {
            throw InputFault(description: "\(error)")
        }
        // A batch leaves losses out, which a server learns of by itself.
        let losses = events.filter { $0.signal == .drop }
        if !losses.isEmpty {
            core.handle(.events(losses, partition: 0, sequence: 0, receivedAt: now), now: now)
        }
        collect()
    }

    /// The lines of plugins that ran, by source, where they were loaded to be watched.
    package var coveredLines: [String: Set<Int>] { core.coveredLines }

    func add(_ request: TraceRequest, sequence: Int64 = 0) {
        spanCount += request.spanCount
        rejectedCount += request.rejected
        core.handle(
            .spans(request.slabs.map(\.slab), known: [], sequence: sequence, sequences: [:]),
            now: clock.now()
        )
    }

    /// Events take the way that they take in a server: what is derived is derived anew.
    func add(_ events: [SignalEvent], _ now: Timestamp) throws(OTLPError) {
        let own = events.filter { event in
            if case .metric(let metric) = event { !Self.isBuiltIn(metric.name) } else { true }
        }
        let batch = try EventBatch(own, receivedAt: now, workers: 1, isStored: false)
        for part in batch.parts {
            switch part {
            case .spans(let request, _, _): add(request)
            case .events(let events, let partition, _):
                core.handle(
                    .events(events, partition: partition, sequence: 0, receivedAt: now),
                    now: now
                )
            case .annotation(let annotation, _):
                core.handle(
                    .annotation(annotation, isKnown: true, isReplacement: false, receivedAt: now),
                    now: now
                )
            }
        }
    }

    /// The events of JSON lines; nil where the first line is none, as in OTLP.
    private func events(_ body: Payload, _ now: Timestamp) throws -> [SignalEvent]? {
        defer { withExtendedLifetime(body) {} }
        let lines = body.bytes.split(separator: UInt8(ascii: "\n")).filter { $0.contains { $0 > 0x20 } }
        // A line that is no JSON is OTLP, or a fault that its decoder tells better.
        guard let first = lines.first, let value = try? Value(jsonBytes: Array(first)),
            let type = value["type"]?.string, SignalEvent.names.contains(type)
        else { return nil }
        let (events, faults) = EventLines.decode(Array(body.bytes), now: now)
        if let fault = faults.first { throw InputFault(description: fault) }
        return events
    }

    /// Ends every trace, as if nothing more could come.
    package func finish() {
        core.handle(.finish {}, now: clock.now())
        _ = core.takeBarriers()
        collect()
    }

    /// What every series has counted.
    package var totals: [StoredSeries] { ledger.snapshot() }

    /// Whether a metric is one of the catalogue's or the host's own.
    package static func isBuiltIn(_ name: String) -> Bool {
        name.hasPrefix("nightjar_") || Catalogue.names.contains(name)
    }

    func collect() {
        let effects = core.take(ticket: 0)
        for score in effects.scores { scoreIDs.insert(score.id) }
        scores += effects.scores
        feedback += effects.feedback
        logs += effects.logs
        sink.commit(effects) {}
    }

    private func inflated(_ payload: Payload) throws(OTLPError) -> Payload {
        let bytes = payload.bytes
        if bytes.count > 2, bytes[0] == 0x1F, bytes[1] == 0x8B {
            return try ContentInflater().inflate(bytes, encoding: .gzip)
        }
        // A zlib header: method 8, and a check that makes the first two bytes a multiple of 31.
        if bytes.count > 2, bytes[0] == 0x78, (Int(bytes[0]) << 8 | Int(bytes[1])) % 31 == 0 {
            return try ContentInflater().inflate(bytes, encoding: .deflate)
        }
        return payload
    }
}
