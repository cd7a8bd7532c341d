import CZlib

/// Compresses request bodies as gzip (RFC 1952).
package enum ContentDeflater {
    /// The body as one gzip member; nil where there is no memory for it.
    package static func gzip(_ body: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        // 15 is the largest window, 16 more means gzip, 8 is zlib's own default of memory.
        let status = deflateInit2_(
            &stream,
            Z_DEFAULT_COMPRESSION,
            Z_DEFLATED,
            15 + 16,
            8,
            Z_DEFAULT_STRATEGY,
            ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size)
        )
        guard status == Z_OK, body.count <= UInt32.max else { return nil }
        defer { deflateEnd(&stream) }
        // The bound holds for a whole body in one call, so that one call it is.
        let bound = Int(deflateBound(&stream, UInt(body.count)))
        var isWhole = false
        let compressed = [UInt8](unsafeUninitializedCapacity: bound) { out, count in
            body.withUnsafeBufferPointer { input in
                // zlib does not write through `next_in`; its type only lacks the const.
                stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                stream.avail_in = UInt32(input.count)
                stream.next_out = out.baseAddress
                stream.avail_out = UInt32(clamping: bound)
                isWhole = deflate(&stream, Z_FINISH) == Z_STREAM_END
            }
            count = bound - Int(stream.avail_out)
        }
        return isWhole ? compressed : nil
    }
}
