import ArgumentParser
import Foundation
import NightjarSignals
import Synchronization

/// `nightjar tail`.
struct TailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract:
            "Follow what passes through a running server: spans, logs, scores, feedback, errors of plugins.",
        discussion: """
            An event is shown where it says itself what is asked for; an option given twice takes either value. Metrics are \
            shown only with --types metric. Where the connection breaks, the command comes back to the server, after longer \
            and longer pauses, and says that events may be missing. It ends when it is interrupted.
            """
    )

    @OptionGroup var server: ServerOptions
    @OptionGroup var facts: FactOptions

    @Option(
        help: ArgumentHelp(
            """
            Only these kinds, with commas: span, span_started, span_updated, span_ended, log, metric, score, feedback, drop, \
            trace_ended, plugin_error.
            """,
            valueName: "list"
        )
    )
    var types: [String] = []

    @Option(help: ArgumentHelp("Of a trace.", valueName: "id"))
    var trace: [String] = []

    @Option(help: ArgumentHelp("Log lines of this level or a worse one.", valueName: "level"))
    var level: String?

    @Option(help: ArgumentHelp("Errors of a plugin.", valueName: "name"))
    var plugin: [String] = []

    @Flag(help: "Print each event as a line of JSON.")
    var json = false

    @Option(help: ArgumentHelp("End after so many events.", valueName: "n"))
    var limit: Int?

    private var query: [URLQueryItem] {
        let own = [
            ("types", types), ("trace", trace), ("level", level.map { [$0] } ?? []), ("plugin", plugin),
        ]
        return facts.query
            + own.flatMap { key, values in values.map { URLQueryItem(name: key, value: $0) } }
    }

    func run() throws {
        if let limit, limit < 1 {
            complain("--limit is a whole number from 1 on")
            throw Outcome.usage
        }
        let connection = try server.connection()
        let interrupt = Interrupt()
        let turn = DispatchSemaphore(value: 0)
        interrupt.wake(turn)
        let tail = Tail(isJSON: json, limit: limit)
        let url = connection.address(of: "api/live", query)
        var pauses = Pauses()
        var lastID: String?
        var wasAccepted = false
        while true {
            let stream = EventStream(done: turn) { tail.take($0) }
            let end = stream.read(url, after: lastID) { interrupt.isStopped }
            lastID = stream.lastID ?? lastID
            if stream.isAccepted {
                wasAccepted = true
                pauses = Pauses(first: stream.retryMilliseconds)
            }
            guard let end, !interrupt.isStopped else { return }
            if case .enough = end { return }
            let reason = try reason(end, connection, wasAccepted)
            let pause = pauses.next(atLeast: end.retryAfterSeconds)
            complain("\(reason); again in \(String(format: "%.1f", pause)) s")
            // Whatever signals the semaphore but an interrupt was told before.
            let due = DispatchTime.now() + pause
            while !interrupt.isStopped, turn.wait(timeout: due) == .success {}
            if interrupt.isStopped { return }
        }
    }

    /// Why there is to be another try.
    /// - Throws: ``Outcome`` after one line, where another would end the same.
    private func reason(
        _ end: EventStream.End,
        _ connection: ServerConnection,
        _ wasAccepted: Bool
    ) throws -> String {
        let place = connection.url.absoluteString
        switch end {
        case .complete, .enough: return "\(place) has ended the stream"
        case .broken(let reason):
            guard wasAccepted else {
                complain("\(place) cannot be reached: \(reason); is nightjar serve running there?")
                throw Outcome.environment
            }
            return "\(place) is gone: \(reason)"
        case .refused(let status, let detail, _):
            let text = "\(place) answers \(status)" + (detail.isEmpty ? "" : ": \(detail)")
            if status == 503 { return text }
            complain(text)
            throw Outcome.failed
        }
    }
}

/// How long to wait before each try: longer and longer, up to a bound.
private struct Pauses {
    private static let usual = 1.0
    private static let longest = 30.0
    private var seconds: Double

    /// Pauses that begin with what the server asked for, else with a second.
    init(first milliseconds: Int? = nil) {
        seconds = min(milliseconds.map { Double($0) / 1000 } ?? Self.usual, Self.longest)
    }

    mutating func next(atLeast least: Int?) -> Double {
        defer { seconds = min(max(seconds, 0.01) * 2, Self.longest) }
        return max(seconds, min(Double(least ?? 0), Self.longest))
    }
}

extension EventStream.End {
    fileprivate var retryAfterSeconds: Int? {
        if case .refused(_, _, let seconds) = self { seconds } else { nil }
    }
}

/// Prints what comes, and counts it.
private final class Tail: Sendable {
    private let isJSON: Bool
    private let limit: Int?
    private let style: EventText
    private let count = Mutex(0)

    init(isJSON: Bool, limit: Int?) {
        self.isJSON = isJSON
        self.limit = limit
        style = EventText(paint: TerminalPaint.forOutput)
    }

    /// Prints an event; false after the last that was asked for. What the server says of itself does not count.
    func take(_ event: ServerSentEvent) -> Bool {
        show(isJSON ? event.data + "\n" : style.line(event) + "\n")
        guard !EventText.isAboutStream(event.name) else { return true }
        let printed = count.withLock { count in
            count += 1
            return count
        }
        return limit.map { printed < $0 } ?? true
    }
}
