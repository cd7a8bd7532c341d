import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Synchronization
import Testing

/// Bodies that come compressed, and those that would fill the memory.
struct ContentInflaterTests {
    // "nightjar nightjar nightjar" by Python's zlib, as zlib and without a header, and 65,536 zeros by its gzip.
    private static let zlib: [UInt8] = [
        0x78, 0x9C, 0xCB, 0xCB, 0x4C, 0xCF, 0x28, 0xC9, 0x4A, 0x2C, 0x52, 0xC8,
        0x43, 0x67, 0x00, 0x00, 0x8A, 0xB0, 0x0A, 0x46,
    ]

    private static func inflate(
        _ bytes: [UInt8],
        _ encoding: ContentEncoding,
        _ inflater: ContentInflater = ContentInflater()
    ) throws -> [UInt8] {
        try bytes.withUnsafeBytes { try inflater.inflate($0, encoding: encoding).array }
    }

    private static let zerosOf64KB: [UInt8] = [
        0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xED, 0xC1,
        0x01, 0x01, 0x00, 0x00, 0x00, 0x80, 0x90, 0xFE, 0xAF, 0xEE, 0x08, 0x0A,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x6A, 0xEB, 0x8E, 0x97, 0xD7, 0x00, 0x00, 0x01, 0x00,
    ]

    @Test(arguments: [
        ("gzip", ContentEncoding.gzip), ("X-GZIP", .gzip), ("deflate", .deflate), ("Identity", .identity),
        ("", .identity),
    ])
    func `encodings are read without regard to case`(_ header: String, _ encoding: ContentEncoding) {
        #expect(ContentEncoding(header: header) == encoding)
    }

    @Test(arguments: ["br", "zstd", "gzip, gzip"])
    func `unknown encodings are not understood`(_ header: String) {
        #expect(ContentEncoding(header: header) == nil)
    }

    @Test func `gzip of recorded requests inflates`() throws {
        let request = try #require(try Captures.named("genai-openai").requests.first)
        #expect(request.isCompressed)
        #expect(try Self.inflate(request.body, .gzip).count > request.body.count)
    }

    @Test func `deflate is read with zlib's header and without`() throws {
        let text = Array("nightjar nightjar nightjar".utf8)
        #expect(try Self.inflate(Self.zlib, .deflate) == text)
        #expect(try Self.inflate(Array(Self.zlib.dropFirst(2).dropLast(4)), .deflate) == text)
    }

    @Test func `a large body inflates whole, and asks for the room that it takes`() throws {
        let text = (0..<200_000).flatMap { Array("\($0 &* 2_654_435_761) ".utf8) }
        let packed = try #require(ContentDeflater.gzip(text))
        let asked = Mutex(0)
        var inflater = ContentInflater()
        inflater.takesRoom = { count in
            asked.withLock { $0 += count }
            return true
        }
        #expect(try Self.inflate(packed, .gzip, inflater) == text)
        #expect(asked.withLock { $0 } == text.count)
        inflater.takesRoom = { _ in false }
        let error = #expect(throws: OTLPError.self) { try Self.inflate(packed, .gzip, inflater) }
        #expect(error?.code == .overloaded)
    }

    @Test func `several gzip members in a row are one body`() throws {
        let inflated = try Self.inflate(Self.zerosOf64KB + Self.zerosOf64KB, .gzip)
        #expect(inflated.count == 131_072)
    }

    @Test func `a body that grows beyond the ratio is refused`() throws {
        let bomb = Array(repeating: Self.zerosOf64KB, count: 40).flatMap(\.self)
        let error = #expect(throws: OTLPError.self) { try Self.inflate(bomb, .gzip) }
        #expect(error?.code == .tooLarge)
    }

    @Test func `a body that grows beyond the limit is refused`() throws {
        var inflater = ContentInflater()
        inflater.inflatedBytes = 100_000
        let error = #expect(throws: OTLPError.self) {
            try Self.inflate(Self.zerosOf64KB + Self.zerosOf64KB, .gzip, inflater)
        }
        #expect(error?.code == .tooLarge)
        let plain = #expect(throws: OTLPError.self) {
            try Self.inflate(Array(repeating: 1, count: 100_001), .identity, inflater)
        }
        #expect(plain?.code == .tooLarge)
    }

    @Test func `a body cut off or damaged is malformed`() throws {
        let whole = try #require(try Captures.named("genai-openai").requests.first).body
        for length in 0..<whole.count {
            let error = #expect(throws: OTLPError.self) { try Self.inflate(Array(whole[..<length]), .gzip) }
            #expect(error?.code == .malformed)
        }
        var damaged = whole
        damaged[damaged.count / 2] ^= 0xFF
        #expect(throws: OTLPError.self) { try Self.inflate(damaged, .gzip) }
        #expect(throws: OTLPError.self) { try Self.inflate([1, 2, 3, 4], .deflate) }
    }
}
