import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

/// Signals contract section 2, plugin contract sections 3 to 6: rules of events that are no spans.
@Suite struct EventRuleTests {
    private static let trace = TraceID("aa")
    private static let log: Log = {
        var log = Log(timestamp: moment, level: .warn, message: "late", data: ["retry": ["count": 3]])
        log.traceID = trace
        log.correlation.serviceName = "shop"
        return log
    }()
    private static let metric: Metric = {
        Metric(timestamp: moment, name: "queue", type: .gauge, value: 2.5, labels: ["pool": "a"])
    }()
    private static let score: Score = {
        var score = Score(id: "s1", timestamp: moment, scorerName: "concise", metadata: ["k": "v"])
        score.score = 0.25
        score.reason = "long"
        score.correlation.entity.type = "agent"
        return score
    }()
    private static let feedback = Feedback(
        id: "f1",
        timestamp: moment,
        source: "user",
        feedbackType: "thumbs",
        value: 1,
        metadata: ["userId": "u7"]
    )
    private static let drop = Drop(signal: .log, reason: "queue_full", count: 4, timestamp: moment)

    @Test(arguments: [
        (
            SignalEvent.log(log), "e.level .. e.message .. e.data.retry.count .. e.service_name",
            "warnlate3shop"
        ),
        (.log(log), "e.trace_id", String(repeating: "0", count: 30) + "aa"),
        (.metric(metric), "e.name .. e.metric_type .. e.value .. e.labels.pool", "queuegauge2.5a"),
        (
            .score(score), "e.id .. e.scorer_name .. e.score .. e.reason .. e.entity_type .. e.metadata.k",
            "s1concise0.25longagentv"
        ),
        (.feedback(feedback), "e.source .. e.feedback_type .. e.value .. e.user_id", "userthumbs1u7"),
        (.drop(drop), "e.signal .. e.reason .. e.count", "logqueue_full4"),
        (.log(log), "tostring(e.span_id) .. e:copy().message", "nillate"),
    ])
    func `a rule reads the fields of its event`(_ event: SignalEvent, _ expression: String, _ text: String)
        throws
    {
        let fixture = try Fixture("nightjar.on('\(event.name)', function(e) print(\(expression)) end)")
        fixture.session.signal(event, origin: nil, now: moment, into: fixture.receiver)
        #expect(fixture.fault == nil)
        #expect(fixture.receiver.logs.map(\.message) == [text])
    }

    @Test(arguments: [
        (SignalEvent.log(log), "{ level = { 'warn', 'error' } }", true),
        (.log(log), "{ level = 'info' }", false),
        (.log(log), "{ ['data.retry.count'] = { gt = 2 } }", true),
        (.log(log), "{ message = { prefix = 'LA', ignore_case = true } }", true),
        (.metric(metric), "{ name = 'queue', ['labels.pool'] = 'b' }", false),
        (.metric(metric), "{ value = { ge = 2.5, lt = 3 } }", true),
        (.score(score), "{ scorer_name = nightjar.none_of('concise') }", false),
        (.score(score), "{ { score = 1 }, { score = { lt = 0.5 } } }", true),
        (.feedback(feedback), "{ comment = { exists = false } }", true),
        (.drop(drop), "{ reason = { contains = 'full' } }", true),
        (.score(score), "{ scorerName = 'concise', entityType = 'agent' }", true),
    ])
    func `the match of an event is judged in the host`(_ event: SignalEvent, _ match: String, _ holds: Bool)
        throws
    {
        let fixture = try Fixture("nightjar.on('\(event.name)', \(match), function() print('in') end)")
        fixture.session.signal(event, origin: nil, now: moment, into: fixture.receiver)
        #expect(fixture.receiver.logs.count == (holds ? 1 : 0))
        #expect(try fixture.calls() == (holds ? 1 : 0), "what does not match must not enter the script")
    }

    @Test(arguments: [
        (
            "nightjar.on('log', { mesage = 'x' }, print)",
            "rule.lua:1: unknown match key 'mesage' of a log; did you mean 'message'?"
        ),
        ("nightjar.on('metric', { label = 'x' }, print)", "did you mean 'labels'?"),
        ("nightjar.on('score', { score = { above = 1 } }, print)", "unknown operator 'above'"),
        ("nightjar.on('drop', 'full', print)", "the match must be a table"),
        ("nightjar.on('logs', print)", "unknown event 'logs'; did you mean 'log'?"),
    ])
    func `a mistake in the match of an event is told at its line`(_ script: String, _ fault: String) {
        #expect(loadFault(script)?.contains(fault) == true)
    }

    @Test func `a misspelt field of an event is an error with a suggestion`() throws {
        let fixture = try Fixture("nightjar.on('score', function(s) print(s.scorer) end)")
        fixture.session.signal(.score(Self.score), origin: nil, now: moment, into: fixture.receiver)
        #expect(fixture.fault?.contains("a score has no field 'scorer'; did you mean 'scor") == true)
    }

    @Test func `an event that outlives its call says so`() throws {
        let fixture = try Fixture(
            "local kept nightjar.on('log', function(l) if kept then print(kept.message) end kept = l end)"
        )
        fixture.session.signal(.log(Self.log), origin: nil, now: moment, into: fixture.receiver)
        fixture.session.signal(.log(Self.log), origin: nil, now: moment, into: fixture.receiver)
        #expect(fixture.fault?.contains("this log belongs to an event that is over") == true)
    }

    @Test func `an event does not reach the plugins that led to it, and others three deep`() throws {
        let script = "nightjar.on('log', function(l) print(l.message) end)"
        let fixture = try Fixture(["a": script, "b": script])
        func told(_ plugins: [String]?) -> Int {
            fixture.receiver.clear()
            let origin = plugins.map { EmissionOrigin(plugins: $0) }
            fixture.session.signal(.log(Self.log), origin: origin, now: moment, into: fixture.receiver)
            return fixture.receiver.logs.count
        }
        #expect(told(nil) == 2)
        #expect(told(["a"]) == 1)
        #expect(told(["a", "b"]) == 0)
        #expect(told(["x", "y", "z"]) == 2)
        #expect(told(["w", "x", "y", "z"]) == 0)
    }

    @Test func `emissions are marked with the plugins that led to them`() throws {
        let fixture = try Fixture(["b": "nightjar.on('log', function() nightjar.counter('n'):add(1) end)"])
        let origin = EmissionOrigin(plugins: ["a"])
        fixture.receiver.keepsOrigins = true
        fixture.session.signal(.log(Self.log), origin: origin, now: moment, into: fixture.receiver)
        #expect(fixture.receiver.origins == [EmissionOrigin(plugins: ["a", "b"])])
    }

    @Test func `what an emission causes counts towards the budget of the plugin that emitted first`() throws {
        var limits = PluginLimits()
        limits.emissions = 3
        let fixture = try Fixture(
            [
                "a": "nightjar.on('span_ended', function() print(1) print(2) end)",
                "b": "nightjar.on('log', function() print('b') end)",
            ],
            limits: limits
        )
        fixture.end(fixture.builder.span("x", id: 1))
        let origin = EmissionOrigin(plugins: ["a"])
        for _ in 0..<2 {
            fixture.session.signal(.log(Self.log), origin: origin, now: moment, into: fixture.receiver)
        }
        #expect(fixture.receiver.logs.map(\.message) == ["1", "2", "b"])
        #expect(fixture.fault?.contains("emissions") == true)
    }

    @Test func `rules of spans are called at the moment that they ask for`() throws {
        let fixture = try Fixture(
            """
            nightjar.on('span_started', function() print('started') end)
            nightjar.on('span_updated', function() print('updated') end)
            nightjar.on('span_ended', function() print('early') end, nil)
            nightjar.on('span_ended', nil, function() print('arrived') end, { early = true })
            """
        )
        let span = fixture.builder.span("x", id: 1)
        for moment in [SpanMoment.started, .startArrived, .updateArrived, .endArrived, .ended] {
            fixture.session.span(
                moment,
                span,
                trace: nil,
                now: NightjarPluginsTests.moment,
                into: fixture.receiver
            )
        }
        #expect(fixture.receiver.logs.map(\.message) == ["started", "updated", "arrived", "early"])
    }
}
