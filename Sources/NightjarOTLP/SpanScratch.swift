import CNightjarSignals
import NightjarSignals
import Synchronization

/// The memory that a decoder works in: room for a span's attributes, and caches that stay warm between requests.
/// Belongs to one decoder at a time.
final class ScratchMemory: @unchecked Sendable {
    // Unchecked: taken out of the pool by one decoder and put back when that has ended.

    /// Memory of decoders that have ended, for the next ones.
    private static let pool = ScratchPool()

    let attributes: UnsafeMutablePointer<nj_attribute>
    let row: UnsafeMutablePointer<nj_span>
    /// A row with nothing stated.
    let blank: UnsafeMutablePointer<nj_span>
    let capacity: Int
    let facts: SpanFacts
    let keys = KeyCache()

    /// Memory for spans of up to `capacity` attributes; give it back with `release`.
    static func take(capacity: Int) -> ScratchMemory {
        pool.take(capacity: capacity) ?? ScratchMemory(capacity: capacity)
    }

    /// Puts the memory back for the next decoder.
    func release() {
        Self.pool.put(self)
    }

    private init(capacity: Int) {
        self.capacity = capacity
        attributes = .allocate(capacity: max(capacity, 1))
        row = .allocate(capacity: 1)
        row.initialize(to: .blank)
        blank = .allocate(capacity: 1)
        blank.initialize(to: .blank)
        facts = SpanFacts(attributes)
    }

    deinit {
        facts.deallocate()
        keys.deallocate()
        row.deallocate()
        blank.deallocate()
        attributes.deallocate()
    }
}

/// Reads one span after the other into the same memory: its row, its attributes, what its status and events say.
struct SpanScratch {
    private(set) var outcome = SpanOutcome()
    private(set) var attributeCount = 0
    let row: UnsafeMutablePointer<nj_span>
    let facts: SpanFacts

    private let owner: ScratchMemory
    private let keys: KeyCache
    private let memory: UnsafeMutablePointer<nj_attribute>
    private let capacity: Int
    private var idsAreValid = true

    init(capacity: Int) {
        owner = ScratchMemory.take(capacity: capacity)
        self.capacity = capacity
        memory = owner.attributes
        row = owner.row
        keys = owner.keys
        facts = owner.facts
    }

    /// Gives the memory back.
    func release() { owner.release() }

    /// The attributes of the span, as many as there is room for.
    var attributes: UnsafeBufferPointer<nj_attribute> {
        UnsafeBufferPointer(start: memory, count: min(attributeCount, capacity))
    }

    /// Whether trace and span id are there and no id is longer than it may be.
    var hasValidIDs: Bool {
        idsAreValid && row.pointee.id != 0 && (row.pointee.trace_high | row.pointee.trace_low) != 0
    }

    /// Reads a Span message.
    mutating func read(_ message: WireReader) throws(WireError) {
        var reader = message
        row.update(from: owner.blank, count: 1)
        outcome = SpanOutcome()
        attributeCount = 0
        idsAreValid = true
        facts.clear()
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case SpanTag.attribute: try readAttributes(&reader)
            case SpanTag.traceID: readTraceID(try reader.bytes())
            case SpanTag.spanID: row.pointee.id = identifier(try reader.bytes(), 8).low
            case SpanTag.parentID: row.pointee.parent_id = identifier(try reader.bytes(), 8).low
            case SpanTag.name: row.pointee.name = try reader.bytes()
            case SpanTag.kind:
                let kind = try reader.varint()
                row.pointee.kind = (1...5).contains(kind) ? UInt8(kind) : SpanKind.internal.rawValue
            case SpanTag.start: row.pointee.start_nano = try reader.fixed64()
            case SpanTag.end: row.pointee.end_nano = try reader.fixed64()
            case SpanTag.event: try outcome.noteEvent(try reader.message())
            case SpanTag.link: try outcome.validateLink(try reader.message())
            case SpanTag.status: try outcome.readStatus(try reader.message())
            default: try reader.skip(tag)
            }
        }
        if !row.pointee.name.isPresent { row.pointee.name = nj_text("") }
    }

    /// Reads the attribute whose tag was read and those that follow: most senders write all of a span's together.
    private mutating func readAttributes(_ reader: inout WireReader) throws(WireError) {
        var rest = reader
        var place = attributeCount
        var previous = keys.start
        repeat {
            let message = try rest.message()
            if place < capacity {
                let row = memory + place
                if !message.plainAttribute(into: row) { try readAnyAttribute(message, into: row) }
                if let key = row.pointee.key_bytes {
                    let symbol = keys.symbol(key, Int(row.pointee.key_length), after: &previous)
                    row.pointee.key = symbol
                    facts.note(symbol, at: place)
                }
            } else {
                try validateAttribute(message)
            }
            place &+= 1
        } while rest.skip(ifNext: SpanTag.attribute)
        attributeCount = place
        reader = rest
    }

    @inline(never)
    private func readAnyAttribute(
        _ message: WireReader,
        into row: UnsafeMutablePointer<nj_attribute>
    ) throws(WireError) {
        var reader = message
        row.initialize(to: try reader.attribute())
    }

    /// Checks an attribute for which there is no room: the span is refused, but a malformed one refuses the request.
    @inline(never)
    private func validateAttribute(_ message: WireReader) throws(WireError) {
        var reader = message
        _ = try reader.attribute()
    }

    private mutating func readTraceID(_ bytes: nj_text) {
        (row.pointee.trace_high, row.pointee.trace_low) = identifier(bytes, 16)
    }

    /// A big-endian id of at most `limit` bytes; a shorter one is padded with zeros in front.
    private mutating func identifier(_ bytes: nj_text, _ limit: Int) -> (high: UInt64, low: UInt64) {
        guard Int(bytes.length) <= limit else {
            idsAreValid = false
            return (0, 0)
        }
        let raw = bytes.buffer
        if raw.count == 16 {
            return (
                UInt64(bigEndian: raw.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        if raw.count == 8 { return (0, UInt64(bigEndian: raw.loadUnaligned(as: UInt64.self))) }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for byte in raw {
            high = high << 8 | low >> 56
            low = low << 8 | UInt64(byte)
        }
        return (high, low)
    }
}

/// The fields of a Span message and of the messages in it.
enum SpanTag {
    static let traceID = tag(1, .bytes)
    static let spanID = tag(2, .bytes)
    static let parentID = tag(4, .bytes)
    static let name = tag(5, .bytes)
    static let kind = tag(6, .varint)
    static let start = tag(7, .fixed64)
    static let end = tag(8, .fixed64)
    static let attribute = tag(9, .bytes)
    static let event = tag(11, .bytes)
    static let link = tag(13, .bytes)
    static let status = tag(15, .bytes)
    static let statusMessage = tag(2, .bytes)
    static let statusCode = tag(3, .varint)
    static let eventTime = tag(1, .fixed64)
    static let eventName = tag(2, .bytes)
    static let eventAttribute = tag(3, .bytes)
    static let linkTraceID = tag(1, .bytes)
    static let linkSpanID = tag(2, .bytes)
    static let linkAttribute = tag(4, .bytes)
}

extension SpanOutcome {
    /// Reads a Status message.
    mutating func readStatus(_ message: WireReader) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case SpanTag.statusMessage: self.message = try reader.bytes()
            case SpanTag.statusCode: code = try reader.varint()
            default: try reader.skip(tag)
            }
        }
    }

    /// Checks an Event message, so that reading it later cannot fail, and takes what it says of errors and first chunks.
    mutating func noteEvent(_ message: WireReader) throws(WireError) {
        var reader = message
        var time: UInt64 = 0
        var name = nj_text.absent
        var type = nj_text.absent
        var text = nj_text.absent
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case SpanTag.eventTime: time = try reader.fixed64()
            case SpanTag.eventName: name = try reader.bytes()
            case SpanTag.eventAttribute:
                var content = try reader.message()
                let attribute = try content.attribute()
                guard attribute.text.hasBytes else { continue }
                if attribute.keyText.equals("exception.type") { type = attribute.text }
                if attribute.keyText.equals("exception.message") { text = attribute.text }
            default: try reader.skip(tag)
            }
        }
        if name.equals("exception") {
            hasException = true
            exceptionType = type
            exceptionMessage = text
        } else if name.equals(Evaluation.eventName) {
            hasEvaluations = true
        } else if name.equals("gen_ai.content.completion.chunk"), firstChunkNano == 0 || time < firstChunkNano
        {
            firstChunkNano = time
        }
    }

    /// Checks a Link message, so that reading it later cannot fail.
    func validateLink(_ message: WireReader) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == SpanTag.linkAttribute {
                var content = try reader.message()
                _ = try content.attribute()
            } else {
                try reader.skip(tag)
            }
        }
    }
}

/// Memory of decoders that have ended.
private final class ScratchPool: Sendable {
    // As many as decode at once on a large machine; more are freed.
    private static let limit = 16
    private let free = Mutex<[ScratchMemory]>([])

    func take(capacity: Int) -> ScratchMemory? {
        free.withLock { $0.last?.capacity == capacity ? $0.popLast() : nil }
    }

    func put(_ memory: ScratchMemory) {
        free.withLock { if $0.count < Self.limit { $0.append(memory) } }
    }
}
