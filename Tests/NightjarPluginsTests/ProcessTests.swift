import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

/// Plugin contract section 3: `nightjar.process` and `nightjar.sampler`.
@Suite struct ProcessTests {
    /// What processors set of a span, and whether it was kept.
    private func process(_ script: String, _ span: (Fixture) -> SpanReference) throws -> (
        Fixture, Bool, [String: Value]
    ) {
        let fixture = try Fixture(script)
        var fields: [String: Value] = [:]
        let keeps = fixture.session.process(span(fixture), now: moment, into: fixture.receiver) {
            change,
            span in
            for (name, value) in change.fields { fields[name] = value }
            return span
        }
        return (fixture, keeps, fields)
    }

    @Test func `a processor changes name, attributes, metadata and tags`() throws {
        let (fixture, keeps, fields) = try process(
            """
            nightjar.process("span", function(s)
              s.name = s.name .. "!"
              s.attributes["k"] = 2
              s.attributes.gone = nil
              s.metadata = { team = "a" }
              s.tags = { "x", "y" }
            end)
            """
        ) {
            $0.builder.span(
                "chat",
                id: 1,
                attributes: [("gone", .text("x")), ("big", .int(9_007_199_254_740_993))]
            )
        }
        #expect(fixture.fault == nil)
        #expect(keeps)
        #expect(fields["name"] == "chat!")
        #expect(fields["attributes"] == ["big": 9_007_199_254_740_993, "k": 2])
        #expect(fields["metadata"] == ["team": "a"])
        #expect(fields["tags"] == ["x", "y"])
    }

    @Test func `only false drops, and nothing that is not set changes`() throws {
        func outcome(_ result: String) throws -> (Bool, Int) {
            let (_, keeps, fields) = try process(
                "nightjar.process('span', {}, function(s) return \(result) end)"
            ) {
                $0.builder.span("x", id: 1)
            }
            return (keeps, fields.count)
        }
        #expect(try outcome("false") == (false, 0))
        #expect(try outcome("nil") == (true, 0))
        #expect(try outcome("s") == (true, 0))
        #expect(try outcome("0") == (true, 0))
    }

    @Test(arguments: [
        ("s.status = 'ok'", "process may set name, attributes, metadata and tags"),
        ("s.name = 5", "field 'name' is a number; text is needed"),
        ("s.tags = 'x'", "field 'tags' is a string; a table is needed"),
        ("print(s.nmae)", "did you mean 'name'?"),
        ("s.attributes.f = print", "function"),
    ])
    func `a change that cannot be made is an error, and the event goes on as it was`(
        _ body: String,
        _ expected: String
    ) throws {
        let (fixture, keeps, fields) = try process(
            "nightjar.process('span', function(s) s.metadata = {a = 1} \(body) end)"
        ) { $0.builder.span("x", id: 1) }
        #expect(keeps)
        // All or nothing: what was set before the mistake is not changed either.
        #expect(fields.isEmpty)
        #expect(fixture.fault?.contains(expected) == true, "\(fixture.fault ?? "no error")")
    }

    @Test func `a processor of logs and of metrics sees what matches`() throws {
        let fixture = try Fixture(
            """
            nightjar.process("log", { level = "debug" }, function() return false end)
            nightjar.process("log", function(l) l.message = l.message:upper() l.data.seen = true end)
            nightjar.process("metric", { name = "queue" }, function(m) m.labels.pool = "b" end)
            """
        )
        func processed(_ level: LogLevel) -> Log? {
            fixture.session.process(
                Log(timestamp: moment, level: level, message: "late", data: ["a": 1]),
                now: moment,
                into: fixture.receiver
            )
        }
        #expect(processed(.debug) == nil)
        #expect(processed(.warn)?.message == "LATE")
        #expect(processed(.warn)?.data == ["a": 1, "seen": true])
        let metric = Metric(timestamp: moment, name: "queue", type: .gauge, value: 1, labels: ["pool": "a"])
        let changed = fixture.session.process(metric, now: moment, into: fixture.receiver)
        #expect(changed?.labels == ["pool": "b"])
        #expect(fixture.fault == nil)
    }

    @Test(arguments: [("true", 1.0), ("false", 0), ("0.25", 0.25), ("s.name == 'x'", 1)])
    func `a sampler answers with the share that is kept`(_ answer: String, _ share: Double) throws {
        let fixture = try Fixture("nightjar.sampler(function(s) return \(answer) end)")
        let span = fixture.builder.span("x", id: 1)
        #expect(fixture.session.wants.contains(.sampling))
        #expect(fixture.session.sampledShare(span, now: moment, into: fixture.receiver) == share)
    }

    @Test(arguments: ["'yes'", "2", "0/0", "error('x')"])
    func `a sampler that fails keeps the trace`(_ answer: String) throws {
        let fixture = try Fixture("nightjar.sampler(function(s) return \(answer) end)")
        let span = fixture.builder.span("x", id: 1)
        #expect(fixture.session.sampledShare(span, now: moment, into: fixture.receiver) == 1)
        #expect(fixture.fault != nil)
    }

    @Test func `of several samplers the most generous decides`() throws {
        let fixture = try Fixture([
            "a": "nightjar.sampler(function() return 0.1 end)",
            "b": "nightjar.sampler(function() return 0.4 end)",
        ])
        let span = fixture.builder.span("x", id: 1)
        #expect(fixture.session.sampledShare(span, now: moment, into: fixture.receiver) == 0.4)
    }
}
