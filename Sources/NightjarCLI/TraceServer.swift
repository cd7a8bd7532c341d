import Foundation
import Nightjar
import NightjarBus
import NightjarSignals
import Synchronization

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// The traces of a running server, and where scores are posted; it waits for each answer.
final class TraceServer: ScoringSource, ScoringSink {
    private static let pageTraces = 500
    private static let patienceSeconds = 60.0
    /// A server that is told to take back a version looks through all of its scores.
    private static let undoSeconds = 3600.0
    private static let tries = 30

    /// Where it is.
    let url: URL
    /// What scorers may look up of the trace at hand.
    var fetched: FetchedTraces?
    private let session: URLSession

    /// A server.
    init(url: URL) {
        self.url = url
        session = URLSession(configuration: .ephemeral)
    }

    deinit { session.invalidateAndCancel() }

    // MARK: - Traces

    func targets(_ window: StoredWindow) throws -> ScoringTargets {
        let (traces, isCut) = try list(window)
        return ScoringTargets(traces, isCut: isCut)
    }

    /// The traces of a window, the newest first; of each whether it is still under way.
    func list(
        _ window: StoredWindow
    ) throws -> (traces: [(target: ScoringTarget, isOpen: Bool)], isCut: Bool) {
        var query = [URLQueryItem(name: "sort", value: "received")]
        if let from = window.from { query.append(URLQueryItem(name: "from", value: from.description)) }
        // The server's bound is not part of its list, ours is.
        if let to = window.to?.advanced(by: .nanoseconds(1)) {
            query.append(URLQueryItem(name: "to", value: to.description))
        }
        var traces: [(target: ScoringTarget, isOpen: Bool)] = []
        var cursor: String?
        repeat {
            var page = query
            page.append(URLQueryItem(name: "limit", value: "\(Self.pageTraces)"))
            if let cursor { page.append(URLQueryItem(name: "cursor", value: cursor)) }
            let answer = try ask("api/traces", page) ?? .null
            traces += try (answer["traces"]?.array ?? []).map(outline)
            cursor = answer["nextCursor"]?.string
        } while cursor != nil && traces.count <= window.limit
        return (Array(traces.prefix(window.limit)), traces.count > window.limit)
    }

    func trace(_ target: ScoringTarget) throws -> StoredTrace? {
        let path = "api/traces/\(target.id)"
        guard let json = try ask(path),
            let message = try bytes(path, [URLQueryItem(name: "format", value: "protobuf")])
        else { return nil }
        do throws(InputErrors) {
            let trace = StoredTrace(target, message: message, try RecordedTrace(json: json))
            fetched?.turn(to: trace)
            return trace
        } catch {
            complain("trace \(target.id) cannot be read: \(error.errors.first.map { "\($0)" } ?? "")")
            return nil
        }
    }

    private func outline(_ json: Value) throws -> (target: ScoringTarget, isOpen: Bool) {
        guard let id = json["traceId"]?.string.flatMap({ TraceID($0) }),
            let received = json["lastReceivedAt"]?.string.flatMap({ Timestamp(iso8601: $0) })
        else {
            complain(
                "\(url.absoluteString) does not say when traces were received; is it an earlier version?"
            )
            throw Outcome.environment
        }
        return (ScoringTarget(id: id, receivedAt: received), json["isOpen"] == .bool(true))
    }

    // MARK: - Scores

    func write(_ scores: [Score]) throws {
        let body = Value.array(scores.map(\.json))
        _ = try ask("api/scores", [URLQueryItem(name: "backfill", value: "true")], body)
    }

    func undo(_ version: ScoreVersion) throws -> UndoCount {
        let answer = try ask("api/scores/undo", [], version.json, patience: Self.undoSeconds) ?? .null
        func count(_ key: String) -> Int { answer[key]?.number.flatMap { Int(exactly: $0) } ?? 0 }
        var undone = UndoCount()
        undone.deleted = count("deleted")
        undone.restored = count("restored")
        undone.forgotten = count("forgotten")
        return undone
    }

    // MARK: - Requests

    /// The JSON that the server answers.
    private func ask(
        _ path: String,
        _ query: [URLQueryItem] = [],
        _ body: Value? = nil,
        patience: Double = TraceServer.patienceSeconds
    ) throws -> Value? {
        guard let bytes = try bytes(path, query, body, patience: patience) else { return nil }
        do {
            return try Value(jsonBytes: bytes)
        } catch {
            complain("\(url.absoluteString) does not answer as Nightjar does")
            throw Outcome.environment
        }
    }

    /// What the server answers to a GET, or to a POST where there is a body; nil for what is not there. One that has no room is
    /// asked again.
    /// - Throws: ``Outcome/environment`` or ``Outcome/failed`` after one line that says why.
    private func bytes(
        _ path: String,
        _ query: [URLQueryItem] = [],
        _ body: Value? = nil,
        patience: Double = TraceServer.patienceSeconds
    ) throws -> [UInt8]? {
        var request = URLRequest(url: url.appending(path: path).appending(queryItems: query))
        request.timeoutInterval = patience
        if let body {
            request.httpMethod = "POST"
            request.httpBody = Data(body.json.utf8)
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        }
        for attempt in 1... {
            let (data, status) = try send(request)
            switch status {
            case 200...299: return Array(data)
            case 404 where body == nil: return nil
            case 429 where attempt < Self.tries, 503 where attempt < Self.tries:
                Thread.sleep(forTimeInterval: 1)
            default:
                // An answer that is no JSON has no detail.
                let problem = try? Value(jsonBytes: Array(data))
                let detail = problem?["detail"]?.string.map { ": \($0)" } ?? ""
                complain("\(url.absoluteString) answers \(status)\(detail)")
                throw Outcome.failed
            }
        }
        throw Outcome.failed
    }

    private func send(_ request: URLRequest) throws -> (body: Data, status: Int) {
        let done = DispatchSemaphore(value: 0)
        let outcome = Mutex<Result<(Data, Int), any Error>>(.success((Data(), 0)))
        session.dataTask(with: request) { data, response, error in
            let status = (response as? HTTPURLResponse)?.statusCode ?? 0
            outcome.withLock { $0 = error.map { .failure($0) } ?? .success((data ?? Data(), status)) }
            done.signal()
        }.resume()
        done.wait()
        do {
            return try outcome.withLock { $0 }.get()
        } catch {
            complain(
                "\(url.absoluteString) cannot be reached: \(error.localizedDescription); is nightjar serve running there?"
            )
            throw Outcome.environment
        }
    }
}
