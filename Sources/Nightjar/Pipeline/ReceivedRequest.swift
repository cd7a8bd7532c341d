import NightjarBus
import NightjarOTLP
import NightjarSignals

/// What one request of OTLP metrics brought, on its way through a worker.
struct ReceivedRequest: Sendable {
    /// Longer names of metrics are refused.
    static let nameBytes = 255
    /// What the journal's form begins with; that of other events begins with a brace.
    private static let mark: UInt8 = 1

    let points: [OTLPMetricPoint]
    let receivedAt: Timestamp
    /// How many points were refused.
    let rejected: Int
    /// Why; nil where none were.
    let message: String?
    /// About what the points hold in memory.
    let bytes: Int

    /// Decodes a protobuf body, and takes secrets out of the labels.
    /// - Throws: ``OTLPError``; nothing of the body is taken then.
    init(_ body: Payload, receivedAt: Timestamp, filter: SensitiveDataFilter?) throws(OTLPError) {
        let request = try MetricRequest.decode(body, encoding: .protobuf, receivedAt: receivedAt)
        let named = request.points.filter { $0.name.utf8.count <= Self.nameBytes }
        let refused = request.points.count - named.count
        points = filter.map { filter in named.map { $0.cleaned(by: filter) } } ?? named
        self.receivedAt = receivedAt
        rejected = request.rejected + refused
        let reason =
            refused == 0 ? nil : "\(refused) data points whose metric's name is over \(Self.nameBytes) bytes"
        message =
            reason.map { reason in request.rejectedMessage.map { "\($0); \(reason)" } ?? "rejected \(reason)"
            }
            ?? request.rejectedMessage
        bytes = points.count * 512 + body.bytes.count
    }

    /// The body as the journal keeps it.
    static func journalled(_ body: Payload) -> [UInt8] {
        withExtendedLifetime(body) { [mark] + body.bytes }
    }

    /// The body of what the journal keeps; nil where that is no request of metrics.
    static func body(ofJournalled bytes: [UInt8]) -> Payload? {
        bytes.first == mark ? Payload(Array(bytes.dropFirst())) : nil
    }
}

extension OTLPMetricPoint {
    /// The point without secrets in its labels.
    fileprivate func cleaned(by filter: SensitiveDataFilter) -> OTLPMetricPoint {
        guard !labels.isEmpty else { return self }
        let metric = Metric(timestamp: time, name: name, type: .gauge, value: 0, labels: labels)
        var cleaned = self
        cleaned.labels = filter.processMetric(metric)?.labels ?? labels
        return cleaned
    }
}
