import HTTPTypes
import Hummingbird
import Nightjar
import NightjarBus
import NightjarExporters
import NightjarPlugins
import NightjarSignals

/// `/metrics`, the health checks and what there is to know about plugins.
struct StatusRoutes {
    let engine: Engine

    func add(to router: Router<BasicRequestContext>) {
        router.get("/metrics") { _, _ in
            Response.bytes(
                PrometheusText.document(engine.ledger.snapshot()),
                type: PrometheusText.contentType
            )
        }
        router.get("/healthz") { _, _ in Response.json(["status": "ok"]) }
        router.get("/readyz") { _, _ in
            guard let fault = engine.fault else { return Response.json(["status": "ready"]) }
            throw Problem(.serviceUnavailable, fault)
        }
        router.get("/api/plugins") { _, _ in
            Response.json(["plugins": .array(engine.plugins?.status.map(\.json) ?? [])])
        }
        router.get("/") { _, _ in
            Response.bytes(
                Array(Self.index.utf8),
                type: "text/plain; charset=utf-8"
            )
        }
    }

    private static let index = """
        Nightjar takes OpenTelemetry traces at POST /v1/traces.

        /metrics            built-in and plugin metrics, for Prometheus
        /api/traces         stored traces, newest first
        /api/traces/{id}    one trace with its spans, scores, feedback and logs
        /api/scores         POST a score, or a list of them
        /api/feedback       POST feedback, or a list of it
        /api/plugins        which plugins run, and how they fare
        /healthz, /readyz   alive; ready to take data

        """
}
