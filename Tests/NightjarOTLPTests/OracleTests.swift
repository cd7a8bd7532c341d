import CNightjarSignals
import Foundation
import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Testing

/// What the OpenTelemetry project's own protobuf classes read out of the recordings, against what this decoder reads.
/// Skipped where the Python environment is not installed; `Tests/Oracle/decode_otlp.py` says how to.
struct OracleTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let python = root.appending(path: ".build-venv/bin/python")
    private static let isInstalled: Bool = {
        let package = root.appending(path: ".build-venv/lib")
        let found = FileManager.default.enumerator(atPath: package.path)?.contains {
            ($0 as? String)?.hasSuffix("opentelemetry/proto/trace") == true
        }
        return found == true
    }()

    @Test(.enabled(if: isInstalled), arguments: Captures.names)
    func `an independent decoder reads the same spans`(_ client: String) throws {
        let capture = try Captures.named(client)
        let expected = try Self.oracle(client)
        let references = try capture.traceRequests.flatMap { try $0.decoded().references }
        #expect(references.count == expected.count)
        for (reference, wanted) in zip(references, expected) {
            let found = Self.facts(reference)
            for (key, value) in wanted.entries {
                #expect(Self.isSame(found[key] ?? .null, value), "\(key) of \(reference.key)")
            }
        }
    }

    private static func oracle(_ client: String) throws -> [Value.Object] {
        let folder = try #require(Bundle.module.url(forResource: "Captures", withExtension: nil))
        let process = Process()
        let pipe = Pipe()
        process.executableURL = python
        process.arguments = [
            root.appending(path: "Tests/Oracle/decode_otlp.py").path, folder.appending(path: client).path,
        ]
        process.standardOutput = pipe
        try process.run()
        let data = [UInt8](try pipe.fileHandleForReading.readToEnd() ?? Data())
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return try data.split(separator: UInt8(ascii: "\n")).compactMap {
            try Value(jsonBytes: Array($0)).object
        }
    }

    private static func facts(_ reference: SpanReference) -> Value.Object {
        let span = OTLPSpanReader().span(reference)
        let row = reference.row.pointee
        return [
            "trace": .string(span.traceID.description),
            "id": .string(span.id.description),
            "parent": .string(span.parentSpanID?.description ?? ""),
            "name": .string(span.name),
            "kind": .int(Int64(span.kind.rawValue)),
            "start": .int(Int64(clamping: row.start_nano)),
            "end": .int(Int64(clamping: row.end_nano)),
            "attributes": .object(span.attributes),
            "resource": .object(span.resource),
            "scope": .array([span.scope["name"] ?? "", span.scope["version"] ?? ""]),
            "events": .array(
                span.events.map { event in
                    [
                        "name": .string(event.name), "time": .int(event.timestamp.unixNano),
                        "attributes": .object(event.attributes),
                    ]
                }
            ),
            "links": .array(
                span.links.map { link in
                    [
                        "trace": .string(link.traceID.description), "id": .string(link.spanID.description),
                        "attributes": .object(link.attributes),
                    ]
                }
            ),
        ]
    }

    /// Equal up to how JSON writes numbers: a double that is whole comes back as an integer.
    private static func isSame(_ left: Value, _ right: Value) -> Bool {
        switch (left, right) {
        case (.array(let left), .array(let right)):
            left.count == right.count && zip(left, right).allSatisfy { isSame($0, $1) }
        case (.object(let left), .object(let right)):
            left.entries.count == right.entries.count
                && left.entries.allSatisfy { entry in
                    right[entry.key].map { isSame(entry.value, $0) } ?? false
                }
        case (.int(let left), .double(let right)), (.double(let right), .int(let left)): Double(left) == right
        default: left == right
        }
    }
}
