import Foundation
public import NightjarBus
import NightjarOTLP
public import NightjarSignals
import Synchronization

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// Makes the bodies of OTLP requests.
package protocol OTLPBodies: Sendable {
    /// An `ExportTraceServiceRequest` of ended spans; nil, as for the others, where there is nothing to send.
    func traces(_ spans: [Span]) -> [UInt8]?
    /// An `ExportLogsServiceRequest` of log lines, and of scores and feedback as events.
    func logs(_ logs: [Log], scores: [Score], feedback: [Feedback]) -> [UInt8]?
    /// An `ExportMetricsServiceRequest`; `bounds` tells the buckets of a histogram by its name.
    func metrics(_ metrics: [Metric], bounds: (String) -> [Double]) -> [UInt8]?
}

/// How to reach an OTLP collector.
public struct OTLPHTTPConfiguration: Sendable {
    /// The collector's base URL, like `https://collector.example:4318`; the path of each signal is appended.
    public var endpoint: String
    /// Header fields of every request, for instance for authorisation.
    public var headers: [String: String] = [:]
    /// Whether bodies are compressed with gzip.
    public var compresses = true
    /// How long one request may take: less than the bus allows a call, so that a slow collector is tried again.
    public var timeout = Duration.seconds(4)
    /// The least level of log lines that are sent; nil: all that enter the bus.
    public var logLevel: LogLevel?
    /// The buckets of a histogram by its name.
    public var bounds: @Sendable (String) -> [Double] = {
        HistogramBuckets.resolve(InstrumentDescriptor(name: $0, type: .histogram))
    }

    /// A collector at a base URL.
    public init(endpoint: String) { self.endpoint = endpoint }
}

/// Sends ended spans, log lines, metrics, scores and feedback to a collector by OTLP over HTTP, as protobuf.
///
/// Answers 408, 429, 502, 503 and 504 and failures to connect are retryable, with the pause that `Retry-After` asks for; other
/// answers lose the batch. What a collector refuses of a batch that it accepted (partial success) is lost and counted.
public final class OTLPHTTPExporter: SpanExporter, LogExporter, MetricExporter, ScoreExporter,
    FeedbackExporter
{
    /// What it is called in logs, metrics and drops.
    public let name: String
    /// The least level of the lines it takes.
    public let logLevel: LogLevel?

    private let bodies: any OTLPBodies
    private let configuration: OTLPHTTPConfiguration
    private let base: URL
    private let session: URLSession
    private let now: @Sendable () -> Timestamp
    private let isShutDown = Atomic(false)

    /// An exporter that makes its bodies with `bodies`. Nothing is sent before the first batch.
    /// - Throws: ``ExportError`` for an endpoint that is no http or https URL.
    package init(
        _ configuration: OTLPHTTPConfiguration,
        bodies: any OTLPBodies,
        name: String = "otlp",
        now: @escaping @Sendable () -> Timestamp = {
            Timestamp(unixMilliseconds: Date().timeIntervalSince1970 * 1000) ?? Timestamp(unixNano: 0)
        }
    ) throws(ExportError) {
        guard let base = URL(string: configuration.endpoint), base.host?.isEmpty == false,
            base.scheme == "http" || base.scheme == "https"
        else {
            throw ExportError(
                code: .rejected,
                detail: "OTLP endpoint \"\(configuration.endpoint)\" must be a URL like http://localhost:4318"
            )
        }
        self.base = base
        self.configuration = configuration
        self.bodies = bodies
        self.name = name
        self.now = now
        logLevel = configuration.logLevel
        let settings = URLSessionConfiguration.ephemeral
        settings.httpCookieStorage = nil
        settings.urlCache = nil
        // The bus makes one call at a time.
        settings.httpMaximumConnectionsPerHost = 1
        session = URLSession(configuration: settings, delegate: RedirectRefusal(), delegateQueue: nil)
    }

    deinit { session.invalidateAndCancel() }

    /// Sends the spans that have ended.
    public func exportSpans(_ events: [SignalEvent]) async throws {
        let spans = events.compactMap { if case .spanEnded(let span) = $0 { span } else { nil } }
        try await send("v1/traces", spans.isEmpty ? nil : bodies.traces(spans))
    }

    /// Sends log lines.
    public func exportLogs(_ logs: [Log]) async throws {
        try await send("v1/logs", bodies.logs(logs, scores: [], feedback: []))
    }

    /// Sends observations.
    public func exportMetrics(_ metrics: [Metric]) async throws {
        try await send("v1/metrics", bodies.metrics(metrics, bounds: configuration.bounds))
    }

    /// Sends scores as `gen_ai.evaluation.result` events.
    public func exportScores(_ scores: [Score]) async throws {
        try await send("v1/logs", bodies.logs([], scores: scores, feedback: []))
    }

    /// Sends feedback as events.
    public func exportFeedback(_ feedback: [Feedback]) async throws {
        try await send("v1/logs", bodies.logs([], scores: [], feedback: feedback))
    }

    /// Closes the connections.
    public func shutdown() async throws {
        guard !isShutDown.exchange(true, ordering: .relaxed) else { return }
        session.invalidateAndCancel()
    }

    private func send(_ path: String, _ body: [UInt8]?) async throws {
        guard let body else { return }
        guard !isShutDown.load(ordering: .relaxed) else {
            throw ExportError(code: .shutDown, detail: "is shut down")
        }
        let request = request(path, body)
        let (data, response): (Data, URLResponse)
        do {
            (data, response) = try await session.data(for: request)
        } catch {
            try Task.checkCancellation()
            throw ExportError(
                code: .unavailable,
                detail:
                    "\(base.absoluteString) cannot be reached: \(error.localizedDescription); is a collector running there?"
            )
        }
        guard let response = response as? HTTPURLResponse else {
            throw ExportError(code: .rejected, detail: "\(base.absoluteString) does not speak HTTP")
        }
        let answer = OTLPAnswer(
            status: response.statusCode,
            retryAfter: response.value(forHTTPHeaderField: "Retry-After"),
            body: Array(data)
        )
        try answer.check(place: request.url?.absoluteString ?? path, now: now())
    }

    private func request(_ path: String, _ body: [UInt8]) -> URLRequest {
        var request = URLRequest(url: base.appendingPathComponent(path))
        request.httpMethod = "POST"
        request.timeoutInterval = configuration.timeout / .seconds(1)
        for (name, value) in configuration.headers { request.setValue(value, forHTTPHeaderField: name) }
        request.setValue("application/x-protobuf", forHTTPHeaderField: "Content-Type")
        if configuration.compresses, let compressed = ContentDeflater.gzip(body) {
            request.setValue("gzip", forHTTPHeaderField: "Content-Encoding")
            request.httpBody = Data(compressed)
        } else {
            request.httpBody = Data(body)
        }
        return request
    }
}

/// A redirected POST would lose its body or carry the headers elsewhere: a redirect is an answer like others.
private final class RedirectRefusal: NSObject, URLSessionTaskDelegate {
    func urlSession(
        _ session: URLSession,
        task: URLSessionTask,
        willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest,
        completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) {
        completionHandler(nil)
    }
}
