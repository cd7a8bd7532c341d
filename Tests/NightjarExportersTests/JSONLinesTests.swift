import Foundation
import NightjarBus
import NightjarExporters
import NightjarSignals
import NightjarTesting
import Testing

#if canImport(Glibc)
import Glibc
#endif

@Suite struct JSONLinesTests {
    static func log(_ text: String) -> Log {
        Log(timestamp: Timestamp(unixNano: 1_700_000_000_000_000_000), level: .info, message: text)
    }

    static func lines(_ folder: TemporaryFolder, _ name: String) throws -> [String] {
        let text = String(decoding: try Data(contentsOf: URL(filePath: folder.path(name))), as: UTF8.self)
        #expect(text.isEmpty || text.hasSuffix("\n"))
        return text.split(separator: "\n").map(String.init)
    }

    @Test func `each event is one line that reads back`() async throws {
        let folder = try TemporaryFolder()
        let exporter = JSONLinesExporter(path: folder.path("a"))
        let time = Timestamp(unixNano: 1_700_000_000_123_000_000)
        let span = Span(
            id: SpanID(value: 1),
            traceID: TraceID(high: 1, low: 2),
            name: "two\nlines",
            startTime: time
        )
        var score = Score(id: "1", timestamp: time, scorerName: "x")
        score.score = 0.5
        try await exporter.exportSpans([.spanStarted(span), .spanUpdated(span)])
        try await exporter.exportLogs([Self.log("a")])
        try await exporter.exportScores([score])
        try await exporter.exportTraceEnds([TraceEnd(traceID: span.traceID, revision: 1, isPartial: false)])
        try await exporter.shutdown()
        let events = try Self.lines(folder, "a").map { line in
            try SignalEvent(json: Value(jsonBytes: Array(line.utf8)), now: time)
        }
        #expect(events.map(\.name) == ["span_started", "span_updated", "log", "score", "trace_ended"])
        #expect(events[0].span?.name == "two\nlines")
        #expect(events[3] == .score(score))
    }

    @Test func `a file is continued after a restart, and half a line is cut off`() async throws {
        let folder = try TemporaryFolder()
        try folder.write("{\"a\":1}\n{\"b\":", to: "a")
        for text in ["one", "two"] {
            let exporter = JSONLinesExporter(path: folder.path("a"))
            try await exporter.exportLogs([Self.log(text)])
            try await exporter.shutdown()
        }
        let lines = try Self.lines(folder, "a")
        #expect(lines.count == 3)
        #expect(lines[0] == "{\"a\":1}")
        #expect(lines[1].hasPrefix("{\"type\":\"log\""))
        #expect(lines[2].contains("two"))
    }

    @Test func `a file rotates before it grows too large, and the oldest goes`() async throws {
        let folder = try TemporaryFolder()
        let size = SignalEvent.log(Self.log("0")).json.json.utf8.count + 1
        let exporter = JSONLinesExporter(path: folder.path("a"), maxBytes: 2 * size, keeping: 2)
        try await exporter.exportLogs((0..<9).map { Self.log("\($0)") })
        try await exporter.flush()
        func texts(_ name: String) throws -> [String] {
            try Self.lines(folder, name).map { line in
                try Value(jsonBytes: Array(line.utf8))["log"]?["message"]?.string ?? ""
            }
        }
        #expect(try texts("a") == ["8"])
        #expect(try texts("a.1") == ["6", "7"])
        #expect(try texts("a.2") == ["4", "5"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 3)
    }

    @Test func `one line may be larger than a file`() async throws {
        let folder = try TemporaryFolder()
        let exporter = JSONLinesExporter(path: folder.path("a"), maxBytes: 10, keeping: 0)
        try await exporter.exportLogs([Self.log("first"), Self.log("second")])
        #expect(try Self.lines(folder, "a").count == 1)
    }

    @Test func `what cannot be written says which file it is and what to do`() async throws {
        let folder = try TemporaryFolder()
        let cases = [
            (folder.path("none/a"), "create the folder \(folder.path("none"))"),
            (folder.path, "give the path of a file"), ("/dev/full", "make room on its disk"),
        ]
        for (path, cure) in cases {
            let exporter = JSONLinesExporter(path: path)
            let error = await #expect(throws: ExportError.self) {
                try await exporter.exportLogs([Self.log("a")])
            }
            #expect(error?.isRetryable == true)
            #expect(error?.detail.hasPrefix(path) == true)
            #expect(error?.detail.contains(cure) == true)
        }
    }

    @Test func `where a write stops within a line, the next one goes on there`() async throws {
        let folder = try TemporaryFolder()
        #expect(mkfifo(folder.path("pipe"), 0o600) == 0)
        let reader = open(folder.path("pipe"), O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        let exporter = JSONLinesExporter(path: folder.path("pipe"))
        // More than a pipe holds.
        let logs = [Self.log("first"), Self.log(String(repeating: "x", count: 200_000)), Self.log("last")]
        var text: [UInt8] = []
        var tries = 0
        var isWritten = false
        while !isWritten, tries < 100 {
            tries += 1
            do {
                try await exporter.exportLogs(tries == 1 ? logs : [Self.log("again")])
                isWritten = true
            } catch let error as ExportError {
                #expect(error.isRetryable)
            }
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            let count = read(reader, &buffer, buffer.count)
            if count > 0 { text += buffer[..<count] }
        }
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        #expect(tries > 2)
        #expect(lines.count == 3, "the first, the long one whole, and what was written again")
        for line in lines { _ = try Value(jsonBytes: Array(line.utf8)) }
    }

    @Test func `a folder that comes later is written to`() async throws {
        let folder = try TemporaryFolder()
        let exporter = JSONLinesExporter(path: folder.path("late/a"))
        await #expect(throws: ExportError.self) { try await exporter.exportLogs([Self.log("a")]) }
        try FileManager.default.createDirectory(
            atPath: folder.path("late"),
            withIntermediateDirectories: false
        )
        try await exporter.exportLogs([Self.log("a")])
        #expect(try Self.lines(folder, "late/a").count == 1)
    }
}
