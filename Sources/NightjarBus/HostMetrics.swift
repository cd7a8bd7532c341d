import NightjarSignals

/// The metrics that the host keeps about itself; their names are all in this file.
package struct HostMetrics: Sendable {
    /// Labels dropped by cardinality protection, by metric, label and reason.
    package let labelsDropped: InstrumentID
    /// Observations that were refused, by reason.
    package let metricsRejected: InstrumentID
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

    /// Declares them.
    package init(_ registry: MetricRegistry) throws(MetricError) {
        func counter(_ name: String, _ help: String) throws(MetricError) -> InstrumentID {
            try registry.instrument(InstrumentDescriptor(name: name, type: .counter, help: help))
        }
        labelsDropped = try counter(
            "nightjar_labels_dropped_total",
            "Labels dropped by cardinality protection"
        )
        metricsRejected = try counter("nightjar_metrics_rejected_total", "Observations that were refused")
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
    }
}
