import Foundation
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

extension FuzzTests {
    @Test func `whatever a plugin does with the API, calls end in time and its neighbour counts each event`()
        async throws
    {
        let fuzzer = try ApiFuzzer()
        try await FuzzRun("api").run { fuzzer.run($0) }
    }
}

/// Runs generated programs beside a plugin that counts.
private struct ApiFuzzer: Sendable {
    private let folder: TemporaryFolder

    private static let neighbour = """
        local seen = nightjar.counter("neighbour_events")
        nightjar.on("span_ended", nil, function(span) seen:add(1) end, { duplicates = true })
        nightjar.on("trace_ended", nil, function(trace) seen:add(1) end, { again = true })
        """

    init() throws {
        folder = try TemporaryFolder()
        try folder.write(Self.neighbour, to: "neighbour.lua")
        try FileManager.default.createDirectory(
            atPath: folder.path("fuzz"),
            withIntermediateDirectories: true
        )
        try folder.write("return { double = function(n) return n * 2 end }", to: "fuzz/part.lua")
    }

    func run(_ seed: UInt64) -> FuzzOutcome {
        var random = SeededGenerator(seed: seed)
        var outcome = FuzzOutcome()
        let program = ApiProgram.text(using: SeededGenerator(seed: random.next()))
        outcome.source = Array(program.utf8)
        do { try folder.write(program, to: "fuzz/init.lua") } catch {
            outcome.faults.append("the source cannot be written: \(error)")
            return outcome
        }
        var configuration = PluginConfiguration(folder: folder.path)
        configuration.limits = limits(using: &random)
        let registry = MetricRegistry()
        outcome.registry = registry
        let lines = LineRecorder()
        let host = PluginHost(
            configuration,
            registry: registry,
            workers: 1,
            now: { moment },
            log: { lines.add($0) }
        )
        host.loadAll()
        let odd = OddSpans(using: &random)
        let session = host.session(worker: 0, reader: odd.reader)
        session.adopt()
        let receiver = RecordingReceiver(registry)
        let count = send(odd, to: session, receiver, &outcome, using: &random)
        // What runs last runs when its plugin goes.
        // It may not have loaded, and then there is nothing to switch off.
        try? host.disable("fuzz")
        limitTime(&outcome) { session.adopt() }
        if receiver.total("neighbour_events") != Double(count) {
            outcome.faults.append(
                "the neighbour counted \(receiver.total("neighbour_events")) of \(count) events"
            )
        }
        check(host, lines, &outcome)
        return outcome
    }

    private func limits(using random: inout SeededGenerator) -> PluginLimits {
        var limits = PluginLimits()
        limits.loadTime = .milliseconds(200)
        limits.callTime = .milliseconds(20)
        limits.fuel = random.pick([1_000_000, 50_000_000, 50_000_000])
        // The neighbour lives within the same.
        limits.memoryBytes = random.pick([1 << 20, 4 << 20, 16 << 20, 64 << 20])
        limits.emissions = random.oneIn(4) ? 1 + random.below(4) : 1000
        return limits
    }

    /// Sends the spans, then their trace; how many events that were.
    private func send(
        _ odd: OddSpans,
        to session: PluginSession,
        _ receiver: RecordingReceiver,
        _ outcome: inout FuzzOutcome,
        using random: inout SeededGenerator
    ) -> Int {
        var count = 0
        for trace in odd.traces {
            for span in trace.spans {
                let isKnown = !random.oneIn(4)
                limitTime(&outcome) {
                    session.spanEnded(span, trace: isKnown ? trace : nil, now: moment, into: receiver)
                }
                count += 1
            }
            limitTime(&outcome) { session.traceEnded(trace, now: moment, into: receiver) }
            count += 1
            sendOthers(of: trace, to: session, receiver, &outcome, using: &random)
        }
        return count
    }

    /// Sends events that are no spans, which the neighbour does not count, and spans through processors and samplers.
    private func sendOthers(
        of trace: TraceView,
        to session: PluginSession,
        _ receiver: RecordingReceiver,
        _ outcome: inout FuzzOutcome,
        using random: inout SeededGenerator
    ) {
        var log = Log(
            timestamp: moment,
            level: .warn,
            message: "a\0\u{FFFD}",
            data: ["k": [1, ["d": .null]]]
        )
        log.traceID = trace.id
        var score = Score(id: "s", timestamp: moment, scorerName: "x", metadata: ["k": .double(.infinity)])
        score.score = random.oneIn(2) ? nil : 1e300
        let events: [SignalEvent] = [
            .log(log),
            .metric(Metric(timestamp: moment, name: "m", type: .gauge, value: -0.0, labels: ["": "x"])),
            .score(score), .drop(Drop(signal: .log, reason: "queue_full", count: .max, timestamp: moment)),
            .feedback(
                Feedback(id: "", timestamp: moment, source: "", feedbackType: "", value: .bytes([0xFF]))
            ),
        ]
        for event in events {
            limitTime(&outcome) { session.signal(event, origin: nil, now: moment, into: receiver) }
        }
        limitTime(&outcome) { _ = session.process(log, now: moment, into: receiver) }
        guard let span = trace.spans.first else { return }
        limitTime(&outcome) {
            _ = session.process(span, now: moment, into: receiver) { _, span in span }
            _ = session.sampledShare(span, now: moment, into: receiver)
        }
        limitTime(&outcome) { session.advance(to: moment.advanced(by: .seconds(10)), into: receiver) }
    }

    private func limitTime(_ outcome: inout FuzzOutcome, _ body: () -> Void) {
        let seconds = BusyClock.thread.measure(body)
        if seconds > 1 { outcome.delays.append("a call took \(seconds) s") }
    }

    /// What is told of the plugin can be read, and it has loaded or failed.
    private func check(_ host: PluginHost, _ lines: LineRecorder, _ outcome: inout FuzzOutcome) {
        for line in lines.all {
            // A script may print nothing.
            if let found = unprintable(line.message), !found.isEmpty {
                outcome.faults.append("a line with \(found): \(line.message.debugDescription)")
            }
        }
        guard let status = host.status.first(where: { $0.name == "fuzz" }) else {
            outcome.faults.append("nothing is known of the plugin")
            return
        }
        for message in status.failures.map(\.message) + [status.loadFault?.detail].compactMap(\.self) {
            if let found = unprintable(message) {
                outcome.faults.append("an error with \(found): \(message.debugDescription)")
            }
        }
        outcome.kind = status.loadFault == nil ? "loaded" : "refused"
        if status.failures.contains(where: \.isLimit) { outcome.kind = "stopped by a limit" }
    }
}
