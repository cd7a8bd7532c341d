import CZlib
package import NightjarSignals

/// How a body is compressed, as `Content-Encoding` says.
package enum ContentEncoding: Sendable, Equatable {
    /// Not at all.
    case identity
    /// gzip (RFC 1952).
    case gzip
    /// zlib (RFC 1950); senders that write bare deflate (RFC 1951) are understood too.
    case deflate

    /// Reads the header's value, of any case; nil for an encoding that is not understood.
    package init?(header: String) {
        switch header.lowercased() {
        case "", "identity": self = .identity
        case "gzip", "x-gzip": self = .gzip
        case "deflate": self = .deflate
        default: return nil
        }
    }
}

/// Inflates request bodies within bounds, so that a small body cannot fill the memory.
package struct ContentInflater: Sendable {
    /// The most bytes that may come out.
    package var inflatedBytes = 64 << 20
    /// How many times its size a body may grow; holds past ``freeBytes``.
    package var ratio = 200
    /// What may come out whatever the ratio: small bodies of repeated keys compress well.
    package var freeBytes = 1 << 20
    /// Asked for room before what comes out is kept, with the bytes; false: `overloaded`.
    package var takesRoom: @Sendable (Int) -> Bool = { _ in true }

    /// What comes out is kept in parts of so many bytes until its size is known: one that doubles would hold twice as much.
    private static let partBytes = 1 << 20

    /// The bounds of the HTTP API.
    package init() {}

    /// The body as it was before its encoding.
    /// Throws `malformed` for bytes that are not of the encoding, `tooLarge` where a bound is exceeded, `overloaded` where there
    /// is no room.
    package func inflate(
        _ body: UnsafeRawBufferPointer,
        encoding: ContentEncoding
    ) throws(OTLPError) -> Payload {
        switch encoding {
        case .identity:
            guard body.count <= inflatedBytes else { throw tooLarge(0) }
            return Payload(body)
        // 15 is the largest window, which reads all smaller ones; 16 more means gzip, negative means neither header.
        case .gzip: return try run(body, windowBits: 15 + 16)
        case .deflate:
            do throws(OTLPError) {
                return try run(body, windowBits: 15)
            } catch  where error.code == .malformed && error.offset <= 2 {
                return try run(body, windowBits: -15)
            }
        }
    }

    private func run(_ body: UnsafeRawBufferPointer, windowBits: Int32) throws(OTLPError) -> Payload {
        var stream = z_stream()
        let version = ZLIB_VERSION
        guard inflateInit2_(&stream, windowBits, version, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw OTLPError(code: .tooLarge, offset: 0, path: "", detail: "no memory to inflate the body")
        }
        defer { inflateEnd(&stream) }
        // zlib does not write through `next_in`; its type only lacks the const.
        stream.next_in = UnsafeMutableRawPointer(mutating: body.baseAddress)?.assumingMemoryBound(
            to: UInt8.self
        )
        stream.avail_in = UInt32(clamping: body.count)
        let bound = min(
            inflatedBytes,
            max(freeBytes, body.count.multipliedReportingOverflow(by: ratio).partialValue)
        )
        var out = InflatedParts(first: min(bound, Self.partBytes, body.count * 4), part: Self.partBytes)
        return try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1 << 16) {
            piece throws(OTLPError) in
            while true {
                stream.next_out = piece.baseAddress
                stream.avail_out = UInt32(piece.count)
                let status = CZlib.inflate(&stream, Z_NO_FLUSH)
                let offset = body.count - Int(stream.avail_in)
                let came = UnsafeMutableBufferPointer(
                    rebasing: piece[..<(piece.count - Int(stream.avail_out))]
                )
                guard out.count + came.count <= bound else { throw tooLarge(offset) }
                guard takesRoom(came.count) else { throw noRoom(offset) }
                out.append(UnsafeBufferPointer(came))
                if status == Z_STREAM_END {
                    if stream.avail_in == 0 { return out.joined() }
                    // gzip may consist of several members in a row; a zlib stream is one.
                    guard windowBits > 15, inflateReset(&stream) == Z_OK else {
                        throw malformed(offset, "bytes after the compressed body")
                    }
                } else if status != Z_OK || (stream.avail_in == 0 && stream.avail_out > 0) {
                    throw malformed(
                        offset,
                        status == Z_OK || status == Z_BUF_ERROR ? "unexpected end" : "not compressed as said"
                    )
                }
            }
        }
    }

    private func noRoom(_ offset: Int) -> OTLPError {
        OTLPError(code: .overloaded, offset: offset, path: "", detail: "no room to inflate the body now")
    }

    private func tooLarge(_ offset: Int) -> OTLPError {
        OTLPError(
            code: .tooLarge,
            offset: offset,
            path: "",
            detail: "body over \(inflatedBytes) bytes or \(ratio) times its compressed size"
        )
    }

    private func malformed(_ offset: Int, _ detail: String) -> OTLPError {
        OTLPError(code: .malformed, offset: offset, path: "", detail: "cannot inflate: \(detail)")
    }
}

/// What came out of a body so far.
private struct InflatedParts {
    private(set) var count = 0
    private let part: Int
    private var full: [[UInt8]] = []
    private var last: [UInt8] = []

    init(first: Int, part: Int) {
        self.part = part
        last.reserveCapacity(first)
    }

    mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        count += bytes.count
        last.append(contentsOf: bytes)
        guard last.count >= part else { return }
        full.append(last)
        last = []
    }

    /// All of it in one piece; each part goes once it is copied.
    consuming func joined() -> Payload {
        if full.isEmpty { return Payload(last) }
        var parts = full
        full = []
        parts.append(last)
        last = []
        return Payload(count: count) { memory in
            var start = 0
            for index in parts.indices {
                memory[start...].copyBytes(from: parts[index])
                start += parts[index].count
                parts[index] = []
            }
        }
    }
}
