import Foundation
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

/// Plugin contract section 3: `lru`, `window`, `data`, `every`, `get_trace`.
@Suite struct CollectionTests {
    /// What a script prints for one span.
    private func printed(_ body: String) throws -> [String] {
        let fixture = try Fixture("nightjar.on('span_ended', function(s)\n\(body)\nend)")
        fixture.end(fixture.builder.span("x", id: 1))
        if let fault = fixture.fault { return [fault] }
        return fixture.receiver.logs.map(\.message)
    }

    @Test func `an lru forgets what was not used for longest`() throws {
        let lines = try printed(
            """
            local c = nightjar.lru(2)
            c:set("a", 1) c:set("b", 2)
            c:get("a")
            c:set("c", {3})
            print(c:get("a"), c:get("b"), c:get("c")[1], c:count(), #c)
            c:set("a", nil) c:delete("nothing")
            print(c:get("a"), c:count())
            c:set(1, "one") c:set(1.0, "uno") c:set(true, "yes")
            print(c:get(1), c:get(true), c:count())
            """
        )
        #expect(lines == ["1\tnil\t3\t2\t2", "nil\t1", "uno\tyes\t2"])
    }

    @Test func `an lru agrees with a plain model over many operations`() throws {
        let lines = try printed(
            """
            local c, order, seed = nightjar.lru(7), {}, 1
            local function use(k) for i, v in ipairs(order) do if v[1] == k then return table.remove(order, i) end end end
            for step = 1, 3000 do
              seed = (seed * 1103515245 + 12345) % 2147483648
              local k, what = seed // 65536 % 15, seed // 1048576 % 4
              if what == 0 then
                local got, had = c:get(k), use(k)
                assert(got == (had and had[2]), step)
                if had then table.insert(order, had) end
              elseif what == 3 then
                c:delete(k) use(k)
              else
                c:set(k, step) use(k)
                table.insert(order, {k, step})
                if #order > 7 then table.remove(order, 1) end
              end
              assert(c:count() == #order, step)
            end
            print("agrees")
            """
        )
        #expect(lines == ["agrees"])
    }

    @Test func `a window sums what its time holds`() throws {
        let fixture = try Fixture(
            """
            local w = nightjar.window(60)
            nightjar.on("span_ended", function(s)
              w:add(s.attributes.v)
              print(w:count(), w:sum(), w:mean(), w:min(), w:max(), w:quantile(0.5))
            end)
            """
        )
        func add(_ value: Double, at seconds: Int64) {
            let span = fixture.builder.span("x", id: 1, attributes: [("v", .double(value))])
            fixture.session.spanEnded(
                span,
                trace: nil,
                now: moment.advanced(by: .seconds(seconds)),
                into: fixture.receiver
            )
        }
        for (place, value) in [4.0, 2, 9].enumerated() { add(value, at: Int64(place)) }
        add(1, at: 61)
        add(5, at: 200)
        #expect(fixture.fault == nil)
        #expect(
            fixture.receiver.logs.map(\.message) == [
                "1\t4.0\t4.0\t4.0\t4.0\t4.0", "2\t6.0\t3.0\t2.0\t4.0\t2.0", "3\t15.0\t5.0\t2.0\t9.0\t4.0",
                "2\t10.0\t5.0\t1.0\t9.0\t1.0", "1\t5.0\t5.0\t5.0\t5.0\t5.0",
            ]
        )
    }

    @Test func `an empty window has a sum and no mean`() throws {
        let lines = try printed(
            "local w = nightjar.window(5) print(w:count(), w:sum(), w:mean(), w:quantile(1))"
        )
        #expect(lines == ["0\t0.0\tnil\tnil"])
    }

    @Test(arguments: [
        ("nightjar.lru(0)", "from 1 to 100000"), ("nightjar.window(0.5)", "takes seconds"),
        ("nightjar.lru(2):set(nil, 1)", "a key is needed"), ("nightjar.lru(2):put(1)", "has no method 'put'"),
        ("nightjar.window(9):add(0/0)", "finite number"), ("nightjar.window(9):quantile(2)", "from 0 to 1"),
        ("nightjar.lru(2).get('x')", "call it with a colon"),
        ("nightjar.data('x.json')", "while the file loads"),
        ("nightjar.get_trace('zz')", "is no id"), ("nightjar.state.x = 1", "scope = \"global\""),
        ("nightjar.stat = 1", "read only"),
    ])
    func `a wrong use says what is right`(_ body: String, _ expected: String) throws {
        let lines = try printed(body)
        #expect(lines.first?.contains(expected) == true, "\(lines)")
    }

    // MARK: data

    private func withData(_ files: [String: String], _ script: String) throws -> [String] {
        let folder = try TemporaryFolder()
        for (name, text) in files {
            try text.write(toFile: folder.path + "/" + name, atomically: true, encoding: .utf8)
        }
        let source = PluginSource(
            name: "rule",
            file: "rule.lua",
            text: Array(script.utf8),
            folder: folder.path
        )
        let lines = LineRecorder()
        do throws(PluginFaults) {
            _ = try PluginHost.load(
                files: [source],
                registry: MetricRegistry(),
                now: { moment },
                log: { lines.add($0) }
            )
        } catch {
            return error.faults.map(\.detail)
        }
        return lines.all.map(\.message)
    }

    @Test func `data of a JSON file is looked up, walked and read only`() throws {
        let lines = try withData(
            [
                "prices.json":
                    #"{"m":{"in":0.5,"big":9007199254740993,"none":null},"list":[1,"two",{"k":true}]}"#
            ],
            """
            local d = nightjar.data("prices.json")
            print(d.m["in"], d.m.big, d.m.none, d.other, #d.list, d.list[2], d.list[3].k, d.list[4])
            local names = {}
            for k, v in pairs(d) do names[#names + 1] = k end
            for i, v in ipairs(d.list) do names[#names + 1] = i end
            print(table.concat(names, " "))
            print(pcall(function() d.m = 1 end))
            """
        )
        #expect(
            lines == [
                "0.5 9007199254740993 nil nil 3 two true nil", "m list 1 2 3",
                "false rule.lua:7: data of a file is read only",
            ]
        )
    }

    @Test func `data of a CSV file is a list of rows`() throws {
        let lines = try withData(
            ["t.csv": "name,limit\r\n\"a, \"\"b\"\"\",10\r\n\r\nc,2.5\n"],
            "local d = nightjar.data('t.csv') print(#d, d[1].name, d[1].limit, d[2].limit)"
        )
        #expect(lines == ["2 a, \"b\" 10 2.5"])
    }

    @Test(arguments: [
        ("none.json", "cannot be read"), ("bad.json", "is no JSON"),
        ("bad.csv", "line 2: 1 values under 2 columns"),
        ("../x.json", "no name of a data file"), ("x.lua", "no name of a data file"),
        ("out.json", "leads out"),
    ])
    func `a data file that cannot be is a load error`(_ name: String, _ expected: String) throws {
        let outside = try TemporaryFolder()
        try "1".write(toFile: outside.path + "/x.json", atomically: true, encoding: .utf8)
        let folder = try TemporaryFolder()
        try "{".write(toFile: folder.path + "/bad.json", atomically: true, encoding: .utf8)
        try "a,b\n1\n".write(toFile: folder.path + "/bad.csv", atomically: true, encoding: .utf8)
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/out.json",
            withDestinationPath: outside.path + "/x.json"
        )
        let script = "nightjar.data('\(name)')"
        let source = PluginSource(
            name: "rule",
            file: "rule.lua",
            text: Array(script.utf8),
            folder: folder.path
        )
        let faults = #expect(throws: PluginFaults.self) {
            try PluginHost.load(files: [source], registry: MetricRegistry(), now: { moment })
        }
        let detail = faults?.faults.first?.detail ?? ""
        #expect(
            detail.contains(expected) || (name == "none.json" && detail.contains("is not there")),
            "\(detail)"
        )
    }

    // MARK: Time and other traces

    @Test func `a timer is called again and again, and one that is late once`() throws {
        let fixture = try Fixture(
            """
            nightjar.plugin { scope = "global" }
            nightjar.every(2, function() print(nightjar.now()) end)
            """
        )
        func advance(_ seconds: Int64) {
            fixture.session.advance(to: moment.advanced(by: .seconds(seconds)), into: fixture.receiver)
        }
        #expect(fixture.session.nextTimer == Timestamp(unixNano: 0))
        for seconds: Int64 in [0, 1, 2, 3, 30, 31] { advance(seconds) }
        #expect(fixture.receiver.logs.count == 2)
        #expect(fixture.session.nextTimer == moment.advanced(by: .seconds(32)))
        #expect(fixture.fault == nil)
    }

    @Test(arguments: [
        ("nightjar.every(1, print)", "needs nightjar.plugin { scope = \"global\" }"),
        ("nightjar.plugin { scope = 'global' } nightjar.every(0.5, print)", "takes seconds"),
        ("nightjar.plugin { scope = 'all' }", "scope is"),
        ("nightjar.plugin {} nightjar.plugin {}", "comes once"),
    ])
    func `a timer that cannot be is a load error`(_ script: String, _ expected: String) {
        #expect(loadFault(script)?.contains(expected) == true, "\(loadFault(script) ?? "loads")")
    }

    @Test func `a rule asks for another trace by id, and reads what was said of it`() throws {
        let builder = SpanBuilder()
        let root = builder.span("root", id: 1, trace: TraceID(high: 0, low: 0xBB))
        let child = builder.span("child", id: 2, parent: 1, trace: TraceID(high: 0, low: 0xBB))
        let other = TraceView(id: TraceID(high: 0, low: 0xBB), spans: [root, child], revision: 2)
        let fixture = try Fixture(
            """
            nightjar.on("span_ended", function(s)
              local t = nightjar.get_trace("bb")
              print(t.id:sub(-2), t.root.name, #t.spans, t.spans[2]:parent().name, t.revision)
              print(#t.scores, t.scores[1].scorer_name, t.scores[1].score, #t.feedback, #t.logs)
              print(nightjar.get_trace("cc"), t.spans[2]:trace().id == t.id, s:trace())
              t.addScore { scorer_name = "post", score = 1 }
              t.addFeedback { feedback_type = "x", value = 1, span = t.spans[2] }
            end)
            """,
            traces: FixedTraces(views: [other])
        )
        fixture.end(fixture.builder.span("x", id: 9))
        #expect(fixture.fault == nil)
        #expect(
            fixture.receiver.logs.map(\.message) == [
                "bb\troot\t2\troot\t2", "1\told\t0.5\t0\t0", "nil\ttrue\tnil",
            ]
        )
        #expect(fixture.receiver.scores.map(\.traceID) == [other.id])
        #expect(fixture.receiver.feedbacks.map(\.spanID) == [SpanID(value: 2)])
    }
}

/// Traces that are known beforehand; each has one score.
final class FixedTraces: PluginTraces {
    private let views: [TraceView]

    init(views: [TraceView]) { self.views = views }

    func trace(_ id: TraceID) -> TraceView? { views.first { $0.id == id } }

    func events(of id: TraceID, _ signal: Signal) -> [SignalEvent] {
        guard signal == .score else { return [] }
        var score = Score(id: "s", timestamp: moment, scorerName: "old")
        score.traceID = id
        score.score = 0.5
        return [.score(score)]
    }
}
