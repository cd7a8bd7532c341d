import CNightjarSignals
import Foundation
import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Testing

/// The recordings beside the tests.
enum Captures {
    static let all: [CaptureFolder] = {
        guard let folder = Bundle.module.url(forResource: "Captures", withExtension: nil) else { return [] }
        do {
            return try CaptureFolder.all(in: folder)
        } catch {
            Issue.record(error)
            return []
        }
    }()

    static let names = all.map(\.name)

    static func named(_ name: String) throws -> CaptureFolder {
        try #require(all.first { $0.name == name })
    }
}

extension CaptureFolder.Request {
    /// The body, inflated.
    func inflated() throws -> Payload {
        try body.withUnsafeBytes {
            try ContentInflater().inflate($0, encoding: isCompressed ? .gzip : .identity)
        }
    }

    func decoded(workers: Int = 1) throws -> TraceRequest {
        try TraceRequest.decode(
            try inflated(),
            encoding: isJSON ? .json : .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: workers
        )
    }
}

extension Payload {
    /// A copy of the bytes, which may outlive the payload.
    var array: [UInt8] { withExtendedLifetime(self) { Array(bytes) } }
}

extension CaptureFolder {
    var traceRequests: [Request] { requests.filter { $0.signal == "traces" } }
}

extension TraceRequest {
    /// The spans in the order of their slabs.
    var references: [SpanReference] {
        slabs.flatMap { entry in (0..<entry.slab.count).map { SpanReference(slab: entry.slab, index: $0) } }
    }
}
