package import CNightjarSignals
package import NightjarSignals

/// Which plugins led to an emission: the one that made it last, before it those whose emissions led to the event that it was
/// called with.
package struct EmissionOrigin: Sendable, Equatable {
    /// Events born of emissions reach other plugins so many times over (plugin contract, section 6).
    package static let depth = 3

    /// The plugins by name, the first cause first.
    package let plugins: [String]

    /// An origin.
    package init(plugins: [String]) { self.plugins = plugins }

    /// Whether an event of this origin reaches a plugin.
    package func reaches(_ plugin: String) -> Bool {
        plugins.count <= Self.depth && !plugins.contains(plugin)
    }
}

/// Takes what a rule or an extractor emits while it handles one event, in order. Belongs to one worker.
package protocol EmissionReceiver: AnyObject {
    /// Whose emissions are given next; nil where they are no plugin's.
    var origin: EmissionOrigin? { get set }
    /// One observation. The labels are read during the call; those that the metric's policy refuses are left out.
    func metric(
        _ instrument: InstrumentID,
        value: Double,
        labels: UnsafeBufferPointer<nj_label>,
        at time: Timestamp
    )
    /// One observation of a rule that `origin` is of. `remembered` is what this receiver kept of the same metric with the same
    /// labels, empty where that never came.
    func metric(
        _ instrument: InstrumentID,
        value: Double,
        labels: UnsafeBufferPointer<nj_label>,
        at time: Timestamp,
        remembered: inout RememberedSeries,
        origin: () -> EmissionOrigin
    )
    /// One verdict.
    func score(_ score: Score)
    /// One piece of feedback.
    func feedback(_ feedback: Feedback)
    /// One log line.
    func log(_ log: Log)
}

extension EmissionReceiver {
    /// Takes the observation as any other.
    package func metric(
        _ instrument: InstrumentID,
        value: Double,
        labels: UnsafeBufferPointer<nj_label>,
        at time: Timestamp,
        remembered: inout RememberedSeries,
        origin: () -> EmissionOrigin
    ) {
        self.origin = origin()
        defer { self.origin = nil }
        metric(instrument, value: value, labels: labels, at: time)
    }
}
