import NightjarBus
import NightjarSignals
public import Tracing

/// Makes the spans of distributed tracing: they are spans of this program's observability, each the current `LiveSpan` within
/// its context. Made by ``Observability/tracer``.
///
/// A trace of another process goes on through the headers of W3C Trace Context: `traceparent`, and `tracestate` as it came.
public struct NightjarTracer: Tracer {
    private let live: LiveContext

    init(_ live: LiveContext) { self.live = live }

    /// Starts a span: within the context's span, else within the remote one that it carries, else as a root.
    public func startSpan<Instant: TracerInstant>(
        _ operationName: String,
        context: @autoclosure () -> InstrumentationContext,
        ofKind kind: Tracing.SpanKind,
        at instant: @autoclosure () -> Instant,
        function: String,
        file fileID: String,
        line: UInt
    ) -> NightjarSpan {
        let context = context()
        let span = live.startSpan(
            operationName,
            type: .generic,
            with: SpanOptions(kind: .init(kind), startTime: Timestamp(instant())),
            parent: context.parent
        )
        return NightjarSpan(live: span, context: context.entering(span))
    }

    /// The span that a context carries.
    public func activeSpan(identifiedBy context: InstrumentationContext) -> NightjarSpan? {
        context.liveSpan.map { NightjarSpan(live: $0, context: context) }
    }

    /// Nothing: the tracer holds no spans back. ``Observability/flush()`` returns when all have reached the exporters.
    public func forceFlush() {}

    /// Writes the headers that let another process go on with the context's trace.
    public func inject<Carrier, Inject: Injector>(
        _ context: InstrumentationContext,
        into carrier: inout Carrier,
        using injector: Inject
    ) where Inject.Carrier == Carrier {
        guard let parent = context.named else { return }
        injector.inject(parent.traceparent, forKey: "traceparent", into: &carrier)
        if let remote = context.remoteTrace, let state = remote.state, remote.parent.traceID == parent.traceID
        {
            injector.inject(state, forKey: "tracestate", into: &carrier)
        }
    }

    /// Reads the headers of a request that belongs to another process's trace; one without them changes nothing.
    public func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier,
        into context: inout InstrumentationContext,
        using extractor: Extract
    ) where Extract.Carrier == Carrier {
        guard let header = extractor.extract(key: "traceparent", from: carrier),
            let remote = TraceContext(traceparent: header)
        else { return }
        context.liveSpan = nil
        context.remoteTrace = RemoteTrace(
            parent: remote,
            state: extractor.extract(key: "tracestate", from: carrier)
        )
    }
}

extension InstrumentationContext {
    /// The span that others may refer to: that of this process, else of the one that the context came from.
    var named: TraceContext? {
        guard let span = liveSpan else { return remoteTrace?.parent }
        return span === LiveSpan.noOp ? nil : span.traceContext
    }
}

extension Timestamp {
    /// The instant of a tracer's clock.
    init(_ instant: some TracerInstant) {
        self.init(unixNano: Int64(clamping: instant.nanosecondsSinceEpoch))
    }
}

extension NightjarSignals.SpanKind {
    fileprivate init(_ kind: Tracing.SpanKind) {
        self =
            switch kind {
            case .internal: .internal
            case .server: .server
            case .client: .client
            case .producer: .producer
            case .consumer: .consumer
            }
    }
}
