import CNightjarSignals
import Foundation
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

/// A script of the hostile collection, with what its head says must come of it.
struct HostileScript: CustomTestStringConvertible, Sendable {
    let name: String
    let bytes: [UInt8]
    let expected: Set<String>
    /// Whether the bytes must reach the loader as they are.
    let isRaw: Bool

    var testDescription: String { name }

    static let folder = Bundle.module.resourceURL?.appendingPathComponent("Hostile")

    static let all: [HostileScript] = {
        guard let folder, let files = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else {
            return []
        }
        return files.filter { $0.hasSuffix(".lua") && $0 != "victim.lua" }.sorted().compactMap(
            HostileScript.init
        )
    }()

    init?(_ file: String) {
        guard let folder = Self.folder, let data = try? Data(contentsOf: folder.appendingPathComponent(file))
        else { return nil }
        name = String(file.dropLast(4))
        bytes = Array(data)
        let meta = try? String(contentsOf: folder.appendingPathComponent(file + ".meta"), encoding: .utf8)
        isRaw = meta != nil
        let head = meta ?? String(decoding: bytes.prefix(2000), as: UTF8.self)
        var expected: Set<String> = []
        for line in head.split(separator: "\n").prefix(8) {
            for key in ["-- expect:", "-- accept:"] where line.hasPrefix(key) {
                for word in line.dropFirst(key.count).split(separator: ",") {
                    expected.insert(word.trimmingCharacters(in: .whitespaces))
                }
            }
        }
        self.expected = expected
    }
}

/// The neutral contract of the collection on top of the plugin API.
let hostilePrelude = """
    host = {}; \
    do local nj, current = nightjar, nil; \
    host.counter = function(n, v, l) return nj.counter(n):add(v, l) end; \
    host.gauge = function(n, v, l) return nj.gauge(n):set(v, l) end; \
    host.histogram = function(n, v, l) return nj.histogram(n):record(v, l) end; \
    local get = rawget; \
    host.score = function(t) return nj.score { scorer_name = get(t, "name"), score = get(t, "value"), \
    trace_id = get(t, "trace_id") or current } end; \
    host.log = function(level, message, data) return nj.log[level](message, data) end; \
    nj.on("span_ended", nil, function(s) current = s.trace_id; if on_event then return on_event(s) end end) end; \

    """

/// How long the calling thread has run.
private func threadTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}

@Suite(.serialized) struct HostileTests {
    @Test func `the collection is complete`() {
        #expect(HostileScript.all.count == 116)
    }

    @Test(arguments: HostileScript.all)
    func `a hostile script is contained and its neighbour is right`(_ script: HostileScript) throws {
        let folder = try #require(HostileScript.folder)
        let victim = try Data(contentsOf: folder.appendingPathComponent("victim.lua"))
        let text = script.isRaw ? script.bytes : Array(hostilePrelude.utf8) + script.bytes
        let contracted = Array(hostilePrelude.utf8) + Array(victim)
        var faults: [PluginFault] = []
        let registry = MetricRegistry()
        let lines = LineRecorder()
        var files = [PluginSource(name: "victim", file: "victim.lua", text: contracted)]
        let own = PluginSource(name: "hostile", file: "hostile.lua", text: text)
        // Asked for alone first: what does not load must not keep the neighbour from running.
        do throws(PluginFaults) {
            _ = try PluginHost.load(files: [own], registry: MetricRegistry(), now: { moment })
            files.append(own)
        } catch {
            faults = error.faults
        }
        let sets = try PluginHost.load(
            files: files,
            registry: registry,
            now: { moment },
            log: { lines.add($0) }
        )
        let session = PluginSession(sets, worker: 0, reader: SpanContentReader())
        session.adopt()
        let receiver = RecordingReceiver(registry)
        let builder = SpanBuilder()
        let events = script.name.hasPrefix("116") ? 40 : 6
        var slowest = Duration.zero
        for number in 1...events {
            let span = builder.span("chat", id: UInt64(number), attributes: [("model", .text("gpt"))])
            // Of this thread alone: others of the machine must not make a script look slow.
            let started = threadTime()
            session.spanEnded(span, trace: nil, now: moment, into: receiver)
            slowest = max(slowest, threadTime() - started)
        }
        #expect(receiver.total("victim_ok") == Double(events), "the neighbour went wrong")
        #expect(slowest < .seconds(1), "an event was held up for \(slowest)")
        let outcome = outcome(faults, lines)
        #expect(
            !script.expected.isDisjoint(with: outcome.classes),
            "came to \(outcome.classes.sorted()) (\(outcome.message ?? "no error")), expected \(script.expected.sorted())"
        )
    }

    /// What came of a script, in the words of the collection; `contained` is all that ends without harm.
    private func outcome(_ faults: [PluginFault], _ lines: LineRecorder) -> (
        classes: Set<String>, message: String?
    ) {
        if let fault = faults.first {
            return (
                fault.code == .limit ? ["load_error", "budget_exceeded"] : ["load_error", "runtime_error"],
                fault.detail
            )
        }
        let errors = lines.all.filter { $0.level == .error && $0.plugin == "hostile" }.map(\.message)
        guard let message = errors.first else { return (["ok", "contained"], nil) }
        let joined = errors.joined(separator: "\n")
        if joined.contains("out of memory") || joined.contains("fills its memory") {
            return (["memory_exceeded"], message)
        }
        if joined.contains("of CPU time") || joined.contains("steps of work")
            || joined.contains("emissions for one")
        {
            return (["budget_exceeded"], message)
        }
        return (["runtime_error"], message)
    }

    @Test func `a file over the size limit does not load`() {
        let fault = loadFault("-- " + String(repeating: "x", count: 40_000))
        #expect(fault?.contains("at most 32768") == true)
    }
}
