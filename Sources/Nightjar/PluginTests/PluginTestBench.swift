import Foundation
import NightjarBus
import NightjarPlugins
import NightjarSignals

/// The plugin under test, loaded anew for each test, and what came of the events that the test sent. Belongs to one thread.
final class PluginTestBench: PluginTestDriver {
    /// The lines of the plugin that ran, over all tests.
    private(set) var coveredLines: [String: Set<Int>] = [:]
    private let plugin: PluginSource
    private let folder: String
    private let isWatched: Bool
    private let clock = SettableClock()
    private var events = PluginTestEvents()
    private var run: RecordedRun?
    private var lines = LockedValue<[PluginLogLine]>([])

    init(plugin: PluginSource, folder: String, isWatched: Bool) {
        self.plugin = plugin
        self.folder = folder
        self.isWatched = isWatched
    }

    /// Loads the plugin for a test.
    /// - Throws: ``DeclarationFault`` where it does not load.
    func begin(settings: Value.Object) throws(DeclarationFault) {
        clock.reset()
        events = PluginTestEvents()
        let lines = LockedValue<[PluginLogLine]>([])
        self.lines = lines
        let registry = MetricRegistry()
        let clock = clock
        do {
            let sets = try PluginHost.load(
                files: [plugin],
                settings: settings.isEmpty ? [:] : [plugin.name: settings],
                registry: registry,
                isWatched: isWatched,
                now: { clock.now() },
                log: { line in lines.update { $0.append(line) } }
            )
            run = try RecordedRun(plugins: sets, registry: registry, clock: clock) { _ in }
            // Timers count from here.
            run?.advance()
        } catch {
            throw DeclarationFault("\(error)")
        }
    }

    /// Lets the plugin of a test go.
    func end() {
        if isWatched, let run { coveredLines.merge(run.coveredLines) { $0.union($1) } }
        run = nil
    }

    func perform(_ operation: String, _ arguments: [Value]) throws(DeclarationFault) -> Value? {
        guard let run else { throw DeclarationFault("there is no plugin to test here") }
        func argument(_ place: Int) -> Value? {
            arguments.indices.contains(place) && arguments[place] != .null ? arguments[place] : nil
        }
        if operation.hasPrefix("expect.") {
            let found = PluginTestFindings(run: run, errors: errors)
            run.finish()
            try PluginExpectations(found: found).check(String(operation.dropFirst(7)), arguments)
            return nil
        }
        switch operation {
        case "emit": return try emit(argument(0)?.string ?? "", argument(1) ?? .object([:]), run)
        case "run": try send(argument(0) ?? .null, run)
        case "trace": return try recording(argument(0)?.string ?? "")
        case "finish": run.finish()
        case "advance":
            guard let seconds = argument(0)?.plain, seconds >= 0 else {
                throw DeclarationFault("t.advance takes seconds")
            }
            try advance(seconds, run)
        default: return try PluginTestFindings(run: run, errors: errors).answer(operation, arguments)
        }
        return nil
    }

    private var errors: [String] { lines.value.filter { $0.level == .error }.map(\.message) }

    private func emit(_ kind: String, _ fields: Value, _ run: RecordedRun) throws(DeclarationFault) -> Value?
    {
        clock.advance(by: .milliseconds(1))
        let event = try events.event(kind, fields, at: clock.now())
        try add([event], to: run)
        var made = Value.Object()
        made["trace_id"] = event.traceID.map { .string($0.description) }
        made["id"] = event.span.map { .string($0.id.description) }
        return .object(made)
    }

    private func add(_ events: [SignalEvent], to run: RecordedRun) throws(DeclarationFault) {
        do throws(RecordedRun.InputFault) { try run.add(events) } catch {
            throw DeclarationFault(error.description)
        }
    }

    /// Sends the spans of a list as one trace, or a recording, and ends it.
    private func send(_ trace: Value, _ run: RecordedRun) throws(DeclarationFault) {
        clock.advance(by: .milliseconds(1))
        if let spans = trace.array {
            let id = events.freshTrace()
            var made: [SignalEvent] = []
            for span in spans {
                made.append(try events.event("span_ended", span, at: clock.now(), trace: id))
            }
            try add(made, to: run)
        } else if let path = trace["recording"]?.string {
            guard let data = FileManager.default.contents(atPath: folder + "/" + path) else {
                throw DeclarationFault("\(path) cannot be read")
            }
            do throws(RecordedRun.InputFault) { try run.add(Array(data)) } catch {
                throw DeclarationFault("\(path): \(error.description)")
            }
        } else {
            throw DeclarationFault("t.run takes a list of spans, or what t.trace gives")
        }
        run.finish()
    }

    private func recording(_ path: String) throws(DeclarationFault) -> Value {
        guard !path.isEmpty, !path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
            throw DeclarationFault("t.trace takes the path of a file below the test's folder")
        }
        guard FileManager.default.isReadableFile(atPath: folder + "/" + path) else {
            throw DeclarationFault("\(path) cannot be read; the path is that from the test's folder")
        }
        return ["recording": .string(path)]
    }

    /// Moves the clock in steps, so that each timer fires as often as it would.
    private func advance(_ seconds: Double, _ run: RecordedRun) throws(DeclarationFault) {
        let limit = 100_000.0
        guard seconds <= limit else {
            throw DeclarationFault("t.advance takes at most \(Int(limit)) seconds")
        }
        var left = seconds
        while left > 0 {
            let step = min(left, 1)
            clock.advance(by: .milliseconds(Int64(step * 1000)))
            run.advance()
            left -= step
        }
    }
}

extension Value {
    /// A number that is no text.
    var plain: Double? {
        switch self {
        case .int(let whole): Double(whole)
        case .double(let number): number
        default: nil
        }
    }
}

/// A clock that its owner moves.
final class SettableClock: PipelineClock {
    private static let start = Timestamp(unixNano: 1_750_000_000_000_000_000)
    private let time = LockedValue(start)

    func now() -> Timestamp { time.value }

    func reset() { time.update { $0 = Self.start } }

    func advance(by duration: Duration) { time.update { $0 = $0.advanced(by: duration) } }
}
