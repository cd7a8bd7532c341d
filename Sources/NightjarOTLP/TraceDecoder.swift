import CNightjarSignals
import NightjarSignals

/// Walks a trace request once and fills slabs. One use each, ended by `end`.
struct TraceDecoder {
    private(set) var slabs: [(worker: Int, slab: Slab)] = []
    private(set) var spanCount = 0
    private(set) var dropped = 0
    private(set) var rejections = Rejections(of: "spans")

    private let payload: Payload
    private let receivedAt: Timestamp
    private let limits: TraceRequest.Limits
    private var lanes: [Lane]
    private var scratch: SpanScratch

    // Where the cursor is, for messages; -1 above that level.
    private var resourceIndex = -1
    private var scopeIndex = -1
    private var spanIndex = -1

    // The resource and scope of the spans that follow, and their number, so that slabs know whether they have them.
    private var context = nj_context()
    private var resourceAttributes: [nj_attribute] = []
    private var scopeAttributes: [nj_attribute] = []
    private var contextNumber = 0

    /// The slab that a worker's spans go to.
    private struct Lane {
        /// One of `slabs`, which hold it: references are not counted for each span.
        var slab: Unmanaged<Slab>?
        var contextNumber = 0
        var context: UInt32 = 0
    }

    init(_ payload: Payload, receivedAt: Timestamp, workers: Int, limits: TraceRequest.Limits) {
        self.payload = payload
        self.receivedAt = receivedAt
        self.limits = limits
        lanes = Array(repeating: Lane(), count: workers)
        scratch = SpanScratch(capacity: limits.attributes + NativeKeys.allowance)
    }

    /// Gives the scratch memory back; the decoder is not to be used any more.
    func end() { scratch.release() }

    /// The place of the cursor in the message, for a person.
    var path: String {
        guard resourceIndex >= 0 else { return "" }
        var path = "resource_spans[\(resourceIndex)]"
        if scopeIndex >= 0 { path += ".scope_spans[\(scopeIndex)]" }
        if spanIndex >= 0 { path += ".spans[\(spanIndex)]" }
        return path
    }

    mutating func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) {
        var reader = WireReader(bytes)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == RequestTag.resourceSpans else {
                try reader.skip(tag)
                continue
            }
            resourceIndex += 1
            try decodeResourceSpans(try reader.message())
            scopeIndex = -1
        }
        resourceIndex = -1
    }

    private mutating func decodeResourceSpans(_ message: WireReader) throws(WireError) {
        context = nj_context()
        resourceAttributes.removeAll(keepingCapacity: true)
        // The resource may stand behind the spans that need it.
        if let resource = try firstField(RequestTag.resource, of: message) {
            context.encoded_resource = resource
            try decodeResource(WireReader(resource, in: message))
        }
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == RequestTag.scopeSpans else {
                try reader.skip(tag)
                continue
            }
            scopeIndex += 1
            try decodeScopeSpans(try reader.message())
            spanIndex = -1
        }
    }

    private mutating func decodeResource(_ message: WireReader) throws(WireError) {
        var reader = message
        var names = ResourceNames()
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == RequestTag.resourceAttribute else {
                try reader.skip(tag)
                continue
            }
            var content = try reader.message()
            var attribute = try content.attribute()
            attribute.key = nj_symbol_intern(attribute.key_bytes, Int(attribute.key_length))
            names.note(attribute)
            resourceAttributes.append(attribute)
        }
        context.service = names.service
        context.environment = names.environment
        if let list = resourceAttributes.last(where: { $0.keyText.equals("nightjar.added") }) {
            let added = NativeKeys.Added(list)
            resourceAttributes.removeAll(where: added.isCarried)
        }
    }

    private mutating func decodeScopeSpans(_ message: WireReader) throws(WireError) {
        contextNumber += 1
        context.encoded_scope = .absent
        context.scope_name = .absent
        context.scope_version = .absent
        scopeAttributes.removeAll(keepingCapacity: true)
        if let scope = try firstField(RequestTag.scope, of: message) {
            context.encoded_scope = scope
            try decodeScope(WireReader(scope, in: message))
        }
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == RequestTag.span else {
                try reader.skip(tag)
                continue
            }
            spanIndex += 1
            try decodeSpan(try reader.bytes(), in: message)
        }
    }

    private mutating func decodeScope(_ message: WireReader) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case RequestTag.scopeName: context.scope_name = try reader.bytes()
            case RequestTag.scopeVersion: context.scope_version = try reader.bytes()
            case RequestTag.scopeAttribute:
                var content = try reader.message()
                var attribute = try content.attribute()
                attribute.key = nj_symbol_intern(attribute.key_bytes, Int(attribute.key_length))
                scopeAttributes.append(attribute)
            default: try reader.skip(tag)
            }
        }
    }

    /// The first field of a number, wherever in the message it stands.
    private func firstField(_ wanted: UInt32, of message: WireReader) throws(WireError) -> nj_text? {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == wanted { return try reader.bytes() }
            try reader.skip(tag)
        }
        return nil
    }

    private mutating func decodeSpan(_ encoded: nj_text, in parent: WireReader) throws(WireError) {
        guard Int(encoded.length) <= limits.spanBytes else {
            rejections.add(.spanBytes, at: path)
            return
        }
        try scratch.read(WireReader(encoded, in: parent))
        guard scratch.hasValidIDs else {
            rejections.add(.identifier, at: path)
            return
        }
        let allowance = scratch.facts.has(.nativeType) ? NativeKeys.allowance : 0
        guard scratch.attributeCount <= limits.attributes + allowance else {
            rejections.add(.attributes, at: path)
            return
        }
        guard max(scratch.row.pointee.start_nano, scratch.row.pointee.end_nano) >= limits.oldestUnixNano
        else {
            rejections.add(.tooOld, at: path)
            return
        }
        if !limits.fullTraces.isEmpty, limits.fullTraces.contains(scratch.row.pointee.traceID) {
            rejections.add(.fullTrace, at: path)
            return
        }
        if scratch.facts.text(.logfireType).equals("pending_span"), !scratch.facts.has(.nativeType) {
            dropped += 1
            return
        }
        scratch.row.pointee.encoded = encoded
        file()
    }

    /// Puts the span that was read into its worker's slab.
    private mutating func file() {
        let row = scratch.row
        let lane = Partition.of(row.pointee.traceID) % lanes.count
        openSlab(lane)._withUnsafeGuaranteedRef { file(row, in: $0, lane) }
    }

    private mutating func file(_ row: UnsafeMutablePointer<nj_span>, in slab: Slab, _ lane: Int) {
        if lanes[lane].contextNumber != contextNumber { addContext(slab, lane) }
        row.pointee.context = lanes[lane].context
        if scratch.facts.has(.nativeType) {
            appendNative(slab)
        } else {
            row.pointee.first_attribute = slab.append(scratch.attributes)
            row.pointee.attribute_count = UInt32(scratch.attributeCount)
        }
        let words = SpanWords(
            scratch.facts,
            name: row.pointee.name,
            scope: context.scope_name,
            isRoot: row.pointee.parent_id == 0,
            slab: slab
        )
        SpanMapping.apply(words, scratch.outcome, context, to: &row.pointee)
        if scratch.outcome.hasEvaluations || scratch.facts.has(.verdict) {
            row.pointee.flags |= UInt8(NJ_SPAN_HAS_EVALUATIONS.rawValue)
        }
        slab.append(copyOf: row)
        spanCount += 1
    }

    /// Appends the attributes of a span of our own, those that are not the span's behind those that are.
    private mutating func appendNative(_ slab: Slab) {
        let row = scratch.row
        let added = NativeKeys.Added(scratch.facts.attribute(.nativeAdded))
        row.pointee.first_attribute = slab.attributeCount
        for attribute in scratch.attributes where !added.isCarried(attribute) { _ = slab.append(attribute) }
        row.pointee.attribute_count = slab.attributeCount - row.pointee.first_attribute
        for attribute in scratch.attributes where added.isCarried(attribute) { _ = slab.append(attribute) }
        row.pointee.carried_count = UInt16(scratch.attributeCount) - UInt16(row.pointee.attribute_count)
    }

    private mutating func openSlab(_ lane: Int) -> Unmanaged<Slab> {
        if let slab = lanes[lane].slab, !slab._withUnsafeGuaranteedRef({ $0.isFull }) { return slab }
        let slab = Slab(
            payload,
            receivedAt: receivedAt,
            // A small request needs no memory for 256 spans: 300 bytes is a small span, 48 a small attribute.
            spanCapacity: payload.count / 300 + 4,
            attributeCapacity: min(payload.count / 48, 20 * Slab.capacity) + 32
        )
        slabs.append((lane, slab))
        lanes[lane] = Lane(slab: .passUnretained(slab))
        return .passUnretained(slab)
    }

    private mutating func addContext(_ slab: Slab, _ lane: Int) {
        var own = context
        own.first_resource_attribute = resourceAttributes.withUnsafeBufferPointer { slab.append($0) }
        own.resource_attribute_count = UInt32(resourceAttributes.count)
        own.first_scope_attribute = scopeAttributes.withUnsafeBufferPointer { slab.append($0) }
        own.scope_attribute_count = UInt32(scopeAttributes.count)
        lanes[lane].context = slab.append(own)
        lanes[lane].contextNumber = contextNumber
    }
}

/// What a resource says of service and environment.
private struct ResourceNames {
    private(set) var service = nj_text.absent
    private var environmentName = nj_text.absent
    private var oldEnvironment = nj_text.absent

    /// The environment under its present key, else under its old one.
    var environment: nj_text {
        environmentName.hasBytes ? environmentName : oldEnvironment.hasBytes ? oldEnvironment : .absent
    }

    mutating func note(_ attribute: nj_attribute) {
        let key = attribute.keyText
        if key.equals("service.name") {
            // SDKs fill in `unknown_service` and the process's name where nobody chose one.
            let isChosen = attribute.text.hasBytes && !attribute.text.hasPrefix("unknown_service")
            service = isChosen ? attribute.text : .absent
        } else if key.equals("deployment.environment.name") {
            environmentName = attribute.text
        } else if key.equals("deployment.environment") {
            oldEnvironment = attribute.text
        }
    }
}

/// The fields of a trace request around its spans.
enum RequestTag {
    static let resourceSpans = tag(1, .bytes)
    static let resource = tag(1, .bytes)
    static let scopeSpans = tag(2, .bytes)
    static let resourceAttribute = tag(1, .bytes)
    static let scope = tag(1, .bytes)
    static let span = tag(2, .bytes)
    static let scopeName = tag(1, .bytes)
    static let scopeVersion = tag(2, .bytes)
    static let scopeAttribute = tag(3, .bytes)
}
