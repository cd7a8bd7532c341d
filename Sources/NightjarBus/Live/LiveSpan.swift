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

    /// What a live span is at a time.
    struct State: Sendable {
        /// The span as it was told last, and what was changed since.
        var span: Span
        /// Its metadata without that of its parents, which is in `span` too.
        var metadata: Value.Object
        /// What follows from both, as of some count of changes.
        var known: KnownContext?

        init(_ span: consuming Span) {
            metadata = span.metadata
            self.span = span
        }

        mutating func merge(_ attributes: Value.Object, _ metadata: Value.Object) {
            if !attributes.isEmpty { span.attributes = span.attributes.merging(attributes) }
            if !metadata.isEmpty { self.metadata = self.metadata.merging(metadata) }
        }

        /// The span as it is told now.
        mutating func told(_ inherited: Value.Object?, _ context: LiveContext) -> Span {
            let all = inherited.map { $0.merging(metadata) } ?? metadata
            span.metadata = all
            span.environment = all["environment"]?.string ?? context.environment
            span.service = all["serviceName"]?.string ?? context.serviceName
            return span
        }
    }

    let context: LiveContext
    let state: Mutex<State>
    let changes: TraceChanges
    private let isAmended = Atomic(false)

    init(_ span: consuming Span, parent: LiveSpan?, isSampled: Bool, context: LiveContext) {
        (traceID, id) = (span.traceID, span.id)
        self.parent = parent
        self.isSampled = isSampled
        self.context = context
        changes = parent?.changes ?? TraceChanges()
        state = Mutex(State(span))
    }

    /// What it is about.
    public var type: SpanType { state.withLock { $0.span.type } }

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
        attributes: Value.Object = Value.Object(),
        metadata: Value.Object = Value.Object(),
        input: Value? = nil,
        output: Value? = nil,
        tags: [String]? = nil
    ) {
        change(SignalEvent.spanUpdated) { state in
            if let name { state.span.name = name }
            state.merge(attributes, metadata)
            if let input { state.span.input = input }
            if let output { state.span.output = output }
            if let tags, state.span.parentSpanID == nil { state.span.tags = tags }
            if !metadata.isEmpty || tags != nil { changes.note() }
            return true
        }
    }

    /// Adds a point in time to the span; it is told with the span's next change or its end.
    public func addEvent(_ name: String, attributes: Value.Object = Value.Object(), at time: Timestamp? = nil)
    {
        let time = time ?? context.clock()
        state.withLock {
            $0.span.events.append(Span.Event(name: name, timestamp: time, attributes: attributes))
        }
    }

    /// Adds a reference to another span; it is told with the span's next change or its end.
    public func addLink(to other: TraceContext, attributes: Value.Object = Value.Object()) {
        state.withLock {
            $0.span.links.append(
                Span.Link(traceID: other.traceID, spanID: other.spanID, attributes: attributes)
            )
        }
    }

    /// Ends the span. Ending it again does nothing.
    public func end(
        output: Value? = nil,
        attributes: Value.Object = Value.Object(),
        metadata: Value.Object = Value.Object(),
        at time: Timestamp? = nil
    ) {
        let time = time ?? context.clock()
        change(SignalEvent.spanEnded) { state in
            guard state.isRunning else { return false }
            state.span.endTime = time
            if state.span.status == .running { state.span.status = .ok }
            state.merge(attributes, metadata)
            if let output { state.span.output = output }
            if !metadata.isEmpty { changes.note() }
            return true
        }
    }

    /// Notes that the span failed, and ends it unless told otherwise: its status is `error` from now on.
    public func error(_ error: any Error, ending: Bool = true) {
        self.error(Span.ErrorInfo(error), ending: ending)
    }

    /// Notes why the span failed, and ends it unless told otherwise.
    public func error(_ info: Span.ErrorInfo, ending: Bool = true) {
        let wasRunning = state.withLock { state in
            state.span.errorInfo = info
            state.span.status = .error
            return state.isRunning
        }
        if ending, wasRunning { end() } else { change(SignalEvent.spanUpdated) { _ in true } }
    }

    /// The span as it is now, with its parents' metadata: what exporters get.
    public var span: Span {
        let inherited = parent?.known().metadata
        return state.withLock { $0.told(inherited, context) }
    }

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
        let matters = state.withLock { state in
            guard state.isRunning else { return false }
            let told = state.span.metadata
            state.span.metadata = state.metadata
            let matters = body(&state.span)
            (state.metadata, state.span.metadata) = (state.span.metadata, told)
            changes.note()
            return matters
        }
        if matters { isAmended.store(true, ordering: .relaxed) }
    }

    /// Tells of what was amended, where that matters to a child that is about to start.
    func tellAmendments() {
        guard isAmended.load(ordering: .relaxed), isAmended.exchange(false, ordering: .relaxed) else {
            return
        }
        change(SignalEvent.spanUpdated) { $0.span.endTime == nil }
    }

    // MARK: - Telling

    /// Changes the span and tells the bus, where `body` says that there is something to tell.
    private func change(_ event: (Span) -> SignalEvent, _ body: (inout State) -> Bool) {
        guard let sink = context.sink else { return }
        // Before this span is locked: no two spans are ever locked together, and nobody waits for room under the lock.
        let inherited = parent?.known().metadata
        sink.waitForRoom()
        state.withLock { state in
            guard body(&state) else { return }
            // Under the lock: the bus gets changes in the order in which they were made.
            sink.emit(event(state.told(inherited, context)))
        }
    }

    func start() { context.sink?.emit(.spanStarted(span)) }

    func recordAsEvent() { context.sink?.emit(.spanEnded(span)) }

    /// The span's metadata with that of its parents below it, as it is now.
    var metadata: Value.Object { known().metadata }

    /// The span as it is now, without its parents' metadata.
    package var ownSpan: Span {
        state.withLock { state in
            var own = state.span
            own.metadata = state.metadata
            return own
        }
    }

    /// What `body` reads of the span as it is now.
    package func read<Value>(_ body: (Span) -> Value) -> Value { state.withLock { body($0.span) } }
}

extension LiveSpan.State {
    /// Whether the span has not ended.
    fileprivate var isRunning: Bool { span.endTime == nil && !span.isEvent }
}

extension Span.ErrorInfo {
    /// What an error says of itself, with its type as the id.
    public init(_ error: any Error) {
        self.init(message: "\(error)", id: String(reflecting: Swift.type(of: error)))
    }
}
