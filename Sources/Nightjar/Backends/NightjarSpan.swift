public import NightjarBus
import NightjarSignals
public import Tracing

/// A `LiveSpan` as distributed tracing sees it.
///
/// What is set while it runs is told to the bus with its end; a new name and a new type before a child starts, too. Attributes in
/// the words of OpenTelemetry's GenAI conventions make it an agent run, a generation, a tool call or a workflow
/// run: `gen_ai.operation.name` names the type, others the entity, the model and the tokens. Once it has ended nothing changes it.
public struct NightjarSpan: Tracing.Span {
    /// The span itself.
    public let live: LiveSpan
    /// The context within the span.
    public let context: InstrumentationContext

    init(live: LiveSpan, context: InstrumentationContext) {
        self.live = live
        self.context = context
    }

    /// Whether it runs: what is set on it counts, even in a trace that is not stored.
    public var isRecording: Bool { live !== LiveSpan.noOp && live.read { $0.endTime == nil } }

    /// Its name.
    public var operationName: String {
        get { live.read(\.name) }
        nonmutating set {
            live.amend { span in
                guard span.name != newValue else { return false }
                span.name = newValue
                return true
            }
        }
    }

    /// The attributes that distributed tracing has a form for; objects, which only `LiveSpan` can set, stay as they are.
    public var attributes: SpanAttributes {
        get { SpanAttributes(live.read(\.attributes)) }
        nonmutating set {
            live.amend { span in
                span.attributes.replace(with: newValue)
                return GenAIFacts(span.attributes).describe(&span)
            }
        }
    }

    /// Says whether it failed. An error without a message has that of the last error that was recorded; an `ok` takes back an
    /// earlier error.
    public func setStatus(_ status: Tracing.SpanStatus) {
        live.amend { span in
            switch status.code {
            case .ok: (span.status, span.errorInfo) = (.running, nil)
            case .error: (span.status, span.errorInfo) = (.error, span.failure(message: status.message))
            }
            return false
        }
    }

    /// Adds a point in time.
    public func addEvent(_ event: SpanEvent) {
        add(event.name, Value.Object(event.attributes), at: event.nanosecondsSinceEpoch)
    }

    /// Adds an `exception` event. It does not make the span fail: `setStatus` does.
    public func recordError<Instant: TracerInstant>(
        _ error: any Error,
        attributes: SpanAttributes,
        at instant: @autoclosure () -> Instant
    ) {
        var all: Value.Object = [
            "exception.type": .string(String(reflecting: type(of: error))),
            "exception.message": .string("\(error)"),
        ]
        for (key, value) in Value.Object(attributes).entries { all[key] = value }
        add("exception", all, at: instant().nanosecondsSinceEpoch)
    }

    /// Adds a reference to the span that another context carries; to none where it carries none.
    public func addLink(_ link: SpanLink) {
        guard let other = link.context.named else { return }
        live.amend { span in
            span.links.append(
                .init(traceID: other.traceID, spanID: other.spanID, attributes: .init(link.attributes))
            )
            return false
        }
    }

    /// Ends it. Ending it again does nothing.
    public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        live.end(at: Timestamp(instant()))
    }

    private func add(_ name: String, _ attributes: Value.Object, at unixNano: UInt64) {
        let time = Timestamp(unixNano: Int64(clamping: unixNano))
        live.amend { span in
            span.events.append(.init(name: name, timestamp: time, attributes: attributes))
            return false
        }
    }
}

extension NightjarSignals.Span {
    /// Why it failed, by what a status says and the last exception of the span.
    fileprivate func failure(message: String?) -> ErrorInfo {
        let exception = events.last { $0.name == "exception" }?.attributes ?? [:]
        return ErrorInfo(
            message: message ?? exception["exception.message"]?.string ?? "",
            id: attributes["error.type"]?.string ?? exception["exception.type"]?.string
        )
    }
}
