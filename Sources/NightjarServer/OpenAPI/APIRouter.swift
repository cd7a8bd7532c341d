import HTTPTypes
import Hummingbird
import Logging
import NightjarSignals
import NightjarStore

/// A list of routes with their descriptions: what is served and what `GET /api/openapi.json` says are one.
final class APIRouter {
    typealias Context = BasicRequestContext
    typealias Handler = @Sendable (Request, Context) async throws -> Response

    private struct Route {
        let path: String
        let method: HTTPRequest.Method
        let operation: Operation
        let handler: Handler
    }

    private let scope: ScopeMiddleware
    private var routes: [Route] = []

    /// A list without routes; each request is handled within a scope.
    init(scope: ScopeMiddleware) { self.scope = scope }

    func get(_ path: String, _ operation: Operation, _ handler: @escaping Handler) {
        routes.append(Route(path: path, method: .get, operation: operation, handler: handler))
    }

    func post(_ path: String, _ operation: Operation, _ handler: @escaping Handler) {
        routes.append(Route(path: path, method: .post, operation: operation, handler: handler))
    }

    func delete(_ path: String, _ operation: Operation, _ handler: @escaping Handler) {
        routes.append(Route(path: path, method: .delete, operation: operation, handler: handler))
    }

    /// The router of all routes and of their description.
    func finished() -> Router<Context> {
        // Before the description is written, which has to name itself.
        let description = Operation(
            id: "describe",
            group: "Status",
            about: "this description",
            answers: [.json(Schema.members), Operation.badParameter]
        )
        let path = "/api/openapi.json"
        let itself = Route(path: path, method: .get, operation: description) { _, _ in Response(status: .ok) }
        let document = Self.document(routes + [itself])
        get(path, description) { _, _ in Response.bytes(document, type: "application/json") }

        let router = Router(context: Context.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: scope)
        router.add(middleware: AnswerMiddleware(methods: methods))
        for route in routes {
            router.on(RouterPath(route.path), method: route.method) { request, context in
                try route.operation.checkParameters(of: request)
                return try await route.handler(request, context)
            }
        }
        return router
    }

    private var methods: [PathMethods] {
        // A path that is all words comes before one that has a parameter in its place.
        let paths = Dictionary(grouping: routes, by: \.path).sorted { $0.key < $1.key }
        return paths.map { path, routes in
            let methods = routes.map(\.method.rawValue)
            return PathMethods(
                path: path,
                methods: (methods + (methods.contains("GET") ? ["HEAD"] : [])).sorted()
            )
        }
    }

    private static func document(_ routes: [Route]) -> [UInt8] {
        var paths = Value.Object()
        for route in routes {
            var item = paths[route.path]?.object ?? [:]
            item[route.method.rawValue.lowercased()] = route.operation.json(path: route.path)
            paths[route.path] = .object(item)
        }
        var writer = JSONWriter()
        writer.write([
            "openapi": "3.1.0",
            "info": [
                "title": "Nightjar", "version": .string(NightjarAPI.version),
                "description":
                    "Takes OpenTelemetry and native events of AI agents, and gives back traces, metrics and scores.",
            ],
            "paths": .object(paths), "components": ["schemas": .object(Schema.components)],
        ])
        return writer.bytes
    }
}

/// The methods that a path takes.
private struct PathMethods: Sendable {
    private let elements: [Substring]
    let methods: [String]

    init(path: String, methods: [String]) {
        elements = path.split(separator: "/")
        self.methods = methods
    }

    func matches(_ path: [Substring]) -> Bool {
        path.count == elements.count && zip(path, elements).allSatisfy { $0 == $1 || $1.hasPrefix("{") }
    }
}

/// The version of the HTTP interface.
enum NightjarAPI {
    static let version = "1"
}

extension Operation {
    /// - Throws: ``Problem`` 400 that names a parameter of the query that is not listed, and the nearest that is.
    func checkParameters(of request: Request) throws {
        guard !takesAnyParameter else { return }
        let names = parameters.map(\.name)
        for (name, _) in request.uri.queryParameters where !name.isEmpty && !names.contains(String(name)) {
            let near = nearestName(to: String(name), among: names).map { "did you mean \($0)?" }
            let cure =
                near
                ?? (names.isEmpty
                    ? "there are none here" : "known are: \(names.sorted().joined(separator: ", "))")
            throw Problem(.badRequest, "\(name) is no parameter of \(request.uri.path); \(cure)")
        }
        for parameter in parameters {
            guard let known = parameter.schema["enum"]?.array?.compactMap(\.string),
                let value = request.uri.queryParameters[Substring(parameter.name)],
                !value.isEmpty, !known.contains(String(value))
            else { continue }
            throw Problem(.badRequest, "\(parameter.name) must be one of \(known.joined(separator: ", "))")
        }
    }
}

/// Turns what routes throw into problem answers, answers what no route takes, and says on every answer what a browser may do
/// with it.
private struct AnswerMiddleware: RouterMiddleware {
    private static let referrerPolicy = HTTPField.Name("Referrer-Policy")

    let methods: [PathMethods]

    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        var response = try await answer(request, context, next)
        response.headers[.xContentTypeOptions] = "nosniff"
        if let name = Self.referrerPolicy { response.headers[name] = "no-referrer" }
        // Nothing of an answer may run, load or be framed; a page that has more to it says so itself.
        if response.headers[.contentSecurityPolicy] == nil {
            response.headers[.contentSecurityPolicy] = "default-src 'none'; frame-ancestors 'none'"
        }
        return response
    }

    private func answer(
        _ request: Request,
        _ context: BasicRequestContext,
        _ next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let problem as Problem {
            return try problem.response(from: request, context: context)
        } catch let error as StoreError {
            return try Problem(error).response(from: request, context: context)
        } catch let error as HTTPError {
            return try problem(error, request).response(from: request, context: context)
        } catch {
            context.logger.error("\(request.method) \(request.uri.path) failed: \(error)")
            return try Problem(.internalServerError, "the request failed: \(error)")
                .response(from: request, context: context)
        }
    }

    /// What the framework's own refusals mean; no route for a path that is known is one for another method.
    private func problem(_ error: HTTPError, _ request: Request) -> Problem {
        let path = request.uri.path.split(separator: "/")
        if error.status == .notFound, let known = methods.first(where: { $0.matches(path) }) {
            let list = known.methods.joined(separator: ", ")
            var problem = Problem(.methodNotAllowed, "\(request.uri.path) takes \(list)")
            problem.allowed = known.methods
            return problem
        }
        return Problem(
            error.status,
            error.body ?? "\(request.method) \(request.uri.path): \(error.status.reasonPhrase)"
        )
    }
}
