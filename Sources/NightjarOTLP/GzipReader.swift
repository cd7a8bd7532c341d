import CZlib

/// Inflates a stream of gzip (RFC 1952), of one member or several in a row, piece by piece. Belongs to one thread at a time.
package final class GzipReader {
    private static let pieceBytes = 1 << 18
    private var stream = z_stream()
    private let isReady: Bool
    /// Whether the last byte taken was the end of a member: only there may the stream end.
    private var isBetweenMembers = true

    /// A reader at the start of a stream.
    package init() {
        // 15 is the largest window, which reads all smaller ones; 16 more means gzip.
        isReady =
            inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    }

    deinit { if isReady { inflateEnd(&stream) } }

    /// Whether bytes begin as gzip does.
    package static func isGzip(_ bytes: some Sequence<UInt8>) -> Bool {
        bytes.prefix(2).elementsEqual([0x1F, 0x8B])
    }

    /// Takes the next bytes, and calls `body` with what they inflate to, a bounded piece at a time.
    /// - Throws: ``OTLPError`` `malformed` for bytes that are not gzip; whatever `body` throws.
    package func inflate(_ bytes: [UInt8], _ body: (UnsafeBufferPointer<UInt8>) throws -> Void) throws {
        guard isReady else {
            throw OTLPError(code: .tooLarge, offset: 0, path: "", detail: "no memory to inflate")
        }
        try bytes.withUnsafeBufferPointer { input in
            // zlib does not write through `next_in`; its type only lacks the const.
            stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.avail_in = UInt32(input.count)
            try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.pieceBytes) { piece in
                repeat {
                    if isBetweenMembers, stream.avail_in == 0 { return }
                    stream.next_out = piece.baseAddress
                    stream.avail_out = UInt32(piece.count)
                    let status = CZlib.inflate(&stream, Z_NO_FLUSH)
                    guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
                        throw malformed("these are no gzip data, or damaged ones")
                    }
                    isBetweenMembers = status == Z_STREAM_END
                    if isBetweenMembers { inflateReset(&stream) }
                    let count = piece.count - Int(stream.avail_out)
                    if count > 0 {
                        try body(UnsafeBufferPointer(rebasing: UnsafeBufferPointer(piece)[..<count]))
                    }
                } while stream.avail_in > 0 || stream.avail_out == 0
            }
        }
    }

    /// Checks that the stream may end here.
    /// - Throws: ``OTLPError`` `malformed` where something is missing.
    package func end() throws(OTLPError) {
        if !isBetweenMembers { throw malformed("the gzip data end too early") }
    }

    private func malformed(_ detail: String) -> OTLPError {
        OTLPError(code: .malformed, offset: Int(stream.total_in), path: "", detail: detail)
    }
}
