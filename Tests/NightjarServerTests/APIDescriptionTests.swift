import Foundation
import NightjarSignals
import NightjarTesting
import Testing

/// `GET /api/openapi.json`, and what it promises of every route.
@Suite struct APIDescriptionTests {
    @Test func `each described route has its own name, and every schema it names is there`() async throws {
        try await TestServer.run { server in
            let document = try await server.client.get("/api/openapi.json").json()
            #expect(document["openapi"] == "3.1.0")
            let schemas = Set(document["components"]?["schemas"]?.object?.entries.map(\.key) ?? [])
            let operations = Self.operations(document)
            #expect(operations.count > 25)
            #expect(Set(operations.map { $0.json["operationId"]?.string }).count == operations.count)
            for name in Self.references(document) { #expect(schemas.contains(name), "\(name)") }
            for (path, method, json) in operations {
                #expect(json["responses"]?.object?.isEmpty == false, "\(method) \(path)")
            }
        }
    }

    @Test func `another method on a known path is refused with those that it takes`() async throws {
        try await TestServer.run { server in
            let document = try await server.client.get("/api/openapi.json").json()
            for (path, described) in Dictionary(grouping: Self.operations(document), by: \.path) {
                let place = path.replacing("{id}", with: "1f").replacing("{span}", with: "1f")
                    .replacing("{name}", with: "x")
                let answer = try await server.client.send("PROPFIND", place)
                #expect(answer.status == 405, "\(place)")
                #expect(answer.header("Content-Type") == "application/problem+json")
                let methods = Set(described.map { $0.method.uppercased() })
                let allowed = Set((answer.header("Allow") ?? "").split(separator: ", ").map(String.init))
                #expect(allowed.subtracting(["HEAD"]) == methods, "\(place)")
                #expect(allowed.contains("HEAD") == methods.contains("GET"))
            }
            #expect(try await server.client.send("PROPFIND", "/api/nothing").status == 404)
        }
    }

    @Test func `a parameter that a route does not have is named with the nearest that it has`() async throws {
        try await TestServer.run { server in
            let answer = try await server.client.get("/api/traces?sesion=a")
            #expect(answer.status == 400)
            #expect(try answer.json()["detail"]?.string?.contains("did you mean session?") == true)
            let value = try await server.client.get("/api/traces?sort=name")
            #expect(try value.json()["detail"] == "sort must be one of start, received")
        }
    }

    @Test func `every answer tells a browser to run, frame and guess nothing of it`() async throws {
        try await TestServer.run { server in
            for path in ["/", "/metrics", "/api/traces", "/api/traces/xyz", "/nothing", "/v1/traces"] {
                let answer = try await server.client.get(path)
                #expect(answer.header("X-Content-Type-Options") == "nosniff", "\(path)")
                #expect(answer.header("Referrer-Policy") == "no-referrer", "\(path)")
                #expect(
                    answer.header("Content-Security-Policy") == "default-src 'none'; frame-ancestors 'none'",
                    "\(path)"
                )
            }
        }
    }

    @Test func `HEAD answers as GET does, without a body`() async throws {
        try await TestServer.run { server in
            let answer = try await server.client.send("HEAD", "/healthz")
            #expect(answer.status == 200)
            #expect(answer.body.isEmpty)
        }
    }

    private static func operations(_ document: Value) -> [(path: String, method: String, json: Value)] {
        (document["paths"]?.object?.entries ?? []).flatMap { path, item in
            (item.object?.entries ?? []).map { (path, $0.key, $0.value) }
        }
    }

    private static func references(_ value: Value) -> [String] {
        switch value {
        case .object(let object):
            object.entries.flatMap { key, value -> [String] in
                guard key == "$ref", let text = value.string else { return references(value) }
                return [text.replacing("#/components/schemas/", with: "")]
            }
        case .array(let values): values.flatMap(references)
        default: []
        }
    }
}
