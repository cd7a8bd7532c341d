import NightjarBus
import NightjarOTLP
import NightjarSignals
package import NightjarStore

extension Engine {
    /// Keeps what is stored for so long from now on; nil: for ever.
    package func setRetention(_ retention: Retention?) {
        self.retention.update { $0 = retention }
        store?.setRetention(retention)
    }

    /// Deletes what a request says, or counts what it would delete; at most a few seconds at once. An outcome that is not done is
    /// gone on with by the same request.
    /// - Throws: ``EngineError`` where nothing is stored or the store cannot do it now.
    package func cleanup(_ request: CleanupRequest) async throws -> CleanupOutcome {
        guard let store else {
            throw EngineError(code: .malformed, detail: "nothing is stored: the server runs with --db none")
        }
        let kept = retention.value?.scores
        let keepsScores = kept.map { clock.now().advanced(by: .zero - $0) < request.before } ?? false
        return try await reads.run { try store.cleanup(request, keepsScores: keepsScores) }
    }

    /// Bounds on the spans of a request.
    var spanLimits: TraceRequest.Limits {
        var limits = TraceRequest.Limits()
        limits.spanBytes = configuration.spanBytes
        limits.fullTraces = fullTraces.ids
        if let oldest { limits.oldestUnixNano = UInt64(max(oldest.unixNano, 0)) }
        return limits
    }

    private var oldest: Timestamp? {
        configuration.refuseOlderThan.map { clock.now().advanced(by: .zero - $0) }
    }

    /// Counts spans that were refused for their age, or for the size of their trace.
    func noteRefused(_ request: TraceRequest) {
        counts.refuse(spans: request.tooOld, "too_old")
        counts.refuse(spans: request.ofFullTraces, "trace_full")
    }

    /// - Throws: ``EngineError`` `tooLarge` where a span is of a trace that takes no more.
    func refuseOfFullTraces(_ events: [SignalEvent]) throws(EngineError) {
        let full = fullTraces.ids
        guard !full.isEmpty else { return }
        let spans = events.compactMap(\.span).filter { full.contains($0.traceID) }
        guard let first = spans.first else { return }
        counts.refuse(spans: spans.count, "trace_full")
        throw EngineError(
            code: .tooLarge,
            detail: "trace \(first.traceID) has as many spans as a trace may have (limits.traceSpans, "
                + "limits.traceBytes); begin another trace"
        )
    }

    /// - Throws: ``EngineError`` `malformed` where a span is too old to be taken.
    func refuseOld(_ events: [SignalEvent]) throws(EngineError) {
        guard let oldest else { return }
        let old = events.compactMap(\.span).filter { max($0.startTime, $0.endTime ?? $0.startTime) < oldest }
        guard let first = old.first else { return }
        counts.refuse(spans: old.count, "too_old")
        throw EngineError(
            code: .malformed,
            detail:
                "span \(first.id) is older than retention.refuseOlderThan allows; leave it out, or take the key away"
        )
    }

    /// What sweeps deleted, and what was refused, as series of this process.
    var retentionSeries: [StoredSeries] {
        var series: [StoredSeries] = []
        func add(_ name: String, _ help: String, _ labels: [Label] = [], _ value: Double) {
            var total = SeriesTotal()
            (total.sum, total.count) = (value, UInt64(value))
            series.append(
                StoredSeries(
                    id: SeriesID(index: -1),
                    instrument: InstrumentDescriptor(name: name, type: .counter, help: help),
                    labels: labels,
                    total: total
                )
            )
        }
        for (reason, count) in counts.refusedSpans.sorted(by: { $0.key < $1.key }) {
            add(
                "nightjar_spans_refused_total",
                "Spans that were refused, by reason",
                [Label("reason", reason)],
                Double(count)
            )
        }
        guard let swept = store?.status.swept, swept.steps + swept.failures > 0 else { return series }
        for (signal, count) in swept.deleted {
            add(
                "nightjar_retention_deleted_total",
                "What was deleted because it was too old or too much",
                [Label("signal", signal)],
                Double(count)
            )
        }
        for (name, help, value) in [
            (
                "returned_bytes", "Bytes by which the database file became smaller",
                Double(swept.returnedBytes)
            ),
            ("sweeps", "Looks for what is too old that were finished", Double(swept.sweeps)),
            ("steps", "Steps of such looks", Double(swept.steps)),
            ("failures", "Steps that failed", Double(swept.failures)),
            ("seconds", "What the steps took of the writer's time", Double(swept.time.nanoseconds) / 1e9),
        ] {
            add("nightjar_retention_\(name)_total", help, [], value)
        }
        return series
    }
}

extension SweepCount {
    /// What was deleted, by kind, in the order in which it is shown.
    var deleted: [(signal: String, count: Int)] {
        [
            ("traces", traces), ("logs", logs), ("metrics", windows), ("scores", scores),
            ("feedback", feedback),
        ]
    }
}
