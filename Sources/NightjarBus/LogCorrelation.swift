package import NightjarSignals

/// What the log lines of a span, or of a whole trace, belong to, found out after they were stored: facts that a line has already
/// stay.
package struct LogCorrelation: Sendable, Equatable {
    /// The trace of the lines.
    package var traceID: TraceID
    /// The span of the lines; nil for those that name none.
    package var spanID: SpanID?
    /// The facts to fill in.
    package var correlation: Correlation

    /// A correlation.
    package init(traceID: TraceID, spanID: SpanID?, correlation: Correlation) {
        self.traceID = traceID
        self.spanID = spanID
        self.correlation = correlation
    }
}
