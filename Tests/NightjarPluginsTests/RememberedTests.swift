import CNightjarSignals
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

/// What a state and a session remember between events: texts, labels, series. None of it may show.
@Suite struct RememberedTests {
    /// Texts that agree in length, in their first and in their last eight bytes, and shorter ones that agree in less.
    private static let alike = [
        "provider-one-model-2024-08-06", "provider-two-model-2024-08-06", "provider-six-model-2024-08-06",
        "abcdefgh-ijklmnop", "abcdefgh+ijklmnop", "abcdefghijklmnop", "abcdefgh", "abcdefg", "abcd", "abc",
        "acc", "ab",
        "a", "",
    ]

    private static func span(_ fixture: Fixture, _ id: UInt64, _ model: String) -> SpanReference {
        fixture.builder.span("chat", type: .modelGeneration, id: id, attributes: [("m", .text(model))]) {
            row,
            slab in
            row.model = SpanBuilder.text(model, in: slab)
        }
    }

    @Test func `texts that look alike stay what they are, however often they come`() throws {
        let fixture = try Fixture(
            "nightjar.on('span_ended', nil, function(s) print(s.model .. '|' .. s.attributes.m) end)"
        )
        var expected: [String] = []
        for round in 0..<6 {
            for (place, model) in Self.alike.enumerated() {
                fixture.end(Self.span(fixture, UInt64(round * 100 + place + 1), model))
                expected.append("\(model)|\(model)")
            }
        }
        #expect(fixture.fault == nil)
        #expect(fixture.receiver.logs.map(\.message) == expected)
    }

    @Test func `labels that look alike count apart`() throws {
        let fixture = try Fixture(
            """
            local n, m = nightjar.counter('n'), nightjar.counter('m')
            nightjar.on('span_ended', nil, function(s) n:add(1, { model = s.model, k = 1 }) m:add(2, { model = s.model }) n:add(1) end)
            """
        )
        for round in 0..<3 {
            for (place, model) in Self.alike.enumerated() {
                fixture.end(Self.span(fixture, UInt64(round * 100 + place + 1), model))
            }
        }
        let seen = fixture.receiver.metrics
        for model in Self.alike {
            #expect(seen.count { $0.name == "n" && $0.labels == ["model": model, "k": "1"] } == 3)
            #expect(seen.count { $0.name == "m" && $0.labels == ["model": model] } == 3)
        }
        #expect(seen.count { $0.name == "n" && $0.labels.isEmpty } == 3 * Self.alike.count)
    }

    @Test func `a rule that wants a text is called for that text alone`() throws {
        let rules = Self.alike.enumerated().map { place, model in
            "nightjar.on('span_ended', { model = '\(model)', type = 'model_generation' }, function(s) print('\(place)') end)"
        }
        let fixture = try Fixture(rules.joined(separator: "\n"))
        for (place, model) in Self.alike.enumerated() {
            fixture.end(Self.span(fixture, UInt64(place + 1), model))
        }
        #expect(fixture.receiver.logs.map(\.message) == Self.alike.indices.map(String.init))
    }

    @Test func `rules are called in their order, whatever types they want`() throws {
        let fixture = try Fixture(
            """
            nightjar.on('span_ended', { type = { 'agent_run', 'model_generation' } }, function() print(1) end)
            nightjar.on('span_ended', nil, function() print(2) end)
            nightjar.on('span_ended', { type = 'tool_call' }, function() print(3) end)
            nightjar.on('span_ended', { { type = 'tool_call' }, { status = 'ok', model = 'x' } }, function() print(4) end)
            nightjar.on('span_ended', { type = nightjar.none_of('tool_call') }, function() print(5) end)
            nightjar.on('span_ended', { output_text = 'none' }, function() print(6) end)
            nightjar.on('span_ended', { model = 'x' }, function() print(7) end)
            """
        )
        fixture.end(Self.span(fixture, 1, "x"))
        #expect(fixture.receiver.logs.map(\.message) == ["1", "2", "4", "5", "7"])
    }

    @Test func `series are right with more label sets than are remembered`() throws {
        let script = """
            local n = nightjar.counter('n', { cardinality_limit = 20000 })
            local at = 0
            nightjar.on('span_ended', nil, function()
              for i = 1, 900 do n:add(1, { k = (at + i) % 9000 }) end
              at = at + 900
            end)
            """
        let fixture = try Fixture(script)
        let receiver = try AddingReceiver(fixture.registry)
        for id in 1...40 {
            fixture.session.spanEnded(
                fixture.builder.span("x", id: UInt64(id)),
                trace: nil,
                now: moment,
                into: receiver
            )
        }
        #expect(fixture.fault == nil)
        let sums = receiver.sums
        #expect(sums.count == 9000)
        #expect(Set(sums.values) == [4])
    }

    @Test func `a receiver is never given what another one remembered, and policies hold at once`() throws {
        let fixture = try Fixture(
            "nightjar.on('span_ended', nil, function(s) nightjar.counter('n'):add(1, { a = 'x', b = 'y' }) end)"
        )
        let receivers = try (0..<2).map { _ in try AddingReceiver(fixture.registry) }
        var id: UInt64 = 0
        func end(into receiver: AddingReceiver) {
            id += 1
            let span = fixture.builder.span("x", id: id)
            fixture.session.spanEnded(span, trace: nil, now: moment, into: receiver)
        }
        // A series of its own makes the numbers of the two differ.
        receivers[1].aggregator.count(\.spansReceived, at: moment)
        for _ in 0..<3 { for receiver in receivers { end(into: receiver) } }
        #expect(receivers[0].sums == ["n a=x b=y": 3])
        #expect(receivers[1].sums["n a=x b=y"] == 3)
        var policy = LabelPolicy()
        policy.allow = ["a"]
        fixture.registry.setPolicies(["n": policy], source: "other")
        end(into: receivers[0])
        #expect(receivers[0].sums["n a=x"] == 1)
    }
}

/// Adds what rules emit up, by metric and labels.
private final class AddingReceiver: EmissionReceiver {
    var origin: EmissionOrigin?
    let aggregator: MetricAggregator
    private let table = SeriesTable()
    private var added: [String: Double] = [:]

    init(_ registry: MetricRegistry) throws {
        aggregator = try MetricAggregator(
            registry: registry,
            table: table,
            configuration: CardinalityConfiguration(),
            report: CardinalityReport { _ in }
        )
    }

    var sums: [String: Double] {
        for delta in aggregator.take() {
            let series = table.series(delta.series)
            let labels = series.labels.map { " \($0.name)=\($0.value)" }.joined()
            added[series.instrument.name + labels, default: 0] += delta.sum
        }
        return added
    }

    func metric(
        _ instrument: InstrumentID,
        value: Double,
        labels: UnsafeBufferPointer<nj_label>,
        at time: Timestamp
    ) {
        aggregator.record(instrument, value: value, labels: labels, at: time)
    }

    func metric(
        _ instrument: InstrumentID,
        value: Double,
        labels: UnsafeBufferPointer<nj_label>,
        at time: Timestamp,
        remembered: inout RememberedSeries,
        origin: () -> EmissionOrigin
    ) {
        aggregator.record(instrument, value: value, labels: labels, at: time, remembered: &remembered)
    }

    func score(_ score: Score) {}
    func feedback(_ feedback: Feedback) {}
    func log(_ log: Log) {}
}
