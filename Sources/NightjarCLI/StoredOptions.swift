import ArgumentParser
import Foundation
import Nightjar
import NightjarSignals

/// The options of commands that look at stored traces.
struct StoredOptions: ParsableArguments {
    @Option(help: "A database file; a server may have it open.")
    var db: String?

    @Option(help: "The URL of a running server.")
    var server: String?

    @Option(help: "Only traces received in the last 30m, 24h, 7d, ...")
    var since: String?

    @Option(help: "At most so many traces, the newest.")
    var limit: Int?

    /// The window that they name; it ends now.
    /// - Throws: ``Outcome/usage`` after a line that says what to write.
    func window(limit usual: Int) throws -> StoredWindow {
        if let limit, limit < 1 {
            complain("--limit is a whole number from 1 on")
            throw Outcome.usage
        }
        var window = StoredWindow(limit: limit ?? usual)
        guard let since else { return window }
        guard let duration = Duration(written: since) else {
            complain("--since \(since) is no duration; write 30m, 24h or 7d")
            throw Outcome.usage
        }
        let now = SystemClock().now()
        window.from = now.advanced(by: .zero - duration)
        return window
    }

    /// The server that they name; nil where they name none.
    /// - Throws: ``Outcome/usage`` after a line that says what to write.
    func traceServer() throws -> TraceServer? {
        guard server != nil else { return nil }
        var options = ServerOptions()
        options.server = server
        return TraceServer(url: try options.connection().url)
    }

    /// The database that they name, opened for reading; nil where they name none.
    /// - Throws: ``Outcome/environment`` after a line that says why it cannot be opened.
    func database() throws -> StoredEvents? {
        guard let db else { return nil }
        do throws(EngineError) {
            return try StoredEvents(path: db)
        } catch {
            complain(error.detail)
            throw Outcome.environment
        }
    }
}
