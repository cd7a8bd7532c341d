package import NightjarBus
import NightjarExtraction
import NightjarOTLP
package import NightjarPlugins
package import NightjarSignals

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

    /// Observations in the order in which they were made.
    package private(set) var observations: [Observation] = []
    /// Scores that rules gave.
    package private(set) var scores: [Score] = []
    /// Feedback that rules gave.
    package private(set) var feedback: [Feedback] = []
    /// What rules logged or printed.
    package private(set) var logs: [Log] = []
    /// How many spans were read.
    package private(set) var spanCount = 0
    /// How many spans were refused.
    package private(set) var rejectedCount = 0

    private let core: WorkerCore
    private let ledger: SeriesLedger
    private let sink: LedgerSink
    private let clock: any PipelineClock

    /// A run through the built-in extraction and, where there are any, plugins.
    package init(
        plugins: PluginSetSource?,
        registry: MetricRegistry,
        clock: any PipelineClock = SystemClock(),
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
        // A recording has its end: nothing has to be let go before it.
        configuration.retainedBytes = .max
        core = WorkerCore(
            assembler: TraceAssembler(configuration, source: nil),
            aggregator: aggregator,
            catalogue: try Catalogue(registry),
            rules: { traces in
                plugins.map {
                    PluginSession($0, worker: 0, reader: OTLPSpanReader(), traces: traces)
                }
            },
            idleTimeout: configuration.idleTimeout,
            source: nil,
            edge: SignalEdge(EngineConfiguration(cores: 1), rules: RedactionRules(RedactionConfiguration()))
        )
        core.observer = { [unowned self] series, value, time in
            observations.append(Observation(series: table.series(series), value: value, time: time))
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

    /// Does what is due at the clock's time: timers, ends of traces.
    package func advance() {
        core.advance(now: clock.now())
        collect()
    }

    /// The lines of plugins that ran, by source, where they were loaded to be watched.
    package var coveredLines: [String: Set<Int>] { core.coveredLines }

    private func add(_ request: TraceRequest) {
        spanCount += request.spanCount
        rejectedCount += request.rejected
        core.handle(
            .spans(request.slabs.map(\.slab), known: [], sequence: 0, sequences: [:]),
            now: clock.now()
        )
    }

    /// Events take the way that they take in a server: what is derived is derived anew.
    private func add(_ events: [SignalEvent], _ now: Timestamp) throws(OTLPError) {
        let own = events.filter { event in
            if case .metric(let metric) = event { !Self.isBuiltIn(metric.name) } else { true }
        }
        let batch = try EventBatch(own, receivedAt: now, workers: 1)
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
        collect()
    }

    /// What every series has counted.
    package var totals: [StoredSeries] { ledger.snapshot() }

    /// Whether a metric is one of the catalogue's or the host's own.
    package static func isBuiltIn(_ name: String) -> Bool {
        name.hasPrefix("nightjar_") || Catalogue.names.contains(name)
    }

    private func collect() {
        let effects = core.take(ticket: 0)
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
