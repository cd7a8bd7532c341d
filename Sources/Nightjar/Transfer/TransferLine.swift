import Foundation
import NightjarBus
import NightjarOTLP
package import NightjarSignals

/// A line of an export: an event as it goes over the bus (signals contract, section 2). A span has beside `exportedSpan`, which is
/// for whoever reads it, a member `otlp`: the span as an OTLP request of its own in base64, just as it is stored.
package enum TransferLine: Sendable {
    /// A span as an OTLP request of its own.
    case span(TraceID, message: [UInt8])
    /// A span as an event.
    case spanEvent(SignalEvent)
    /// A log line, a score or feedback.
    case event(SignalEvent)
    /// An event that comes about anew, or that cannot be told from one that is there already: an observation of a metric, the end
    /// of a trace, a loss.
    case passedOver

    /// Reads a line.
    /// - Throws: ``EngineError`` `malformed` with what is wrong with it.
    package init(_ bytes: [UInt8], now: Timestamp) throws(EngineError) {
        let value: Value
        do throws(JSONError) {
            value = try Value(jsonBytes: bytes)
        } catch {
            throw EngineError(code: .malformed, detail: "not JSON: \(error); each line is one event")
        }
        if let text = value["otlp"]?.string, value["exportedSpan"] != nil {
            self = try Self.span(base64: text)
            return
        }
        let event: SignalEvent
        do throws(InputErrors) {
            event = try SignalEvent(json: value, now: now)
        } catch {
            throw EngineError(
                code: .malformed,
                detail: error.errors.map(\.description).joined(separator: "; ")
            )
        }
        switch event {
        case .spanStarted, .spanUpdated, .spanEnded: self = .spanEvent(event)
        case .log, .score, .feedback: self = .event(event)
        case .metric, .drop, .traceEnded: self = .passedOver
        }
    }

    private static func span(base64 text: String) throws(EngineError) -> TransferLine {
        guard let data = Data(base64Encoded: text) else {
            throw EngineError(
                code: .malformed,
                detail: "otlp is not base64; without this member, exportedSpan is taken"
            )
        }
        let fault: String
        do throws(OTLPError) {
            let messages = try SpanMessages.split(Payload(data))
            let request = try TraceRequest.decode(
                Payload(data),
                encoding: .protobuf,
                receivedAt: Timestamp(unixNano: 0),
                workers: 1
            )
            if messages.count == 1, request.spanCount == 1 {
                return .span(request.slabs[0].slab.spans[0].traceID, message: messages[0])
            }
            fault = request.rejectedMessage ?? "it holds \(messages.count) spans and not one"
        } catch {
            fault = error.detail
        }
        throw EngineError(
            code: .malformed,
            detail: "otlp is no span: \(fault); without this member, exportedSpan is taken"
        )
    }
}

extension JSONWriter {
    /// Writes a span as a line.
    mutating func line(_ span: Span, hasEnded: Bool, message: [UInt8]) {
        write(
            [
                "type": .string(hasEnded ? "span_ended" : "span_started"), "exportedSpan": span.json,
                "otlp": .bytes(message),
            ]
        )
        newline()
    }

    /// Writes an event as a line.
    mutating func line(_ event: SignalEvent) {
        write(event.json)
        newline()
    }
}
