import HTTPTypes
import Hummingbird
import Nightjar
import NightjarSignals
import NightjarStore

/// Scores and feedback: one object or a list, all or nothing, or with `?partial=true` each by itself. The target is named by
/// the body, or by the path; what the path names wins.
struct AnnotationRoutes {
    let engine: Engine
    let bodyBytes: Int

    /// What a path names.
    private struct Target: Sendable {
        var trace: TraceID?
        var span: SpanID?
        var session: String?

        var isEmpty: Bool { trace == nil && session == nil }
    }

    func add(to router: APIRouter) {
        let places: [(path: String, name: String, target: @Sendable (BasicRequestContext) throws -> Target)] =
            [
                ("/api", "", { _ in Target() }),
                (
                    "/api/traces/{id}", "Trace",
                    { Target(trace: try TraceID(parameter: $0.parameters.require("id"))) }
                ),
                (
                    "/api/traces/{id}/spans/{span}", "Span",
                    {
                        Target(
                            trace: try TraceID(parameter: $0.parameters.require("id")),
                            span: try SpanID(parameter: $0.parameters.require("span"))
                        )
                    }
                ),
                ("/api/sessions/{id}", "Session", { Target(session: try $0.parameters.decoded("id")) }),
            ]
        for (path, name, target) in places {
            router.post("\(path)/scores", .annotate("Score", of: name)) { request, context in
                if path == "/api", request.uri.queryParameters["backfill"] == "true" {
                    return try await backfill(request)
                }
                return try await scores(request, target(context))
            }
            router.post("\(path)/feedback", .annotate("Feedback", of: name)) { request, context in
                try await feedback(request, target(context))
            }
        }
        router.post("/api/scores/undo", .undoScores) { request, _ in try await undo(request) }
        router.delete("/api/scores/{id}", .delete("Score")) { _, context in
            let id = try context.parameters.require("id")
            return try await engine.deleted { try $0.deleteScore(id) }
        }
        router.delete("/api/feedback/{id}", .delete("Feedback")) { _, context in
            let id = try context.parameters.require("id")
            return try await engine.deleted { try $0.deleteFeedback(id) }
        }
    }

    private func scores(_ request: Request, _ target: Target) async throws -> Response {
        try await take(request, target, traceID: \.traceID) { json, needsTarget throws(InputErrors) in
            try ScoreInput.each(json: json, needsTarget: needsTarget)
        } send: { inputs in
            let now = engine.now
            let scores = inputs.map { input in
                var input = input
                if !target.isEmpty {
                    (input.traceID, input.spanID) = (target.trace, target.span)
                    input.sessionID = target.session
                }
                return input.score(id: input.id ?? AnnotationID.fresh(), timestamp: now, targetMetadata: [:])
            }
            return try await engine.annotate(scores: scores, feedback: []).scores
        }
    }

    private func feedback(_ request: Request, _ target: Target) async throws -> Response {
        try await take(request, target, traceID: \.traceID) { json, needsTarget throws(InputErrors) in
            try FeedbackInput.each(json: json, needsTarget: needsTarget)
        } send: { inputs in
            let now = engine.now
            let feedback = inputs.map { input in
                var input = input
                if !target.isEmpty {
                    (input.traceID, input.spanID) = (target.trace, target.span)
                    input.sessionID = target.session
                }
                return input.feedback(
                    id: input.id ?? AnnotationID.fresh(),
                    timestamp: now,
                    targetMetadata: [:]
                )
            }
            return try await engine.annotate(scores: [], feedback: feedback).feedback
        }
    }

    private func take<Input>(
        _ request: Request,
        _ target: Target,
        traceID: (Input) -> TraceID?,
        read: (Value, _ needsTarget: Bool) throws(InputErrors) -> [Result<Input, InputErrors>],
        send: ([Input]) async throws -> [AnnotationReceipt]
    ) async throws -> Response {
        let json = try await request.jsonBody(upTo: bodyBytes)
        let inputs: [Result<Input, InputErrors>]
        do throws(InputErrors) {
            inputs = try read(json, target.isEmpty)
        } catch {
            throw Problem(error)
        }
        if request.uri.queryParameters["partial"] == "true" {
            return try await partially(inputs.map { self.checked($0, target, traceID) }, send)
        }
        var good: [Input] = []
        var faults: [InputError] = []
        for input in inputs {
            switch input {
            case .success(let input): good.append(input)
            case .failure(let errors): faults += errors.errors
            }
        }
        guard faults.isEmpty else { throw Problem(InputErrors(faults)) }
        let receipts = try await answered { try await send(good) }
        return .json(["results": .array(receipts.map(\.json))], status: Self.status(receipts))
    }

    /// An input, refused where its trace is sampled out: each item is taken or refused by itself.
    private func checked<Input>(
        _ input: Result<Input, InputErrors>,
        _ target: Target,
        _ traceID: (Input) -> TraceID?
    ) -> Result<Input, InputErrors> {
        input.flatMap { input in
            do throws(EngineError) {
                try engine.refuseSampledOut(target.trace ?? traceID(input))
                return .success(input)
            } catch {
                guard error.code == .sampledOut else { return .success(input) }
                return .failure(InputErrors([InputError(path: "traceId", message: error.detail)]))
            }
        }
    }

    /// The fit ones together; of the others what is wrong with each, in its place.
    private func partially<Input>(
        _ inputs: [Result<Input, InputErrors>],
        _ send: ([Input]) async throws -> [AnnotationReceipt]
    ) async throws -> Response {
        let good = inputs.compactMap { input in
            if case .success(let input) = input { input } else { nil }
        }
        let receipts = good.isEmpty ? [] : try await answered { try await send(good) }
        var next = receipts.makeIterator()
        let results = inputs.map { input -> Value in
            switch input {
            case .success: next.next()?.json ?? .null
            case .failure(let errors): ["errors": .array(errors.errors.map(\.json))]
            }
        }
        let status = receipts.isEmpty && !inputs.isEmpty ? .badRequest : Self.status(receipts)
        return .json(["results": .array(results)], status: status)
    }

    private func answered<Result>(_ send: () async throws -> Result) async throws -> Result {
        do {
            return try await send()
        } catch let error as EngineError {
            throw Problem(error)
        }
    }

    /// 202 if any waits for its trace, else 200 if any replaced an earlier one, else 201.
    private static func status(_ receipts: [AnnotationReceipt]) -> HTTPResponse.Status {
        receipts.contains { $0.pending } ? .accepted : receipts.contains { $0.replaced } ? .ok : .created
    }
}

extension AnnotationReceipt {
    /// What became of one annotation.
    var json: Value {
        var object: Value.Object = ["id": .string(id)]
        if replaced { object["replaced"] = true }
        if pending { object["pending"] = true }
        return .object(object)
    }
}

extension InputError {
    fileprivate var json: Value { ["path": .string(path), "message": .string(message)] }
}
