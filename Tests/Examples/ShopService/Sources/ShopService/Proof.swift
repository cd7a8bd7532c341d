import Nightjar
import Synchronization

/// What came over the bus.
final class Seen: Sendable {
    private let kept = Mutex<[SignalEvent]>([])

    var events: [SignalEvent] { kept.withLock { $0 } }

    func take(_ event: SignalEvent) { kept.withLock { $0.append(event) } }
}

/// Whether the spans, logs and metrics of one request belong together.
struct Proof {
    private let spans: [Span]
    private let logs: [Log]
    private let metrics: [Metric]
    private let answer: String

    init(seen events: [SignalEvent], answer: String) {
        spans = events.compactMap { if case .spanEnded(let span) = $0 { span } else { nil } }
        logs = events.compactMap { if case .log(let log) = $0 { log } else { nil } }
        metrics = events.compactMap { if case .metric(let metric) = $0 { metric } else { nil } }
        self.answer = answer
    }

    /// Prints what was seen and returns what is not as it should be.
    func faults() -> [String] {
        for span in spans {
            print("span    \(span.traceID) \(span.id) \(span.typeName) \(span.kind.name) \(span.name)")
        }
        for log in logs { print("log     \(ids(log.traceID, log.spanID)) \(log.level) \(log.message)") }
        for metric in metrics {
            print(
                "metric  \(ids(metric.traceID, metric.spanID)) \(metric.name) \(metric.value) \(metric.labels)"
            )
        }
        return answerFaults() + spanFaults() + logFaults() + metricFaults()
    }

    private func answerFaults() -> [String] {
        answer == "Order 17 is on its way." ? [] : ["the service answered: \(answer)"]
    }

    private func spanFaults() -> [String] {
        let expected: [(String, SpanType, String?)] = [
            ("/orders/{order}", .generic, "00f067aa0ba902b7"),
            ("answer", .generic, id(of: "/orders/{order}")),
            ("support", .agentRun, id(of: "answer")), ("find_order", .toolCall, id(of: "support")),
        ]
        return expected.flatMap { name, type, parent in
            guard let span = spans.first(where: { $0.name == name }) else { return ["no span \(name)"] }
            var faults = traceFaults("span \(name)", span.traceID)
            if span.type != type { faults.append("span \(name) has the type \(span.typeName)") }
            if span.parentSpanID?.description != parent { faults.append("span \(name) has another parent") }
            if span.status != .ok { faults.append("span \(name) is \(span.status)") }
            return faults
        }
    }

    private func logFaults() -> [String] {
        [("asked about an order", "answer"), ("looked the order up", "find_order")].flatMap { message, span in
            guard let log = logs.first(where: { $0.message == message }) else { return ["no log \(message)"] }
            let isInSpan = log.spanID?.description == id(of: span)
            return traceFaults("log \(message)", log.traceID)
                + (isInSpan ? [] : ["log \(message) is not in \(span)"])
        }
    }

    private func metricFaults() -> [String] {
        let expected = [("shop_questions", "answer"), ("http_server_request_duration_ms", nil)]
        return expected.flatMap { name, span in
            guard let metric = metrics.first(where: { $0.name == name }) else { return ["no metric \(name)"] }
            // Hummingbird takes the duration after the response is written, when its span may have ended.
            guard let span else { return [] }
            let isInSpan = metric.spanID?.description == id(of: span)
            return traceFaults("metric \(name)", metric.traceID)
                + (isInSpan ? [] : ["metric \(name) is not in \(span)"])
        }
    }

    private func traceFaults(_ what: String, _ trace: TraceID?) -> [String] {
        let expected = TraceContext(traceparent: ShopService.client)?.traceID
        return trace == expected ? [] : ["\(what) is not of the client's trace"]
    }

    private func id(of span: String) -> String? { spans.first { $0.name == span }?.id.description }

    private func ids(_ trace: TraceID?, _ span: SpanID?) -> String {
        "\(trace?.description ?? "-") \(span?.description ?? "-")"
    }
}
