package import Foundation
package import NightjarSignals

/// The recordings of one client: the requests it sent and what a correct receiver derives from them.
package struct CaptureFolder: Sendable {
    /// One request as it was sent.
    package struct Request: Sendable {
        /// The file's name; `request` in the expectations.
        package let file: String
        /// `traces`, `logs` or `metrics`.
        package let signal: String
        /// Whether the body is JSON; else it is protobuf.
        package let isJSON: Bool
        /// Whether the body is compressed with gzip.
        package let isCompressed: Bool
        /// The body's bytes.
        package let body: [UInt8]
    }

    /// The client.
    package let name: String
    /// The requests, in the order sent.
    package let requests: [Request]
    /// What a correct receiver derives from each span.
    package let expectedSpans: [Value.Object]
    /// How many log records of each event name each request has.
    package let expectedLogs: [Value.Object]
    /// The results of evaluations, wherever they stand.
    package let expectedEvaluations: [Value.Object]
    /// The names of the metrics, in order, each once.
    package let expectedMetricNames: [String]

    /// Reads a folder.
    package init(_ folder: URL) throws {
        name = folder.lastPathComponent
        let meta = try Self.json(folder.appendingPathComponent("meta.json"))
        requests = try (meta["requests"]?.array ?? []).map { entry in
            let file = entry["file"]?.string ?? ""
            return Request(
                file: file,
                signal: entry["signal"]?.string ?? "",
                isJSON: file.contains(".json"),
                isCompressed: file.hasSuffix(".gz"),
                body: [UInt8](try Data(contentsOf: folder.appendingPathComponent(file)))
            )
        }
        let expected = try Self.json(folder.appendingPathComponent("expected.json"))
        expectedSpans = (expected["spans"]?.array ?? []).compactMap(\.object)
        expectedLogs = (expected["logs"]?.array ?? []).compactMap(\.object)
        expectedEvaluations = (expected["evaluations"]?.array ?? []).compactMap(\.object)
        expectedMetricNames = (expected["metric_names"]?.array ?? []).compactMap(\.string)
    }

    /// The folders of all clients in a folder, by name.
    package static func all(in folder: URL) throws -> [CaptureFolder] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: [.isDirectoryKey])
            .filter { try $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
            .map(CaptureFolder.init)
    }

    private static func json(_ file: URL) throws -> Value {
        try Value(jsonBytes: [UInt8](try Data(contentsOf: file)))
    }
}
