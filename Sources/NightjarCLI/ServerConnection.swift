import ArgumentParser
import Foundation
import NightjarSignals

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// The options of commands that ask a running server.
struct ServerOptions: ParsableArguments {
    @Option(help: "The server's URL; else NIGHTJAR_SERVER. (default: http://127.0.0.1:4318)")
    var server: String?

    /// The connection that they name.
    /// - Throws: ``Outcome/usage`` after a line that says what to write.
    func connection() throws -> ServerConnection {
        let given = server ?? ProcessInfo.processInfo.environment["NIGHTJAR_SERVER"]
        let text = given.flatMap { $0.isEmpty ? nil : $0 } ?? "http://127.0.0.1:4318"
        guard let url = URL(string: text), ["http", "https"].contains(url.scheme), url.host?.isEmpty == false
        else {
            complain("\(text) is no server; write a URL such as http://127.0.0.1:4318")
            throw Outcome.usage
        }
        return ServerConnection(url: url)
    }
}

/// A running server, as commands ask it.
struct ServerConnection {
    /// Where it is.
    let url: URL

    private static let patienceSeconds = 30.0

    /// What the server answers to a GET with these parameters.
    /// - Throws: ``Outcome/environment`` where it cannot be reached or is no Nightjar, ``Outcome/failed`` where it refuses, each
    ///   after one line that says so.
    func get(_ path: String, _ query: [URLQueryItem] = []) async throws -> Value {
        try await value(of: URLRequest(url: address(of: path, query)))
    }

    /// What the server answers to a POST, of JSON where there is a body.
    /// - Throws: As ``get(_:_:)``.
    func post(_ path: String, _ body: Value? = nil) async throws -> Value {
        var request = URLRequest(url: address(of: path))
        request.httpMethod = "POST"
        if let body {
            request.httpBody = Data(body.json.utf8)
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        }
        return try await value(of: request)
    }

    /// The URL of a path with parameters.
    func address(of path: String, _ query: [URLQueryItem] = []) -> URL {
        let address = url.appending(path: path)
        guard !query.isEmpty, var parts = URLComponents(url: address, resolvingAgainstBaseURL: false) else {
            return address
        }
        parts.queryItems = query
        // A plus sign may stand in a parameter as it is, and would be read as a space.
        parts.percentEncodedQuery = parts.percentEncodedQuery?.replacing("+", with: "%2B")
        return parts.url ?? address
    }

    /// A GET of what may take any time.
    func request(_ path: String, _ query: [URLQueryItem]) -> URLRequest {
        URLRequest(url: address(of: path, query))
    }

    /// What the server answers to a POST of a body; one that has no room is asked again, for a minute.
    /// - Throws: As ``get(_:)``.
    func post(_ path: String, _ body: [UInt8], type: String = "application/json") async throws -> Value {
        var request = URLRequest(url: url.appending(path: path))
        request.httpMethod = "POST"
        request.httpBody = Data(body)
        request.setValue(type, forHTTPHeaderField: "Content-Type")
        for _ in 1..<Self.tries {
            let (data, status) = try await answer(to: request)
            guard status == 429 || status == 503 else { return try value(data, status) }
            // What the server asks for with Retry-After where it has no room.
            try await Task.sleep(for: .seconds(1))
        }
        return try await value(of: request)
    }

    private static let tries = 60

    private func value(of request: URLRequest) async throws -> Value {
        let (data, status) = try await answer(to: request)
        return try value(data, status)
    }

    private func value(_ data: Data, _ status: Int) throws -> Value {
        // What is no JSON is told below, whatever was wrong with it.
        let value = try? Value(jsonBytes: Array(data))
        guard (200..<300).contains(status) else {
            complain(
                "\(url.absoluteString) answers \(status)" + (value?["detail"]?.string.map { ": \($0)" } ?? "")
            )
            throw Outcome.failed
        }
        guard let value else {
            complain("\(url.absoluteString) does not answer as Nightjar does")
            throw Outcome.environment
        }
        return value
    }

    private func answer(to request: URLRequest) async throws -> (body: Data, status: Int) {
        let settings = URLSessionConfiguration.ephemeral
        settings.timeoutIntervalForResource = Self.patienceSeconds
        let session = URLSession(configuration: settings)
        defer { session.invalidateAndCancel() }
        do {
            let (body, response) = try await session.data(for: request)
            return (body, (response as? HTTPURLResponse)?.statusCode ?? 0)
        } catch {
            complain(
                "\(url.absoluteString) cannot be reached: \(error.localizedDescription); is nightjar serve running there?"
            )
            throw Outcome.environment
        }
    }
}
