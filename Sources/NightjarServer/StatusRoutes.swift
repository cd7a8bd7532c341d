import HTTPTypes
import Hummingbird
import Nightjar
import NightjarBus
import NightjarExporters
import NightjarSignals

/// `/metrics`, `/api/metrics` and the health checks.
struct StatusRoutes {
    let engine: Engine

    func add(to router: APIRouter) {
        router.get("/metrics", .exposeMetrics) { request, _ in
            let format = PrometheusText.Format(accept: request.headers[.accept])
            return Response.bytes(
                PrometheusText.document(
                    engine.series,
                    format: format,
                    exemplars: format == .openMetrics ? engine.exemplars : Exemplars()
                ),
                type: format.contentType
            )
        }
        router.get("/api/metrics", .listMetrics) { _, _ in
            let metrics = MetricSummary.all(
                registry: engine.registry,
                series: engine.series,
                report: engine.cardinality
            )
            return Response.json(["metrics": .array(metrics.map(\.json))])
        }
        router.get("/healthz", .live) { _, _ in Response.json(["status": "ok"]) }
        router.get("/readyz", .ready) { _, _ in
            guard let fault = engine.fault else { return Response.json(["status": "ready"]) }
            var problem = Problem(.serviceUnavailable, fault)
            problem.retryAfterSeconds = 1
            throw problem
        }
        router.get("/", .index) { _, _ in
            Response.bytes(
                Array(Self.index.utf8),
                type: "text/plain; charset=utf-8"
            )
        }
    }

    private static let index = """
        Nightjar takes OpenTelemetry at POST /v1/traces, /v1/logs and /v1/metrics, and native events at POST /api/events.

        /metrics            built-in and plugin metrics and what each plugin costs, for Prometheus
        /api/traces         stored traces, newest first
        /api/traces/{id}    one trace with its spans, scores, feedback and logs; /rules: what each plugin rule did, and why not
        /api/metrics        names, types and series of metrics, and the labels that were dropped
        /api/metrics/query  a metric over time: ?name=&agg=, and groupBy, filter.LABEL, from, to, step
        /api/scores         POST a score, or a list of them
        /api/feedback       POST feedback, or a list of it
        /api/plugins        which plugins run, how they fare and what they cost; /{name}/source: the text that runs;
                            POST /{name}/reload, /disable, /enable or /rollback
        /api/openapi.json   all routes with their parameters and answers, as OpenAPI 3.1
        /api/live           events as they pass, server-sent
        /healthz, /readyz   alive; ready to take data
        /api/status         versions, queues and their bounds, disk, lag, connections, what was refused

        """
}
