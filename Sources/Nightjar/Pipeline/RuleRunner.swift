import NightjarBus
import NightjarSignals

/// The rules of one worker: plugins, or none. Belongs to the worker's thread.
protocol RuleRunner: AnyObject {
    /// Whether any rule wants ended spans.
    var wantsSpans: Bool { get }
    /// Whether any rule wants ended traces.
    var wantsTraces: Bool { get }
    /// Switches to the newest version of the rules; called at batch borders.
    func refresh()
    /// Runs the rules that match an ended span whose facts are final.
    func spanEnded(
        _ span: SpanReference,
        in trace: TraceState,
        now: Timestamp,
        into receiver: any EmissionReceiver
    )
    /// Runs the rules that match a trace that has ended.
    func traceEnded(_ trace: TraceView, now: Timestamp, into receiver: any EmissionReceiver)
}
