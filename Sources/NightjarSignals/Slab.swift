package import CNightjarSignals

/// Up to 256 spans that travel the event path together: rows, attribute rows, and the bytes they point into.
///
/// Made by a decoder and then handed over: at any time one owner (the decoder, then one worker) may write to it, and nobody
/// reads while it does. Copies of it share the rows.
package final class Slab: @unchecked Sendable {
    // Unchecked: a slab has one owner at a time, handed over through queues that synchronise.

    /// How many spans a slab may hold.
    package static let capacity = 256

    // In memory of its own: each use of a stored property of a class is checked for overlapping ones while running.
    @usableFromInline let table: UnsafeMutablePointer<nj_slab>
    private let holding: UnsafeMutablePointer<(holders: Int, bytes: Int)>
    /// The rows, of which `count` are in use.
    package let rows: UnsafeMutablePointer<nj_span>
    // Fields are unchecked as in TraceState: one thread at a time, and no access lasts over a call that comes back to it.
    /// When the request that brought the spans was received.
    @exclusivity(unchecked) package var receivedAt: Timestamp
    /// The slab's part of the request's bytes, which it shares with the request's other slabs.
    @exclusivity(unchecked) package var payloadShare: Int

    private let payload: Payload
    @usableFromInline let spanCapacity: Int
    @exclusivity(unchecked) private var attributeCapacity: Int
    @exclusivity(unchecked) private var contextCapacity: Int
    @exclusivity(unchecked) private var arena: [UnsafeMutableRawPointer] = []
    @exclusivity(unchecked) private var arenaBytes = 0

    /// An empty slab over a request's bytes. `spanCapacity` is how many spans it is to hold, held within 1 and
    /// ``capacity``; `attributeCapacity` for how many attributes to make room at first.
    package init(
        _ payload: Payload,
        receivedAt: Timestamp,
        spanCapacity: Int = Slab.capacity,
        attributeCapacity: Int = 1024
    ) {
        self.payload = payload
        payloadShare = payload.count
        self.receivedAt = receivedAt
        self.spanCapacity = min(max(spanCapacity, 1), Self.capacity)
        self.attributeCapacity = max(attributeCapacity, 1)
        contextCapacity = 4
        rows = .allocate(capacity: self.spanCapacity)
        holding = .allocate(capacity: 1)
        holding.initialize(to: (0, 0))
        table = .allocate(capacity: 1)
        table.initialize(to: nj_slab())
        table.pointee.spans = rows
        table.pointee.attributes = .allocate(capacity: self.attributeCapacity)
        table.pointee.contexts = .allocate(capacity: contextCapacity)
    }

    deinit {
        raw.spans.deallocate()
        raw.attributes.deallocate()
        raw.contexts.deallocate()
        table.deallocate()
        holding.deallocate()
        for block in arena { block.deallocate() }
    }

    /// The rows and what belongs to them, for C.
    @inlinable
    package var raw: nj_slab { table.pointee }

    /// How many open traces hold on to the slab; kept by its owner.
    package var holders: Int {
        get { holding.pointee.holders }
        set { holding.pointee.holders = newValue }
    }

    /// What holding on to the slab was counted as, by whoever counts; kept by its owner.
    package var heldBytes: Int {
        get { holding.pointee.bytes }
        set { holding.pointee.bytes = newValue }
    }

    /// How many spans there are.
    @inlinable
    package var count: Int { Int(table.pointee.span_count) }

    /// Whether no further span fits.
    @inlinable
    package var isFull: Bool { count == spanCapacity }

    /// The memory that keeping the slab alive costs, in bytes, with its share of the request's.
    package var retainedBytes: Int { payloadShare + rowBytes }

    /// What tells the request's bytes from another's, while they live.
    package var payloadIdentity: ObjectIdentifier { ObjectIdentifier(payload) }

    /// How many bytes the request has.
    package var payloadBytes: Int { payload.count }

    /// The memory of the rows and of what was copied for them, in bytes.
    package var rowBytes: Int {
        arenaBytes + spanCapacity * MemoryLayout<nj_span>.stride
            + attributeCapacity * MemoryLayout<nj_attribute>.stride
    }

    /// The span rows.
    @inlinable
    package var spans: UnsafeMutableBufferPointer<nj_span> {
        UnsafeMutableBufferPointer(start: rows, count: count)
    }

    /// The attributes of a span, in the order sent.
    @inlinable
    package func attributes(of span: UnsafePointer<nj_span>) -> UnsafeBufferPointer<nj_attribute> {
        attributes(span.pointee.first_attribute, span.pointee.attribute_count)
    }

    /// A run of attribute rows.
    @inlinable
    package func attributes(_ first: UInt32, _ count: UInt32) -> UnsafeBufferPointer<nj_attribute> {
        UnsafeBufferPointer(start: raw.attributes + Int(first), count: Int(count))
    }

    /// The resource and scope of a span.
    @inlinable
    package func context(of span: UnsafePointer<nj_span>) -> nj_context {
        raw.contexts[Int(span.pointee.context)]
    }

    /// Appends a row; there must be room.
    package func append(_ span: nj_span) {
        precondition(!isFull, "the slab holds \(spanCapacity) spans")
        rows[count] = span
        table.pointee.span_count += 1
    }

    /// Appends a copy of a row; there must be room.
    package func append(copyOf span: UnsafePointer<nj_span>) {
        precondition(!isFull, "the slab holds \(spanCapacity) spans")
        (rows + count).update(from: span, count: 1)
        table.pointee.span_count += 1
    }

    /// Appends an attribute row and returns its index.
    package func append(_ attribute: nj_attribute) -> UInt32 {
        if Int(raw.attribute_count) == attributeCapacity { growAttributes() }
        raw.attributes[Int(raw.attribute_count)] = attribute
        table.pointee.attribute_count += 1
        return raw.attribute_count - 1
    }

    /// Appends attribute rows together and returns the index of the first.
    package func append(_ attributes: UnsafeBufferPointer<nj_attribute>) -> UInt32 {
        while Int(raw.attribute_count) + attributes.count > attributeCapacity { growAttributes() }
        let first = raw.attribute_count
        if let start = attributes.baseAddress {
            (raw.attributes + Int(first)).update(from: start, count: attributes.count)
        }
        table.pointee.attribute_count += UInt32(attributes.count)
        return first
    }

    /// Takes back the attribute rows from `count` on, for a span that turned out to be unfit.
    package func truncateAttributes(to count: UInt32) {
        table.pointee.attribute_count = min(count, raw.attribute_count)
    }

    /// How many attribute rows there are, of spans and contexts together.
    package var attributeCount: UInt32 { raw.attribute_count }

    /// Appends a context and returns its index.
    package func append(_ context: nj_context) -> UInt32 {
        if Int(raw.context_count) == contextCapacity { growContexts() }
        raw.contexts[Int(raw.context_count)] = context
        table.pointee.context_count += 1
        return raw.context_count - 1
    }

    /// A copy of `bytes` that lives as long as the slab.
    package func copy(_ bytes: some Collection<UInt8>) -> nj_text {
        guard !bytes.isEmpty else { return nj_text("") }
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        block.copyBytes(from: bytes)
        if let address = block.baseAddress { arena.append(address) }
        arenaBytes += bytes.count
        return nj_text(UnsafeRawBufferPointer(block))
    }

    private func growAttributes() {
        let grown = UnsafeMutablePointer<nj_attribute>.allocate(capacity: attributeCapacity * 2)
        grown.update(from: raw.attributes, count: attributeCapacity)
        raw.attributes.deallocate()
        table.pointee.attributes = grown
        attributeCapacity *= 2
    }

    private func growContexts() {
        let grown = UnsafeMutablePointer<nj_context>.allocate(capacity: contextCapacity * 2)
        grown.update(from: raw.contexts, count: contextCapacity)
        raw.contexts.deallocate()
        table.pointee.contexts = grown
        contextCapacity *= 2
    }
}
