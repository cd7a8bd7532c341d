import Foundation
import NightjarSignals

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// A GET whose answer is handed on as it comes, however large it is.
final class Download: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    // Unchecked: the session's queue calls one method after the other, and the result is read after the last.

    /// What a refusal says is not longer.
    private static let detailBytes = 1 << 16
    private static let patienceSeconds = 120.0
    private let body: ([UInt8]) throws -> Void
    private let ended: CheckedContinuation<Void, any Error>
    private var status = 0
    private var refusal: [UInt8] = []
    private var failure: (any Error)?

    private init(_ body: @escaping ([UInt8]) throws -> Void, _ ended: CheckedContinuation<Void, any Error>) {
        self.body = body
        self.ended = ended
    }

    /// Calls `body` with the pieces of the answer, one after the other.
    /// - Throws: Whatever `body` throws; ``Outcome/environment`` or ``Outcome/failed`` after one line that says why.
    static func run(_ request: URLRequest, _ body: @escaping ([UInt8]) throws -> Void) async throws {
        let settings = URLSessionConfiguration.ephemeral
        // Between two pieces; the whole may take any time.
        settings.timeoutIntervalForRequest = patienceSeconds
        try await withCheckedThrowingContinuation { continuation in
            let session = URLSession(
                configuration: settings,
                delegate: Download(body, continuation),
                delegateQueue: nil
            )
            session.dataTask(with: request).resume()
            session.finishTasksAndInvalidate()
        }
    }

    func urlSession(
        _ session: URLSession,
        dataTask: URLSessionDataTask,
        didReceive response: URLResponse,
        completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
    ) {
        status = (response as? HTTPURLResponse)?.statusCode ?? 0
        completionHandler(.allow)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        guard failure == nil else { return }
        guard status == 200 else {
            if refusal.count < Self.detailBytes { refusal += data }
            return
        }
        do {
            try body(Array(data))
        } catch {
            failure = error
            dataTask.cancel()
        }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        let place = task.originalRequest?.url?.host ?? "the server"
        if let failure { return ended.resume(throwing: failure) }
        if let error {
            complain(
                status == 0
                    ? "\(place) cannot be reached: \(error.localizedDescription); is nightjar serve running there?"
                    : "\(place) broke off: \(error.localizedDescription); its log says why"
            )
            return ended.resume(throwing: Outcome.environment)
        }
        guard status != 200 else { return ended.resume() }
        // An answer that is no JSON has no detail.
        let detail = (try? Value(jsonBytes: refusal))?["detail"]?.string.map { ": \($0)" } ?? ""
        complain("\(place) answers \(status)\(detail)")
        ended.resume(throwing: Outcome.failed)
    }
}
