import Foundation
import NightjarSignals
import NightjarTesting

/// One request of a crash test.
struct CrashRequest: Sendable {
    var method = "POST"
    var path: String
    var body: [UInt8] = []
    /// What it holds that has no id: it counts again if it is sent again because its answer was lost.
    var unnamed: [String] = []
}

/// What a crash test sends, made from a seed: lanes that send at the same time, each in its order.
struct CrashLoad: Sendable {
    enum Step: Sendable {
        case send(CrashRequest)
        /// Waits until `/metrics` has so much.
        case reach(CrashTotals.Place, Double)
    }

    static let agents = ["a0", "a1", "a2"]
    private(set) var lanes: [[Step]] = []
    /// What must come of it.
    private(set) var totals = CrashTotals()
    private var random: SeededGenerator
    private var traces: [(id: String, root: String)] = []

    /// A load for so many kills.
    init(seed: UInt64, rounds: Int) {
        random = SeededGenerator(seed: seed)
        for _ in 0..<3 { addTraces(rounds * 2) }
        addAnnotations(rounds * 4)
        addLogs(rounds * 3)
        addEvents(rounds * 3)
        addReceivedMetrics(rounds * 3)
        addDeletions((rounds + 1) / 2)
    }

    // MARK: - Traces

    private mutating func addTraces(_ count: Int) {
        var waiting = (0..<count).map { _ in parts() }
        var open: [[[CrashSpan]]] = []
        var steps: [Step] = []
        var again: [CrashRequest] = []
        while !waiting.isEmpty || !open.isEmpty {
            while open.count < 3, let next = waiting.popLast() { open.append(next) }
            let place = pick(open.count)
            var spans = open[place].removeFirst()
            if open[place].isEmpty { open.remove(at: place) }
            // Sometimes parts of two traces share a request.
            if chance(4), !open.isEmpty {
                let other = pick(open.count)
                spans += open[other].removeFirst()
                if open[other].isEmpty { open.remove(at: other) }
            }
            let request = CrashRequest(path: "/v1/traces", body: CrashSpan.body(spans))
            steps.append(.send(request))
            // Sent again though it was taken: at once, or after others.
            if chance(5) { again.append(request) }
            if chance(2), let request = again.popLast() { steps.append(.send(request)) }
        }
        lanes.append(steps)
    }

    /// The spans of a trace by request. Most end with the root, as from a client that sends spans when they end.
    private mutating func parts() -> [[CrashSpan]] {
        let agent = Self.agents[pick(3)]
        let trace = String(format: "%016lx%016lx", random.next() | 1, random.next())
        var root = CrashSpan(trace: trace, id: spanID(), parent: nil, agent: agent)
        root.milliseconds = 100 + pick(9000)
        traces.append((trace, root.id))
        var children: [CrashSpan] = []
        for _ in 0..<1 + pick(5) {
            var child = CrashSpan(trace: trace, id: spanID(), parent: root.id, agent: agent)
            child.milliseconds = 1 + pick(90)
            if chance(2) {
                child.kind = .chat(model: "m\(pick(2))", input: 1 + pick(4000), output: 1 + pick(400))
            } else {
                child.kind = .tool("t\(pick(3))")
            }
            child.isError = chance(6)
            children.append(child)
        }
        totals.add(root, children)
        let cut = pick(children.count + 1)
        let groups = [Array(children[..<cut]), Array(children[cut...])].filter { !$0.isEmpty }
        if chance(5) { return [[root]] + groups }
        if chance(4) { return [children + [root]] }
        return groups + [[root]]
    }

    private mutating func spanID() -> String { String(format: "%016lx", random.next() | 1) }

    // MARK: - Scores and feedback

    private mutating func addAnnotations(_ count: Int) {
        var steps: [Step] = []
        for number in 0..<count {
            let target = traces[pick(traces.count)]
            let isFeedback = chance(3)
            let id = "\(isFeedback ? "f" : "s")-\(number)"
            // Again with another value: it replaces, and counts once.
            for _ in 0..<(chance(4) ? 2 : 1) {
                let value = Int64(pick(100))
                var object: Value.Object = ["id": .string(id), "traceId": .string(target.id)]
                if number % 3 == 0 { object["spanId"] = .string(target.root) }
                if isFeedback {
                    object["source"] = "user"
                    object["feedbackType"] = "thumbs"
                    object["value"] = .int(value)
                } else {
                    object["scorerName"] = "tone"
                    object["score"] = .int(value)
                }
                steps.append(
                    .send(
                        CrashRequest(
                            path: isFeedback ? "/api/feedback" : "/api/scores",
                            body: Array(Value.object(object).json.utf8)
                        )
                    )
                )
                totals.annotations[id] = Double(value)
            }
            totals.count(
                isFeedback ? "mastra_feedback_total" : "mastra_scores_total",
                isFeedback ? ["feedback_type": "thumbs", "source": "user"] : ["scorer": "tone"]
            )
        }
        lanes.append(steps)
    }

    // MARK: - Logs, events, metrics

    private mutating func addLogs(_ count: Int) {
        var steps: [Step] = []
        for number in 0..<count {
            let messages = (0...pick(3)).map { "log \(number)-\($0)" }
            let trace = traces[pick(traces.count)].id
            let records = messages.map { message in
                #"{"timeUnixNano":"1790000000000000000","traceId":"\#(trace)","body":{"stringValue":"\#(message)"}}"#
            }
            let body =
                #"{"resourceLogs":[{"scopeLogs":[{"logRecords":[\#(records.joined(separator: ","))]}]}]}"#
            steps.append(.send(CrashRequest(path: "/v1/logs", body: Array(body.utf8), unnamed: messages)))
            totals.unnamed += messages
        }
        lanes.append(steps)
    }

    private mutating func addEvents(_ count: Int) {
        var steps: [Step] = []
        for number in 0..<count {
            let trace = String(format: "e%031lx", number + 1)
            let (log, order) = ("event log \(number)", "order \(number)")
            let span: Value = [
                "id": "a1", "traceId": .string(trace), "name": "native", "entityName": "native",
                "type": "agent_run", "startTime": "2026-09-21T13:33:20Z", "endTime": "2026-09-21T13:33:21Z",
            ]
            let score: Value = [
                "id": .string("n-\(number)"), "traceId": .string(trace), "scorerName": "native_tone",
                "score": .int(Int64(number)),
            ]
            let events: [Value] = [
                ["type": "span_started", "exportedSpan": span], ["type": "span_ended", "exportedSpan": span],
                ["type": "log", "log": ["message": .string(log), "traceId": .string(trace)]],
                ["type": "metric", "metric": ["name": "crash_orders", "metricType": "counter", "value": 1]],
                ["type": "score", "score": score],
            ]
            steps.append(
                .send(
                    CrashRequest(
                        path: "/api/events",
                        body: Array(events.map { $0.json + "\n" }.joined().utf8),
                        unnamed: [log, order]
                    )
                )
            )
            totals.addNativeRun(trace, duration: 1000)
            totals.count("mastra_scores_total", ["scorer": "native_tone"])
            totals.annotations["n-\(number)"] = Double(number)
            totals.unnamed += [log, order]
        }
        lanes.append(steps)
    }

    private mutating func addReceivedMetrics(_ count: Int) {
        var steps: [Step] = []
        var values = ["crash_received_a": 0, "crash_received_b": 0]
        for number in 0..<count {
            for name in values.keys.sorted() { values[name, default: 0] += pick(50) }
            let metrics = values.keys.sorted().flatMap {
                OTLPBody.counter($0, Double(values[$0] ?? 0), at: 1_790_000_000_000_000_000 + number)
            }
            let request = CrashRequest(path: "/v1/metrics", body: OTLPBody.request(metrics))
            steps.append(.send(request))
            if chance(5) { steps.append(.send(request)) }
        }
        totals.received = values.mapValues(Double.init)
        lanes.append(steps)
    }

    // MARK: - Deletions

    private mutating func addDeletions(_ count: Int) {
        var steps: [Step] = []
        for number in 1...count {
            let trace = String(format: "d%031lx", number)
            var root = CrashSpan(trace: trace, id: "00000000000000d1", parent: nil, agent: "doomed")
            root.milliseconds = 5
            totals.addDoomed(root)
            steps += [
                .send(CrashRequest(path: "/v1/traces", body: CrashSpan.body([root]))),
                // What is deleted before it is processed does not count.
                .reach(.init("mastra_agent_runs_ended", ["agent": "doomed"]), Double(number)),
                .send(CrashRequest(method: "DELETE", path: "/api/traces/\(trace)")),
            ]
            let score: Value = [
                "id": .string("d-\(number)"), "sessionId": "s", "scorerName": "doomed", "score": 1,
            ]
            totals.count("mastra_scores_total", ["scorer": "doomed"])
            steps += [
                .send(CrashRequest(path: "/api/scores", body: Array(score.json.utf8))),
                .reach(.init("mastra_scores_total", ["scorer": "doomed"]), Double(number)),
                .send(CrashRequest(method: "DELETE", path: "/api/scores/d-\(number)")),
            ]
        }
        lanes.append(steps)
    }

    private mutating func pick(_ count: Int) -> Int { Int.random(in: 0..<max(count, 1), using: &random) }
    private mutating func chance(_ one: Int) -> Bool { pick(one) == 0 }
}
