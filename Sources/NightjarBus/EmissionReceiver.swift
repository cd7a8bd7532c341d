package import CNightjarSignals
package import NightjarSignals

/// Takes what a rule or an extractor emits while it handles one event, in order. Belongs to one worker.
package protocol EmissionReceiver: AnyObject {
    /// One observation. The labels are read during the call; those that the metric's policy refuses are left out.
    func metric(
        _ instrument: InstrumentID,
        value: Double,
        labels: UnsafeBufferPointer<nj_label>,
        at time: Timestamp
    )
    /// One verdict.
    func score(_ score: Score)
    /// One piece of feedback.
    func feedback(_ feedback: Feedback)
    /// One log line.
    func log(_ log: Log)
}
