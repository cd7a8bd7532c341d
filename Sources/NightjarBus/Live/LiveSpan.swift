public import NightjarSignals
import Synchronization

/// A span that runs in this process: started, changed, ended, and each of the three told to the bus.
///
/// Safe to use from any thread and task. A span that is never ended stays `running` in the store until its trace ends by age.
public final class LiveSpan: Sendable {
    /// A span that leads nowhere: everything done with it, and in it, has no effect.
    public static let noOp = LiveSpan(
        Span(
            id: SpanID(value: 0),
            traceID: TraceID(high: 0, low: 0),
            name: "",
            startTime: .init(unixNano: 0)
        ),
        parent: nil,
        isSampled: false,
        context: .noOp
    )

    /// Its trace.
    public let traceID: TraceID
    /// Its id.
    public let id: SpanID
    /// The span of this process that it is part of.
    public let parent: LiveSpan?
    /// Whether its trace is stored and exported. One that is not still counts in metrics and is seen by rules.
    public let isSampled: Bool

    let context: LiveContext
    private let state: Mutex<Span>
    private let isAmended = Atomic(false)

    init(_ span: Span, parent: LiveSpan?, isSampled: Bool, context: LiveContext) {
        (traceID, id) = (span.traceID, span.id)
        self.parent = parent
        self.isSampled = isSampled
        self.context = context
        state = Mutex(span)
    }

    /// What it is about.
    public var type: SpanType { state.withLock { $0.type } }

    /// Starts a span within this one.
    public func startSpan(
        _ name: String,
        type: SpanType = .generic,
        with options: SpanOptions = SpanOptions()
    ) -> LiveSpan {
        context.startSpan(name, type: type, with: options, parent: .span(self))
    }

    /// Records a point in time within this span as a span of its own, with an output and no duration.
    @discardableResult
    public func recordEvent(
        _ name: String,
        type: SpanType = .generic,
        output: Value? = nil,
        with options: SpanOptions = SpanOptions()
    ) -> LiveSpan {
        context.startSpan(name, type: type, with: options, parent: .span(self), asEvent: true, output: output)
    }

    /// Changes the span while it runs: attributes and metadata on top of what there is, anything else in place of it.
    /// A span that has ended may still be changed; that is stored and counted as a late change.
    public func update(
        name: String? = nil,
        attributes: Value.Object = [:],
        metadata: Value.Object = [:],
        input: Value? = nil,
        output: Value? = nil,
        tags: [String]? = nil
    ) {
        change(SignalEvent.spanUpdated) { span in
            if let name { span.name = name }
            span.merge(attributes, metadata)
            if let input { span.input = input }
            if let output { span.output = output }
            if let tags, span.parentSpanID == nil { span.tags = tags }
            return true
        }
    }

    /// Adds a point in time to the span; it is told with the span's next change or its end.
    public func addEvent(_ name: String, attributes: Value.Object = [:], at time: Timestamp? = nil) {
        let time = time ?? context.clock()
        state.withLock {
            $0.events.append(Span.Event(name: name, timestamp: time, attributes: attributes))
        }
    }

    /// Adds a reference to another span; it is told with the span's next change or its end.
    public func addLink(to other: TraceContext, attributes: Value.Object = [:]) {
        state.withLock {
            $0.links.append(
                Span.Link(traceID: other.traceID, spanID: other.spanID, attributes: attributes)
            )
        }
    }

    /// Ends the span. Ending it again does nothing.
    public func end(
        output: Value? = nil,
        attributes: Value.Object = [:],
        metadata: Value.Object = [:],
        at time: Timestamp? = nil
    ) {
        let time = time ?? context.clock()
        change(SignalEvent.spanEnded) { span in
            guard span.endTime == nil, !span.isEvent else { return false }
            span.endTime = time
            if span.status == .running { span.status = .ok }
            span.merge(attributes, metadata)
            if let output { span.output = output }
            return true
        }
    }

    /// Notes that the span failed, and ends it unless told otherwise: its status is `error` from now on.
    public func error(_ error: any Error, ending: Bool = true) {
        self.error(Span.ErrorInfo(error), ending: ending)
    }

    /// Notes why the span failed, and ends it unless told otherwise.
    public func error(_ info: Span.ErrorInfo, ending: Bool = true) {
        let wasRunning = state.withLock { span in
            span.errorInfo = info
            span.status = .error
            return span.endTime == nil && !span.isEvent
        }
        if ending, wasRunning { end() } else { change(SignalEvent.spanUpdated) { _ in true } }
    }

    /// The span as it is now, with its parents' metadata: what exporters get.
    public var span: Span { snapshot(of: state.withLock { $0 }) }

    /// The ids of the span, to be sent to another process that goes on with the trace.
    public var traceContext: TraceContext {
        TraceContext(traceID: traceID, spanID: id, isSampled: isSampled)
    }

    /// The trace's topmost span in this process.
    public var root: LiveSpan {
        var root = self
        while let parent = root.parent { root = parent }
        return root
    }

    /// Changes a span that runs. That is told with its next change or its end; where `body` says that others need to know, before
    /// a child of it starts, too. A span that has ended stays as it is.
    package func amend(_ body: (inout Span) -> Bool) {
        let matters = state.withLock { span in
            guard span.endTime == nil, !span.isEvent else { return false }
            return body(&span)
        }
        if matters { isAmended.store(true, ordering: .relaxed) }
    }

    /// Tells of what was amended, where that matters to a child that is about to start.
    func tellAmendments() {
        guard isAmended.load(ordering: .relaxed), isAmended.exchange(false, ordering: .relaxed) else {
            return
        }
        change(SignalEvent.spanUpdated) { $0.endTime == nil }
    }

    // MARK: - Telling

    /// Changes the span and tells the bus, where `body` says that there is something to tell.
    private func change(_ event: (Span) -> SignalEvent, _ body: (inout Span) -> Bool) {
        guard let sink = context.sink else { return }
        // Before this span is locked: no two spans are ever locked together, and nobody waits for room under the lock.
        let inherited = parent?.metadata
        sink.waitForRoom()
        state.withLock { span in
            guard body(&span) else { return }
            // Under the lock: the bus gets changes in the order in which they were made.
            sink.emit(event(snapshot(of: span, inherited: inherited)))
        }
    }

    func start() { context.sink?.emit(.spanStarted(span)) }

    func recordAsEvent() { context.sink?.emit(.spanEnded(span)) }

    private func snapshot(of own: Span) -> Span { snapshot(of: own, inherited: parent?.metadata) }

    private func snapshot(of own: Span, inherited: Value.Object?) -> Span {
        var span = own
        if let inherited { span.metadata = inherited.merging(own.metadata) }
        span.environment = span.metadata["environment"]?.string ?? context.environment
        span.service = span.metadata["serviceName"]?.string ?? context.serviceName
        return span
    }

    /// The span's metadata with that of its parents below it, as it is now.
    var metadata: Value.Object {
        // Without recursion: a chain of spans may be as long as its program likes.
        var own: [Value.Object] = []
        var at: LiveSpan? = self
        while let span = at {
            let metadata = span.state.withLock { $0.metadata }
            if !metadata.isEmpty { own.append(metadata) }
            at = span.parent
        }
        return own.reversed().reduce(Value.Object()) { $0.isEmpty ? $1 : $0.merging($1) }
    }

    /// The span as it is now, without its parents' metadata.
    package var ownSpan: Span { state.withLock { $0 } }
}

extension Span {
    mutating func merge(_ attributes: Value.Object, _ metadata: Value.Object) {
        if !attributes.isEmpty { self.attributes = self.attributes.merging(attributes) }
        if !metadata.isEmpty { self.metadata = self.metadata.merging(metadata) }
    }
}

extension Span.ErrorInfo {
    /// What an error says of itself, with its type as the id.
    public init(_ error: any Error) {
        self.init(message: "\(error)", id: String(reflecting: Swift.type(of: error)))
    }
}
