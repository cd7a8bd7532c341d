import NightjarOTLP

/// How a request's body is written.
enum LoadEncoding: String, Sendable, CaseIterable {
    case protobuf
    case gzip = "protobuf, gzip"
    case json = "JSON"
    case jsonGzip = "JSON, gzip"

    var isGzip: Bool { self == .gzip || self == .jsonGzip }
    var isJSON: Bool { self == .json || self == .jsonGzip }
    var mediaType: String { isJSON ? "application/json" : "application/x-protobuf" }
}

extension Load {
    /// The bodies in an encoding; JSON has to have been asked for when the load was made.
    func bodies(as encoding: LoadEncoding) throws -> [[UInt8]] {
        let plain = encoding.isJSON ? json : bodies.map(\.bytes)
        guard encoding.isGzip else { return plain }
        return try plain.map { body in
            guard let compressed = ContentDeflater.gzip(body) else {
                throw BenchFailure(description: "a body could not be compressed")
            }
            return compressed
        }
    }
}
