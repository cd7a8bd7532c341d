import HTTPTypes
import NightjarSignals

/// What one route takes and answers, as `GET /api/openapi.json` tells it.
struct Operation: Sendable {
    /// One parameter of the query, or of the path where the route's own path names it.
    struct Parameter: Sendable {
        let name: String
        let about: String
        let schema: Value
        let isRequired: Bool

        init(_ name: String, _ about: String, _ schema: Value = Schema.text, isRequired: Bool = false) {
            (self.name, self.about, self.schema) = (name, about, schema)
            self.isRequired = isRequired
        }
    }

    /// One form of a body, by its media type.
    typealias Content = [(type: String, schema: Value)]

    /// One answer.
    struct Answer: Sendable {
        let status: HTTPResponse.Status
        let about: String
        var content: Content = []

        /// An answer of JSON.
        static func json(
            _ schema: Value,
            _ status: HTTPResponse.Status = .ok,
            _ about: String = "as asked"
        ) -> Answer {
            Answer(status: status, about: about, content: [("application/json", schema)])
        }

        /// A problem (RFC 9457).
        static func problem(_ status: HTTPResponse.Status, _ about: String) -> Answer {
            Answer(
                status: status,
                about: about,
                content: [("application/problem+json", Schema.named("Problem"))]
            )
        }

        /// An answer without a body.
        static func empty(_ about: String) -> Answer { Answer(status: .noContent, about: about) }
    }

    /// Its name for programs that are made from the description.
    let id: String
    /// The group it is shown in.
    let group: String
    /// What it does, in a sentence.
    let about: String
    var parameters: [Parameter] = []
    /// What is to be sent, nil for nothing.
    var body: Content?
    /// Whether a request without a body is refused.
    var needsBody = true
    /// All answers but those that the router gives by itself.
    var answers: [Answer]
    /// Whether parameters of the query that are not listed are let pass; else they are refused by name.
    var takesAnyParameter = false
}

extension [Operation.Answer] {
    /// What a route that takes data answers where it does not take it.
    static let refusals: Self = [
        .problem(.badRequest, "the body is not what it should be; `errors` names each place"),
        .problem(.contentTooLarge, "the body is larger than a limit"),
        .problem(.unsupportedMediaType, "the encoding of the body is not known"),
        .problem(.tooManyRequests, "a queue is full; Retry-After says when to come again"),
        .problem(
            .serviceUnavailable,
            "the store cannot take anything now; Retry-After says when to come again"
        ),
    ]

    /// What a route that reads or deletes answers beside what was asked.
    static let readFaults: Self = [
        .problem(.badRequest, "a parameter is not known or not valid; `detail` names it"),
        .problem(.notFound, "it does not exist, or the server stores nothing"),
        .problem(.tooManyRequests, "too many wait for an answer; Retry-After says when to come again"),
        .problem(.serviceUnavailable, "the store cannot be read now, or reading took too long"),
    ]
}

extension Operation {
    /// The operation as OpenAPI has it. `path` names its path parameters in braces.
    func json(path: String) -> Value {
        var object: Value.Object = [
            "operationId": .string(id), "tags": [.string(group)], "summary": .string(about),
        ]
        let inPath = Set(
            path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
        )
        let undescribed = inPath.subtracting(parameters.map(\.name)).sorted().map {
            Parameter($0, "which one", Self.pathSchema($0, path))
        }
        let all = (undescribed + parameters).map { parameter -> Value in
            let isInPath = inPath.contains(parameter.name)
            return [
                "name": .string(parameter.name), "in": isInPath ? "path" : "query",
                "description": .string(parameter.about),
                "required": .bool(isInPath || parameter.isRequired), "schema": parameter.schema,
            ]
        }
        if !all.isEmpty { object["parameters"] = .array(all) }
        if let body { object["requestBody"] = ["required": .bool(needsBody), "content": Self.json(body)] }
        var responses = Value.Object()
        for answer in answers.sorted(by: { $0.status.code < $1.status.code }) {
            var one: Value.Object = ["description": .string(answer.about)]
            if !answer.content.isEmpty { one["content"] = Self.json(answer.content) }
            responses["\(answer.status.code)"] = .object(one)
        }
        object["responses"] = .object(responses)
        return .object(object)
    }

    private static func pathSchema(_ name: String, _ path: String) -> Value {
        switch name {
        case "id" where path.hasPrefix("/api/traces/"): Schema.writtenTraceID
        case "span": Schema.writtenSpanID
        default: Schema.name
        }
    }

    private static func json(_ content: Content) -> Value {
        var object = Value.Object()
        for (type, schema) in content { object[type] = ["schema": schema] }
        return .object(object)
    }
}
