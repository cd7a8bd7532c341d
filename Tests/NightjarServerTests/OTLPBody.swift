import Logging
import Nightjar
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting

/// Metrics as OTLP JSON.
enum OTLPBody {
    /// The body of one resource with these metrics.
    static func request(_ metrics: [String], resource: [String: String] = [:]) -> [UInt8] {
        Array(
            """
            {"resourceMetrics":[{"resource":{"attributes":\(attributes(resource))},
              "scopeMetrics":[{"metrics":[\(metrics.joined(separator: ","))]}]}]}
            """.utf8
        )
    }

    /// A counter that adds up since 1.
    static func counter(_ name: String, _ value: Double, at time: Int) -> [String] {
        [sum(name, value, at: time, temporality: 2, isMonotonic: true)]
    }

    static func sum(_ name: String, _ value: Double, at time: Int, temporality: Int, isMonotonic: Bool)
        -> String
    {
        """
        {"name":"\(name)","sum":{"aggregationTemporality":\(temporality),"isMonotonic":\(isMonotonic),
          "dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"\(time)","asDouble":\(value)}]}}
        """
    }

    static func gauge(_ name: String, _ value: Double, labels: [String: String] = [:]) -> String {
        let number = value.isNaN ? "\"NaN\"" : "\(value)"
        return """
            {"name":"\(name)","gauge":{"dataPoints":[{"timeUnixNano":"2","asDouble":\(number),
              "attributes":\(attributes(labels))}]}}
            """
    }

    /// A histogram of increments.
    static func histogram(_ name: String, bounds: [Double], counts: [Int], labels: [String: String] = [:])
        -> String
    {
        """
        {"name":"\(name)","histogram":{"aggregationTemporality":1,"dataPoints":[{"startTimeUnixNano":"1",
          "timeUnixNano":"2","count":"\(counts.reduce(0, +))","sum":1,"explicitBounds":\(bounds),
          "bucketCounts":\(counts.map(String.init)),"attributes":\(attributes(labels))}]}}
        """
    }

    private static func attributes(_ labels: [String: String]) -> String {
        Value.array(labels.map { ["key": .string($0.key), "value": ["stringValue": .string($0.value)]] }).json
    }
}

extension TestServer {
    /// Posts a recorded body of metrics as its client did.
    func postMetrics(_ request: CaptureFolder.Request) async throws -> HTTPResponse {
        let type = request.isJSON ? "application/json" : "application/x-protobuf"
        var headers = [(name: "Content-Type", value: type)]
        if request.isCompressed { headers.append(("Content-Encoding", "gzip")) }
        return try await client.send("POST", "/v1/metrics", headers: headers, body: request.body)
    }

    /// Posts metrics as JSON.
    func postMetrics(_ metrics: [String], resource: [String: String] = [:]) async throws -> HTTPResponse {
        try await client.send(
            "POST",
            "/v1/metrics",
            headers: [(name: "Content-Type", value: "application/json")],
            body: OTLPBody.request(metrics, resource: resource)
        )
    }
}

extension Engine {
    /// An engine on a file of the folder.
    static func onDisk(in folder: Fixture) throws -> Engine {
        var configuration = EngineConfiguration(cores: 2)
        configuration.store = .file(folder.path("n.db"))
        var logger = Logger(label: "test", factory: StreamLogHandler.standardError(label:))
        logger.logLevel = .error
        return try Engine(configuration, logger: logger)
    }

    /// Takes metrics as JSON.
    func post(_ metrics: [String]) async throws {
        _ = try await ingestMetrics(Payload(OTLPBody.request(metrics)), encoding: .json)
    }

    /// The series of received metrics.
    var received: [StoredSeries] { series.filter { $0.instrument.origin == .otlp } }

    /// What `/api/metrics` shows.
    var summaries: [MetricSummary] {
        MetricSummary.all(registry: registry, series: series, report: cardinality)
    }
}

extension StoredSeries {
    /// Without when it was last added to.
    var withoutUpdate: StoredSeries {
        var series = self
        series.total.updated = Timestamp(unixNano: .min)
        return series
    }
}

extension UInt64 {
    var littleEndianBytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) } }
}

extension [UInt8] {
    /// These bytes and a protobuf field of fewer than 128 bytes.
    func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
        self + [number << 3 | 2, UInt8(content.count)] + content
    }
}
