import NightjarSignals

/// The metrics that the host keeps about itself; their names are all in this file.
package struct HostMetrics: Sendable {
    /// The name of `labelsDropped`, for who reads it back.
    static let labelsDroppedName = "nightjar_labels_dropped_total"

    /// Labels dropped by cardinality protection, by metric, label and reason.
    package let labelsDropped: InstrumentID
    /// Observations that were refused, by reason.
    package let metricsRejected: InstrumentID
    /// Event times that lay too far ahead of their receipt.
    package let metricTimeClamped: InstrumentID
    /// Spans that were changed after they had been counted.
    package let lateChanges: InstrumentID
    /// Spans whose end lies before their start.
    package let clockSkew: InstrumentID
    /// Scores and feedback that replaced an earlier one.
    package let scoresReplaced: InstrumentID
    /// Spans counted before their ancestors were known, because too much waited.
    package let settledEarly: InstrumentID
    /// Spans taken in.
    package let spansReceived: InstrumentID

    private let all: Set<InstrumentID>

    /// Declares them.
    package init(_ registry: MetricRegistry) throws(MetricError) {
        var all: Set<InstrumentID> = []
        func counter(_ name: String, _ help: String) throws(MetricError) -> InstrumentID {
            let id = try registry.instrument(InstrumentDescriptor(name: name, type: .counter, help: help))
            all.insert(id)
            return id
        }
        labelsDropped = try counter(
            Self.labelsDroppedName,
            "Labels dropped by cardinality protection"
        )
        metricsRejected = try counter("nightjar_metrics_rejected_total", "Observations that were refused")
        metricTimeClamped = try counter(
            "nightjar_metric_time_clamped_total",
            "Event times of metrics more than five minutes after receipt"
        )
        lateChanges = try counter("nightjar_late_changes_total", "Spans changed after they had been counted")
        clockSkew = try counter("nightjar_clock_skew_total", "Spans whose end lies before their start")
        scoresReplaced = try counter(
            "nightjar_scores_replaced_total",
            "Scores and feedback that replaced an earlier one"
        )
        settledEarly = try counter(
            "nightjar_settled_early_total",
            "Spans counted before their ancestors were known"
        )
        spansReceived = try counter("nightjar_spans_received_total", "Spans taken in")
        self.all = all
    }

    /// Whether a metric is one of these.
    package func contains(_ instrument: InstrumentID) -> Bool { all.contains(instrument) }
}
