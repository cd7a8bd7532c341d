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

    /// What the server answers to a GET.
    /// - Throws: ``Outcome/environment`` where it cannot be reached or is no Nightjar, ``Outcome/failed`` where it refuses, each
    ///   after one line that says so.
    func get(_ path: String) async throws -> Value {
        try await value(of: URLRequest(url: url.appending(path: path)))
    }

    /// What the server answers to a POST without a body.
    /// - Throws: As ``get(_:)``.
    func post(_ path: String) async throws -> Value {
        var request = URLRequest(url: url.appending(path: path))
        request.httpMethod = "POST"
        return try await value(of: request)
    }

    private func value(of request: URLRequest) async throws -> Value {
        let (data, status) = try await answer(to: request)
        // What is no JSON is told below, whatever was wrong with it.
        let value = try? Value(jsonBytes: Array(data))
        guard status == 200 else {
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
