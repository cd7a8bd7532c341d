import HTTPTypes
import Hummingbird
import Nightjar
import NightjarSignals
import NightjarStore

/// Lists of logs, scores and feedback, newest first.
struct SignalRoutes {
    let engine: Engine

    func add(to router: APIRouter) {
        router.get("/api/logs", .listLogs) { request, _ in try await logs(request) }
        router.get("/api/scores", .listScores) { request, _ in try await scores(request) }
        router.get("/api/feedback", .listFeedback) { request, _ in try await feedback(request) }
    }

    private func logs(_ request: Request) async throws -> Response {
        guard let store = engine.store else { throw Problem.nothingStored }
        let parameters = try SignalScope.parameters(request, ["level", "q"])
        var query = LogQuery()
        query.scope = try SignalScope(parameters)
        query.level = try parameters.choice(
            "level",
            ["debug": .debug, "info": .info, "warn": .warn, "error": .error, "fatal": .fatal]
        )
        query.text = parameters.text("q")
        if let text = query.text, !FullText(text).hasWords {
            throw Problem(.badRequest, "q has no word in it; letters and digits make words")
        }
        let page = try await engine.reads.run { [query] in try store.logs(query) }
        return page.response("logs") { record in
            record.log.json.with("id", .int(record.id)).with("createdAt", record.createdAt)
        }
    }

    private func scores(_ request: Request) async throws -> Response {
        guard let store = engine.store else { throw Problem.nothingStored }
        let parameters = try SignalScope.parameters(
            request,
            ["scorer", "version", "label", "minScore", "maxScore"]
        )
        var query = ScoreQuery()
        query.scope = try SignalScope(parameters)
        query.scorer = parameters.text("scorer")
        query.version = parameters.text("version")
        query.label = parameters.text("label")
        query.minimumScore = try parameters.number("minScore")
        query.maximumScore = try parameters.number("maxScore")
        let page = try await engine.reads.run { [query] in try store.scores(query) }
        return page.response("scores") { $0.json }
    }

    private func feedback(_ request: Request) async throws -> Response {
        guard let store = engine.store else { throw Problem.nothingStored }
        let parameters = try SignalScope.parameters(request, ["feedbackType"])
        var query = FeedbackQuery()
        query.scope = try SignalScope(parameters)
        // Feedback has a source of its own, which is what its list is filtered by.
        query.scope.correlation.source = nil
        query.source = parameters.text("source")
        query.feedbackType = parameters.text("feedbackType")
        let page = try await engine.reads.run { [query] in try store.feedback(query) }
        return page.response("feedback") { $0.json }
    }
}

extension SignalScope {
    /// Shorter names of what the lists have in common, as the list of traces has them.
    private static let aliases = [
        "trace": "traceId", "span": "spanId", "user": "userId", "session": "sessionId",
        "service": "serviceName", "tags": "tag",
    ]

    /// The parameters of a list: those that all lists have, and its own.
    static func parameters(_ request: Request, _ own: [String]) throws -> QueryParameters {
        try QueryParameters(
            request.uri.query,
            known: ["from", "to", "traceId", "spanId", "tag", "limit", "cursor"]
                + Correlation.texts.map(\.name) + own,
            lists: ["tag"],
            aliases: aliases
        )
    }

    /// What all lists have in common.
    init(_ parameters: QueryParameters) throws {
        self.init()
        from = try parameters.instant("from")
        to = try parameters.instant("to")
        traceID = try parameters.traceID("traceId")
        spanID = try parameters.spanID("spanId")
        var fields = Correlation.Fields()
        for (name, path) in Correlation.texts { fields[keyPath: path] = parameters.text(name) }
        fields.tags = parameters.texts("tag")
        correlation = Correlation(fields)
        limit = try parameters.whole("limit", 1...TraceQuery.largestLimit) ?? limit
        cursor = try parameters.cursor(PageCursor.self)
    }
}

extension SignalPage {
    /// The page as an answer.
    fileprivate func response(_ key: String, _ json: (Record) -> Value) -> Response {
        var object: Value.Object = [key: .array(records.map(json))]
        object.setPage(next: next, scannedUntil: scannedUntil)
        return .json(.object(object))
    }
}

extension ScoreRecord {
    /// The score, with when it was first stored.
    var json: Value { score.json.with("createdAt", createdAt) }
}

extension FeedbackRecord {
    /// The feedback, with when it was first stored.
    var json: Value { feedback.json.with("createdAt", createdAt) }
}

extension Value {
    /// An object with a further member.
    func with(_ key: String, _ value: Value) -> Value {
        guard case .object(var object) = self else { return self }
        object[key] = value
        return .object(object)
    }

    /// An object with a further instant.
    func with(_ key: String, _ time: Timestamp) -> Value { with(key, .string(time.description)) }
}
