import HTTPTypes
import Hummingbird
import Nightjar

/// `POST /api/cleanup`: deletes what was received before a time. A call goes on for a few seconds; where its answer is not done,
/// the same call again goes on.
struct CleanupRoutes {
    /// The request is small.
    private static let bodyBytes = 1 << 16

    let engine: Engine

    func add(to router: APIRouter) {
        router.post("/api/cleanup", .cleanUp) { request, _ in
            let json = try await request.jsonBody(upTo: Self.bodyBytes)
            do {
                let cleanup = try CleanupRequest(json: json, now: engine.now)
                let outcome = try await engine.cleanup(cleanup)
                return Response.json(outcome.json)
            } catch let error as EngineError {
                throw Problem(error)
            }
        }
    }
}
