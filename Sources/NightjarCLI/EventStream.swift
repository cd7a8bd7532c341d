import Foundation
import NightjarSignals
import Synchronization

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// One reading of a server's live events, from the request to the end of the answer.
final class EventStream: NSObject, URLSessionDataDelegate, Sendable {
    /// How it ended.
    enum End {
        /// The server was not reached, or went away in the middle, and why.
        case broken(reason: String)
        /// The server refused.
        case refused(status: Int, detail: String, retryAfterSeconds: Int?)
        /// The answer was complete.
        case complete
        /// Whoever reads had enough.
        case enough
    }

    private struct State {
        var events = ServerSentEvents()
        var status = 0
        var retryAfterSeconds: Int?
        var refusal = Data()
        var end: End?
    }

    /// Three heartbeats of the server.
    private static let silenceSeconds = 45.0
    /// More of a refusal is not read.
    private static let refusalBytes = 64 << 10

    private let state = Mutex(State())
    private let done: DispatchSemaphore
    /// Takes an event; false: that was enough.
    private let take: @Sendable (ServerSentEvent) -> Bool

    /// A reading whose end is told to `done`. `take` is called with one event after another, and answers whether to go on.
    init(done: DispatchSemaphore, take: @escaping @Sendable (ServerSentEvent) -> Bool) {
        self.done = done
        self.take = take
    }

    /// Whether the server let it in.
    var isAccepted: Bool { state.withLock { $0.status == 200 } }

    /// The id of the last event.
    var lastID: String? { state.withLock { $0.events.lastID } }

    /// How long the server asks to be left alone before the next reading.
    var retryMilliseconds: Int? { state.withLock { $0.events.retryMilliseconds } }

    /// Reads until the stream ends, or `isStopped` says so, which is asked whenever `done` is signalled; nil in that case.
    func read(_ url: URL, after lastID: String?, isStopped: () -> Bool) -> End? {
        var request = URLRequest(url: url)
        request.setValue("text/event-stream", forHTTPHeaderField: "Accept")
        if let lastID { request.setValue(lastID, forHTTPHeaderField: "Last-Event-ID") }
        let settings = URLSessionConfiguration.ephemeral
        settings.timeoutIntervalForRequest = Self.silenceSeconds
        let session = URLSession(configuration: settings, delegate: self, delegateQueue: nil)
        defer { session.invalidateAndCancel() }
        session.dataTask(with: request).resume()
        while !isStopped() {
            if let end = state.withLock({ $0.end }) { return end }
            done.wait()
        }
        return nil
    }

    // MARK: - URLSessionDataDelegate

    func urlSession(
        _ session: URLSession,
        dataTask: URLSessionDataTask,
        didReceive response: URLResponse,
        completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
    ) {
        let response = response as? HTTPURLResponse
        state.withLock { state in
            state.status = response?.statusCode ?? 0
            state.retryAfterSeconds = response?.value(forHTTPHeaderField: "Retry-After").flatMap { Int($0) }
        }
        completionHandler(.allow)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        let events = state.withLock { state -> [ServerSentEvent] in
            guard state.end == nil else { return [] }
            guard state.status == 200 else {
                state.refusal.append(data.prefix(Self.refusalBytes - state.refusal.count))
                return []
            }
            return state.events.take(data)
        }
        for event in events where !take(event) { return finish(.enough) }
        if state.withLock({ $0.events.isBroken }) {
            finish(.broken(reason: "it does not answer as Nightjar does"))
        }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        let (status, refusal, wait) = state.withLock { ($0.status, $0.refusal, $0.retryAfterSeconds) }
        if let error {
            finish(.broken(reason: error.localizedDescription))
        } else if status == 200 {
            finish(.complete)
        } else {
            // A refusal that is no JSON has no detail.
            let detail = (try? Value(jsonBytes: Array(refusal)))?["detail"]?.string ?? ""
            finish(.refused(status: status, detail: detail, retryAfterSeconds: wait))
        }
    }

    private func finish(_ end: End) {
        state.withLock { if $0.end == nil { $0.end = end } }
        done.signal()
    }
}
