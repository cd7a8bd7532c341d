package import CNightjarSignals
package import NightjarBus
package import NightjarSignals

/// Keeps everything that rules emit, in order.
package final class RecordingReceiver: EmissionReceiver {
    /// One observation.
    package struct Observation: Equatable {
        /// The metric's name.
        package let name: String
        /// The value.
        package let value: Double
        /// The labels as they were given.
        package let labels: [String: String]
        /// The time it is of.
        package let time: Timestamp
    }

    /// The observations.
    package private(set) var metrics: [Observation] = []
    /// The verdicts.
    package private(set) var scores: [Score] = []
    /// The feedback.
    package private(set) var feedbacks: [Feedback] = []
    /// The log lines.
    package private(set) var logs: [Log] = []
    /// Whose emissions come in.
    package var origin: EmissionOrigin? {
        didSet { if keepsOrigins, let origin { origins.append(origin) } }
    }
    /// Whether origins are kept.
    package var keepsOrigins = false
    /// The origins, in the order in which they were told.
    package private(set) var origins: [EmissionOrigin] = []
    private let registry: MetricRegistry

    /// A receiver that finds names in a registry.
    package init(_ registry: MetricRegistry) { self.registry = registry }

    /// The sum of a metric's values.
    package func total(_ name: String) -> Double {
        metrics.filter { $0.name == name }.reduce(0) { $0 + $1.value }
    }

    /// Forgets everything.
    package func clear() {
        metrics = []
        scores = []
        feedbacks = []
        logs = []
    }

    /// Keeps an observation.
    package func metric(
        _ instrument: InstrumentID,
        value: Double,
        labels: UnsafeBufferPointer<nj_label>,
        at time: Timestamp
    ) {
        let pairs = labels.map { ($0.name.string ?? "", $0.value.string ?? "") }
        metrics.append(
            Observation(
                name: registry.descriptor(instrument).name,
                value: value,
                labels: Dictionary(pairs) { first, _ in first },
                time: time
            )
        )
    }

    /// Keeps a verdict.
    package func score(_ score: Score) { scores.append(score) }
    /// Keeps feedback.
    package func feedback(_ feedback: Feedback) { feedbacks.append(feedback) }
    /// Keeps a log line.
    package func log(_ log: Log) { logs.append(log) }
}
