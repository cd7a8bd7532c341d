import CNightjarSignals
import Foundation
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Synchronization
import Testing

/// A plugins folder of its own with a host that follows it.
final class PluginFolderFixture {
    let path: String
    let registry = MetricRegistry()
    let receiver: RecordingReceiver
    let host: PluginHost
    let session: PluginSession
    let lines: WaitingLines

    init(
        _ files: [String: String] = [:],
        watches: Bool = true,
        archive: any PluginArchive = InMemoryPluginArchive(),
        test: (@Sendable (PluginSource) -> [String])? = nil
    ) throws {
        path = NSTemporaryDirectory() + "nightjar-plugins-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let lines = WaitingLines()
        self.lines = lines
        receiver = RecordingReceiver(registry)
        var configuration = PluginConfiguration(folder: path)
        configuration.test = test
        host = PluginHost(
            configuration,
            registry: registry,
            workers: 1,
            archive: archive,
            now: { moment },
            log: { lines.add($0) }
        )
        session = host.session(worker: 0, reader: SpanContentReader())
        for (name, text) in files { try write(name, text) }
        host.loadAll()
        session.adopt()
        if watches { host.startWatching() }
    }

    deinit {
        host.stop()
        // What cannot be removed is in the system's temporary folder.
        try? FileManager.default.removeItem(atPath: path)
    }

    func write(_ name: String, _ text: String) throws {
        try text.write(toFile: path + "/" + name, atomically: false, encoding: .utf8)
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: path + "/" + name) }

    /// What so many spans printed, once the newest versions are taken up.
    func printed(_ spans: Int) -> [String] {
        session.adopt()
        receiver.clear()
        for _ in 0..<spans {
            session.spanEnded(SpanBuilder().span(), trace: nil, now: moment, into: receiver)
        }
        return receiver.logs.map(\.message)
    }

    /// Sends a span through; the metrics it gave.
    func metrics() -> [String] {
        receiver.clear()
        session.spanEnded(SpanBuilder().span(), trace: nil, now: moment, into: receiver)
        return receiver.metrics.map(\.name)
    }
}

/// Keeps log lines and lets a test wait for one, for ten seconds at most.
final class WaitingLines: Sendable {
    private let lines = Mutex<[PluginLogLine]>([])
    private let arrivals = DispatchSemaphore(value: 0)

    func add(_ line: PluginLogLine) {
        lines.withLock { $0.append(line) }
        arrivals.signal()
    }

    var all: [String] { lines.withLock { $0.map(\.message) } }

    func wait(for text: String) -> Bool {
        let limit = DispatchTime.now() + .seconds(10)
        while !all.contains(where: { $0.contains(text) }) {
            if arrivals.wait(timeout: limit) == .timedOut { return all.contains { $0.contains(text) } }
        }
        return true
    }
}

private func counting(_ name: String) -> String {
    "local c = nightjar.counter('\(name)')\nnightjar.on('span_ended', nil, function() c:add(1) end)\n"
}

@Suite(.serialized) struct ReloadTests {
    @Test func `a saved file runs from the next batch on`() throws {
        let fixture = try PluginFolderFixture(["a.lua": counting("first")])
        #expect(fixture.metrics() == ["first"])
        try fixture.write("a.lua", counting("second"))
        #expect(fixture.lines.wait(for: "generation 2"))
        #expect(fixture.metrics() == ["first"], "the old version runs until the batch ends")
        #expect(fixture.session.adopt())
        #expect(fixture.metrics() == ["second"])
        #expect(!fixture.session.adopt())
    }

    @Test func `a file that does not load keeps the old version and says where`() throws {
        let fixture = try PluginFolderFixture(["a.lua": counting("first")])
        try fixture.write("a.lua", "local x =\n= 1")
        #expect(fixture.lines.wait(for: "does not load: a.lua:2:"))
        fixture.session.adopt()
        #expect(fixture.metrics() == ["first"])
        let status = try #require(fixture.host.status.first)
        #expect(status.condition == .stale && status.generation == 1)
        #expect(status.loadFault?.detail.hasPrefix("a.lua:2: ") == true)
        try fixture.write("a.lua", counting("third"))
        #expect(fixture.lines.wait(for: "generation 2"))
        #expect(fixture.host.status.first?.condition == .running)
    }

    @Test func `a deleted file is unloaded after it said goodbye`() throws {
        let fixture = try PluginFolderFixture(
            [
                "a.lua": counting("first") + "nightjar.on_unload(function() error('bye') end)",
                "b.lua": counting("other"),
            ]
        )
        #expect(fixture.metrics() == ["first", "other"])
        try fixture.remove("a.lua")
        #expect(fixture.lines.wait(for: "unloaded"))
        fixture.session.adopt()
        #expect(fixture.lines.all.contains { $0.contains("bye") })
        #expect(fixture.metrics() == ["other"])
        #expect(fixture.host.status.map(\.name) == ["b"])
    }

    @Test func `a new file, a folder that comes back and unchanged content are noticed for what they are`()
        throws
    {
        let fixture = try PluginFolderFixture()
        #expect(!fixture.session.wants.contains(.ended))
        try fixture.write("new.lua", counting("fresh"))
        #expect(fixture.lines.wait(for: "generation 1"))
        fixture.session.adopt()
        #expect(fixture.metrics() == ["fresh"])
        try FileManager.default.removeItem(atPath: fixture.path)
        #expect(fixture.lines.wait(for: "unloaded"))
        try FileManager.default.createDirectory(atPath: fixture.path, withIntermediateDirectories: true)
        try fixture.write("again.lua", counting("again"))
        #expect(fixture.lines.wait(for: "generation 1"))
        let revision = fixture.host.sets.current.revision
        fixture.host.loadAll()
        #expect(fixture.host.sets.current.revision >= revision)
        fixture.session.adopt()
        #expect(fixture.metrics() == ["again"])
    }

    @Test func `only files with a plugin's name are read, and none outside of the folder`() throws {
        let fixture = try PluginFolderFixture(
            [
                ".hidden.lua": "error()", "_draft.lua": "error()", "a_test.lua": "error()",
                "Upper.lua": "error()", "n.txt": "x",
            ],
            watches: false
        )
        let outside = NSTemporaryDirectory() + "nightjar-outside-" + UUID().uuidString + ".lua"
        try "error()".write(toFile: outside, atomically: true, encoding: .utf8)
        defer { unlink(outside) }
        #expect(symlink(outside, fixture.path + "/leaves.lua") == 0)
        #expect(mkfifo(fixture.path + "/pipe.lua", 0o600) == 0)
        try fixture.write("real.lua", counting("real"))
        #expect(symlink("real.lua", fixture.path + "/inside.lua") == 0)
        try FileManager.default.createDirectory(
            atPath: fixture.path + "/pack",
            withIntermediateDirectories: true
        )
        try fixture.write("pack/init.lua", "local m = require('pack.sub')\n" + counting("pack"))
        try fixture.write("pack/sub.lua", "assert(... == 'pack.sub') return {}")
        try fixture.write("big.lua", "-- " + String(repeating: "x", count: 40_000))
        fixture.host.loadAll()
        fixture.session.adopt()
        let faults = Dictionary(
            uniqueKeysWithValues: fixture.host.status.map { ($0.name, $0.loadFault?.detail) }
        )
        #expect(Set(faults.keys) == ["leaves", "pipe", "real", "inside", "pack", "big"])
        #expect(faults["leaves"]??.contains("leads out") == true)
        #expect(faults["pipe"]??.contains("no regular file") == true)
        #expect(faults["big"]??.contains("at most 32768") == true)
        #expect(faults["inside"]??.contains("is a link to what runs as real.lua already") == true)
        #expect(fixture.metrics().sorted() == ["pack", "real"])
        try fixture.host.disable("pack")
        fixture.session.adopt()
        #expect(Set(fixture.metrics()) == ["real"])
        #expect(fixture.host.status.first { $0.name == "pack" }?.condition == .disabled)
    }

    @Test func `a type that a metric does not have is a load error`() throws {
        let fixture = try PluginFolderFixture(
            ["a.lua": counting("shared"), "b.lua": "\nlocal g = nightjar.gauge('shared')"],
            watches: false
        )
        let status = try #require(fixture.host.status.first { $0.name == "b" })
        #expect(status.condition == .failed)
        #expect(status.loadFault?.detail.contains("b.lua:2: metric shared: is a counter already") == true)
    }

    @Test func `the status tells what rules did`() throws {
        let fixture = try PluginFolderFixture(
            [
                "a.lua":
                    "nightjar.plugin { version = '7' }\nnightjar.on('span_ended', { status = 'ok' }, function() error('no') end)"
            ],
            watches: false
        )
        for _ in 1...3 { _ = fixture.metrics() }
        let status = try #require(fixture.host.status.first)
        #expect(status.version == "7" && status.condition == .running && status.hash?.count == 64)
        #expect(status.rules.first?.calls == 3 && status.rules.first?.errors == 3)
        #expect(status.rules.first?.place == "a.lua:2")
        #expect(status.failures.first?.count == 3)
        #expect(status.failures.first?.message == "a.lua:2: no")
        #expect(status.failures.first?.traceback.contains("a.lua:2") == true)
    }
}
