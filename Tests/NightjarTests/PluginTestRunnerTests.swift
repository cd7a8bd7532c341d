import Foundation
import Nightjar
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

/// Plugin contract, section 9: tests that lie beside plugins.
@Suite struct PluginTestRunnerTests {
    private static let refunds = """
        nightjar.plugin { version = "2", settings = { limit = 10 } }
        local refunds = nightjar.counter("refunds_total", { labels = { "currency" } })
        local size = nightjar.histogram("refund_size", { buckets = { 1, 10 } })
        nightjar.on("span_ended", { type = "tool_call", tool = "issue_refund", status = "ok" }, function(span)
          refunds:add(1, { currency = span.attributes.currency })
          size:record(span.attributes.amount or 0)
          if (span.attributes.amount or 0) > nightjar.settings.limit then
            nightjar.log.warn("large refund", { amount = span.attributes.amount })
          end
        end)
        nightjar.scorer("polite", { on = "trace_ended", range = { 0, 1 } }, function(trace)
          local text = trace.root.output_text or ""
          trace.addScore { score = text:find("please") and 1 or 0.25, reason = #text .. " characters" }
        end)
        nightjar.on("feedback", { feedback_type = "thumbs" }, function(f)
          nightjar.gauge("thumbs"):set(f.value)
        end)
        """

    /// How the tests of a file over the plugin `refunds` go.
    private func run(
        _ tests: String,
        plugin: String = refunds,
        files: [String: String] = [:],
        isWatched: Bool = false
    ) throws -> PluginTestRunner.Report {
        let folder = try TemporaryFolder()
        try folder.write(plugin, to: "refunds.lua")
        try folder.write(tests, to: "refunds_test.lua")
        for (name, text) in files { try folder.write(text, to: name) }
        let source = try PluginFolder.read(file: folder.path("refunds.lua"))
        return try #require(PluginTestRunner.run(source, isWatched: isWatched))
    }

    /// The failure of a test with this body; nil where it passes.
    private func failure(_ body: String) throws -> String? {
        let report = try run("test('x', function(t)\n\(body)\nend)")
        if let fault = report.fault { return fault }
        return report.results.first?.failure?.message
    }

    private static let refund =
        "t.emit { type = 'tool_call', tool = 'issue_refund', attributes = { currency = 'EUR', amount = 4 } }"

    @Test(arguments: [
        "\(refund) t.expect.metric('refunds_total', 1, { currency = 'EUR' }) t.expect.no_errors()",
        "\(refund) \(refund) t.expect.metric('refunds_total', 2) t.expect.metric('refund_size', { count = 2, sum = 8, mean = 4 })",
        "t.expect.no_metric('refunds_total') assert(t.metric('refunds_total') == nil)",
        "t.emit { type = 'tool_call', tool = 'issue_refund', status = 'error' } t.expect.no_metric('refunds_total')",
        "t.run { { type = 'agent_run', output = 'please wait' } } t.expect.score('polite', 1)",
        "t.run { { output = 'no' } } t.expect.score('polite', { below = 0.5, above = 0, reason = '2 char' })",
        "t.emit('feedback', { feedback_type = 'thumbs', value = -1 }) t.expect.metric('thumbs', -1)",
        "t.emit { type = 'tool_call', tool = 'issue_refund', attributes = { amount = 11 } } t.expect.log('large', 'warn')",
        "t.expect.equal({ 1, { a = true } }, { 1, { a = true } })",
        "local made = t.emit { id = 'ab' } t.expect.equal(made.id, '00000000000000ab')",
        "assert(#t.scores('polite') == 0) t.emit {} t.finish() assert(t.scores()[1].scorer_name == 'polite')",
    ])
    func `what is as expected passes`(_ body: String) throws {
        #expect(try failure(body) == nil)
    }

    @Test(arguments: [
        (
            "\(refund) t.expect.metric('refunds_total', 2)",
            "refunds_test.lua:2: refunds_total is 1, expected 2"
        ),
        ("\(refund) t.expect.metric('refunds_total', 1, { currency = 'USD' })", "there is {currency=EUR}"),
        ("t.expect.metric('nothing')", "nothing was not observed; the plugin observed no metric"),
        ("\(refund) t.expect.metric('refund_size', { mean = 3 })", "expected mean 3, found 4"),
        ("\(refund) t.expect.no_metric('refunds_total')", "refunds_total is 1, expected none"),
        (
            "t.run { { output = 'no' } } t.expect.score('polite', 1)",
            "score of polite: expected equals 1, found 0.25"
        ),
        ("t.expect.score('polite')", "polite gave no score; no scorer gave any"),
        ("t.expect.log('x')", "nothing was logged"), ("t.expect.error('x')", "there was none"),
        ("t.expect.equal({ 1 }, { 2 })", "found [1], expected [2]"),
        ("t.expect.metrics('x')", "t.expect has no 'metrics'; did you mean 'metric'?"),
        ("t.emit { tol = 'x' }", "a span has no field 'tol'; did you mean 'tool'?"),
        ("t.emit('spam', {})", "unknown event 'spam'"), ("t.run('x')", "t.run takes a list of spans"),
        ("t.trace('../x.jsonl')", "below the test's folder"), ("t.trace('none.jsonl')", "cannot be read"),
        ("error('own')", "refunds_test.lua:2: own"), ("assert(false)", "assertion failed!"),
    ])
    func `what is not as expected fails with what was found, at its line`(_ body: String, _ message: String)
        throws
    {
        let failure = try failure(body)
        #expect(failure?.contains(message) == true, "\(failure ?? "passed")")
    }

    @Test func `a test that never ends is stopped, and the next one runs`() throws {
        let report = try run(
            "test('a', function(t) t.emit{} t.expect.no_errors() end) test('b', function(t) \(Self.refund) t.expect.metric('refunds_total', 1) end)",
            plugin: Self.refunds
                + "\nnightjar.on('span_ended', { name = 'generic' }, function() while true do end end)"
        )
        #expect(report.results.map(\.name) == ["a", "b"])
        #expect(report.results[0].failure?.message.contains("ms of CPU time") == true)
        #expect(report.results[1].failure == nil)
    }

    @Test func `settings are the test's, and each test has its plugin anew`() throws {
        let report = try run(
            """
            local body = function(t) \(Self.refund) t.expect.metric("refunds_total", 1) t.expect.log("large") end
            test("low", { settings = { limit = 3 } }, body)
            test("standard", body)
            test("wrong", { settings = { limt = 3 } }, body)
            """
        )
        let messages = report.results.map { $0.failure?.message }
        #expect(messages[0] == nil)
        #expect(messages[1]?.contains("nothing was logged") == true)
        #expect(messages[2]?.contains("no setting of this plugin; did you mean 'limit'?") == true)
        #expect(report.results[1].place == "refunds_test.lua:3")
    }

    @Test func `a recording is a trace to run`() throws {
        let span: Value = [
            "type": "span_ended",
            "exportedSpan": [
                "id": "01", "traceId": "02", "name": "x", "startTime": 1, "endTime": 2, "output": "please",
            ],
        ]
        let report = try run(
            "test('x', function(t) t.run(t.trace('fixtures.jsonl')) t.expect.score('polite', 1) end)",
            files: ["fixtures.jsonl": span.json + "\n"]
        )
        #expect(report.results.first?.failure == nil)
        #expect(report.results.count == 1)
    }

    @Test func `coverage tells the lines that did not run`() throws {
        let report = try run("test('x', function(t) \(Self.refund) t.finish() end)", isWatched: true)
        let file = try #require(report.coverage.first)
        #expect(file.file == "refunds.lua")
        #expect(file.executable.subtracting(file.covered) == [8, 16])
    }

    @Test func `a file of tests that does not load is a fault, and so is a plugin`() throws {
        #expect(try run("test('x'").fault?.contains("refunds_test.lua:1:") == true)
        let report = try run("test('x', function(t) end)", plugin: "error('no')")
        #expect(report.results.first?.failure?.message.contains("refunds.lua:1: no") == true)
        let folder = try TemporaryFolder()
        try folder.write("-- nothing", to: "alone.lua")
        #expect(PluginTestRunner.run(try PluginFolder.read(file: folder.path("alone.lua"))) == nil)
    }

    @Test func `timers fire as the test moves the clock`() throws {
        let report = try run(
            """
            test("x", function(t)
              t.advance(4.5)
              t.expect.metric("ticks", 2)
            end)
            """,
            plugin: """
                nightjar.plugin { scope = "global" }
                nightjar.every(2, function() nightjar.counter("ticks"):add(1) end)
                """
        )
        #expect(report.results.first?.failure == nil, "\(report)")
    }

    @Test func `the plugins that come along pass their own tests and have no lints`() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "plugins").path
        let entries = PluginFolder(path: folder).scan()
        let sources = entries.values.compactMap { if case .source(let source) = $0 { source } else { nil } }
        #expect(sources.count == entries.count && sources.count >= 12)
        let found = PluginCheck.check(sources)
        #expect(found.faults.isEmpty && found.lints.isEmpty, "\(found)")
        var tested = 0
        for source in sources {
            guard let report = PluginTestRunner.run(source, isWatched: true) else { continue }
            tested += 1
            #expect(report.fault == nil)
            for result in report.results { #expect(result.failure == nil, "\(source.name): \(result.name)") }
            for file in report.coverage {
                #expect(
                    file.covered.count * 10 >= file.executable.count * 9,
                    "\(file.file) is tested for less than 90 %"
                )
            }
        }
        #expect(tested >= 12)
    }
}
