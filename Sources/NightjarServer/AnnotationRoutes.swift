import HTTPTypes
import Hummingbird
import Nightjar
import NightjarSignals
import NightjarStore

/// `POST /api/scores` and `POST /api/feedback`: one object or a list, all or nothing.
struct AnnotationRoutes {
    let engine: Engine
    let bodyBytes: Int

    func add(to router: Router<BasicRequestContext>) {
        router.post("/api/scores") { request, _ in
            let inputs = try await inputs(request) { json throws(InputErrors) in
                try [ScoreInput](json: json, needsTarget: true)
            }
            let now = engine.now
            let scores = inputs.map {
                $0.score(id: $0.id ?? AnnotationID.fresh(), timestamp: now, targetMetadata: [:])
            }
            return try await answer { try await engine.annotate(scores: scores, feedback: []).scores }
        }
        router.post("/api/feedback") { request, _ in
            let inputs = try await inputs(request) { json throws(InputErrors) in
                try [FeedbackInput](json: json, needsTarget: true)
            }
            let now = engine.now
            let feedback = inputs.map {
                $0.feedback(id: $0.id ?? AnnotationID.fresh(), timestamp: now, targetMetadata: [:])
            }
            return try await answer { try await engine.annotate(scores: [], feedback: feedback).feedback }
        }
    }

    private func inputs<Input>(
        _ request: Request,
        _ read: (Value) throws(InputErrors) -> [Input]
    ) async throws -> [Input] {
        let json = try await request.jsonBody(upTo: bodyBytes)
        do throws(InputErrors) {
            return try read(json)
        } catch {
            throw Problem(error)
        }
    }

    /// 202 if any waits for its trace, else 200 if any replaced an earlier one, else 201.
    private func answer(_ annotate: () async throws -> [AnnotationReceipt]) async throws -> Response {
        let receipts: [AnnotationReceipt]
        do {
            receipts = try await annotate()
        } catch let error as EngineError {
            throw Problem(error)
        }
        let results = receipts.map { receipt -> Value in
            var object: Value.Object = ["id": .string(receipt.id)]
            if receipt.replaced { object["replaced"] = true }
            if receipt.pending { object["pending"] = true }
            return .object(object)
        }
        let status: HTTPResponse.Status =
            receipts.contains { $0.pending } ? .accepted : receipts.contains { $0.replaced } ? .ok : .created
        return .json(["results": .array(results)], status: status)
    }
}
