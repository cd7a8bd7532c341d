import Foundation
import NightjarSignals
import NightjarTesting
import Synchronization

/// A reader of `GET /api/live` over a socket of its own: keeps what comes.
final class LiveReading: Sendable {
    struct Event: Sendable {
        var name = ""
        var id: String?
        var data = ""

        /// What it says.
        var json: Value { (try? Value(json: data)) ?? .null }

        /// The trace that it is of.
        var trace: String? {
            for member in ["exportedSpan", "log", "metric", "score", "feedback", "trace", "pluginError"] {
                if let trace = json[member]?["traceId"]?.string { return trace }
            }
            return nil
        }
    }

    private struct State {
        var events: [Event] = []
        var comments: [String] = []
        var open = Event()
        var isStopped = false
        var response: HTTPResponse?
        var isOver = false
    }

    private let state = Mutex(State())
    private let isBlocked = Mutex(false)
    private let released = DispatchSemaphore(value: 0)

    /// Starts to read. `blocks`: stops taking anything after the first line, until ``release()``.
    init(_ client: HTTPClient, _ query: String = "", after lastID: String? = nil, blocks: Bool = false) {
        // As long as any test may take.
        var client = HTTPClient(host: client.host, port: client.port, limit: .seconds(600))
        if let lastID { client.headers = [("Last-Event-ID", lastID)] }
        isBlocked.withLock { $0 = blocks }
        let reader = client
        Task {
            // A server that stops may cut it off; what came is kept.
            let response = try? await reader.lines("/api/live\(query)") { self.take($0) }
            state.withLock { ($0.response, $0.isOver) = (response, true) }
        }
    }

    /// The events so far.
    var events: [Event] { state.withLock { $0.events } }
    /// The names of the events so far.
    var names: [String] { events.map(\.name) }
    /// The comments so far.
    var comments: [String] { state.withLock { $0.comments } }
    /// Whether nothing comes any more.
    var isOver: Bool { state.withLock { $0.isOver } }
    /// The answer's head, once it is over.
    var response: HTTPResponse? { state.withLock { $0.response } }

    /// Reads on.
    func release() {
        isBlocked.withLock { $0 = false }
        released.signal()
    }

    /// Goes away at the next line.
    func stop() { state.withLock { $0.isStopped = true } }

    /// Returns when the server has let it in.
    func connected() async throws {
        try await wait(for: "the reader to be let in") { !comments.isEmpty || isOver }
    }

    /// The first event that fits, as soon as it is there.
    @discardableResult
    func event(_ what: String, where fits: (Event) -> Bool) async throws -> Event {
        try await wait(for: what, detail: "\(names)") { events.first(where: fits) }
    }

    private func take(_ line: String) -> Bool {
        let goesOn = state.withLock { state -> Bool in
            if line.hasPrefix(":") { state.comments.append(line) }
            if line.hasPrefix("event: ") { state.open.name = String(line.dropFirst(7)) }
            if line.hasPrefix("data: ") { state.open.data = String(line.dropFirst(6)) }
            if line.hasPrefix("id: ") { state.open.id = String(line.dropFirst(4)) }
            if line.isEmpty, !state.open.name.isEmpty {
                state.events.append(state.open)
                state.open = Event()
            }
            return !state.isStopped
        }
        if isBlocked.withLock({ $0 }), !comments.isEmpty { released.wait() }
        return goesOn
    }
}
