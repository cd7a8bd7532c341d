package import Instrumentation

/// The one place where the current span is kept: the context that distributed tracing carries from task to task. So a span of
/// either interface is current in the other, the innermost one first, and a context that is handed on by hand brings its span.
extension LiveSpan {
    /// The span that the code at hand runs in; set by `Observability.withSpan`, ``withCurrent(_:)`` and distributed tracing.
    public static var current: LiveSpan? { InstrumentationContext.current?.liveSpan }

    /// Runs `body` with this span as the current one.
    public func withCurrent<Result>(_ body: () throws -> Result) rethrows -> Result {
        try InstrumentationContext.withValue(contextWithin, operation: body)
    }

    /// Runs `body` with this span as the current one.
    public func withCurrent<Result>(
        isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> Result
    ) async rethrows -> Result {
        try await InstrumentationContext.withValue(contextWithin, operation: body)
    }

    private var contextWithin: InstrumentationContext {
        (InstrumentationContext.current ?? .topLevel).entering(self)
    }
}

/// A trace of another process, as a request named it.
package struct RemoteTrace: Sendable {
    /// The span in the other process.
    package let parent: TraceContext
    /// The header `tracestate`, to go out with every request of the trace as it came.
    package let state: String?

    /// A trace by what came with a request.
    package init(parent: TraceContext, state: String?) {
        self.parent = parent
        self.state = state
    }
}

extension InstrumentationContext {
    private enum SpanKey: InstrumentationContextKey {
        typealias Value = LiveSpan
        static var nameOverride: String? { "nightjar-span" }
    }

    private enum RemoteKey: InstrumentationContextKey {
        typealias Value = RemoteTrace
        static var nameOverride: String? { "nightjar-remote-trace" }
    }

    /// The span that is current where the context is.
    package var liveSpan: LiveSpan? {
        get { self[SpanKey.self] }
        set { self[SpanKey.self] = newValue }
    }

    /// The trace of another process that it came with; what is current within it may be of another.
    package var remoteTrace: RemoteTrace? {
        get { self[RemoteKey.self] }
        set { self[RemoteKey.self] = newValue }
    }

    /// What a span started in the context is part of.
    package var parent: SpanParent {
        if let span = liveSpan { return .span(span) }
        return remoteTrace.map { .remote($0.parent) } ?? .none
    }

    /// The context within a span.
    package func entering(_ span: LiveSpan) -> InstrumentationContext {
        var context = self
        context.liveSpan = span
        return context
    }
}

extension LiveContext {
    /// The current span, where it is one of this program's observability: another's ids would join nothing here.
    package var currentSpan: LiveSpan? {
        LiveSpan.current.flatMap { $0.context === self ? $0 : nil }
    }
}
