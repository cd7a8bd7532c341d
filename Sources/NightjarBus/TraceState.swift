import CNightjarSignals
package import NightjarSignals

/// What a worker knows of one trace: its spans, how they hang together, and what has been counted. Belongs to one worker, so its
/// fields are used without the check of overlapping accesses at run time, which cost a seventh of settling: no access to one lasts
/// over a call that comes back to it.
package final class TraceState: TraceViewSource {
    /// One span of the trace. A long trace has many: fields are in the order that leaves the fewest gaps.
    struct Entry {
        let id: UInt64
        var parent: UInt64
        var slab: Slab?
        var receivedAt: Timestamp
        private var rowNumber: Int32
        /// The place of its parent, -1 while that is missing.
        var parentPlace: Int32 = -1
        /// The next span that waits for the same parent, or -1.
        var nextWaiting: Int32 = -1
        /// The next span of the same parent, or -1.
        var nextSibling: Int32 = -1
        /// The first child that has arrived, or -1.
        var firstChild: Int32 = -1
        var scope: Int32 = -1
        var tool: Int32 = -1
        // The inherited facts, as places in `names`; -1: none.
        var agent: Int32 = -1
        var workflow: Int32 = -1
        // Copied from the row, as what follows, so that they outlive the payload.
        var type = SpanType.generic
        var status = SpanStatus.ok
        /// How its last copy was sent.
        var convention: UInt8 = 0
        /// Whether its inherited facts are final.
        var isSettled = false
        /// Whether it was seen to end: a span that still runs is counted as started only.
        var hasEnded = false
        var startCounted = false
        var endCounted = false
        var isProviderSDK = false
        /// Whether the span tells how the tool call above it went, as Claude Code's execution spans do.
        var isToolExecution = false
        /// Whether it is a tool call of which such a span tells how it went.
        var awaitsExecution = false
        /// Whether it is in the list of those that wait for a span beside or below them.
        var isHeld = false
        var start: UInt64 = 0
        var end: UInt64 = 0
        var outputTokens = Double.nan
        /// A hash of the id of the response that a provider SDK's own span names; 0 for none.
        var response: UInt64 = 0
        /// A hash of its message, kept when the payload goes.
        var digest: UInt64 = 0
        /// A hash of the last copy as it came, where several were put together; else 0.
        var mergedDigest: UInt64 = 0
        var duplicateOf: UInt64 = 0

        init(id: UInt64, parent: UInt64, slab: Slab, row: Int, receivedAt: Timestamp) {
            (self.id, self.parent, self.slab, self.receivedAt) = (id, parent, slab, receivedAt)
            rowNumber = Int32(row)
        }

        /// Where in its slab the span lies.
        var row: Int {
            get { Int(rowNumber) }
            set { rowNumber = Int32(newValue) }
        }
    }

    /// The trace.
    package let id: TraceID
    /// What the store keeps of it; see ``currentRecord()``.
    @exclusivity(unchecked) package var record: TraceRecord
    /// The spans by place. Memory of the trace's own, which is read and written without a check of who else does.
    @exclusivity(unchecked) private(set) var entries = UnsafeMutableBufferPointer<Entry>(start: nil, count: 0)
    @exclusivity(unchecked) private var capacity = 0
    /// The first span that waits for a parent id that was named and has not arrived, by that id.
    @exclusivity(unchecked) var waiting = WaitingChildren()
    /// The first span without a parent.
    @exclusivity(unchecked) private(set) var rootPlace: Int?
    /// The bytes of all its spans as they came.
    @exclusivity(unchecked) var bytes = 0
    /// Whether it has as many spans, or bytes, as a trace may have.
    @exclusivity(unchecked) var isFull = false
    /// How many spans are not settled.
    @exclusivity(unchecked) var unsettled = 0
    /// The places of those, among them some that were settled since it was last looked through.
    @exclusivity(unchecked) var unsettledPlaces: [Int32] = []
    @exclusivity(unchecked) var hasRoot = false
    @exclusivity(unchecked) var hasRootEnded = false
    @exclusivity(unchecked) var reopened = 0
    /// Whether its end has fired since the last span.
    @exclusivity(unchecked) var hasEnded = false
    /// Whether the trace is in its assembler's list of those that hold payloads.
    @exclusivity(unchecked) var isOrdered = false
    /// The view of the spans that are here now, once made; what changes them drops it.
    @exclusivity(unchecked) var madeView: TraceView?
    /// No span before this place waits.
    @exclusivity(unchecked) var firstWaiting = 0
    /// How many of its spans lie in a slab that is here.
    @exclusivity(unchecked) var heldSpans = 0
    /// The number of the slab that touched the trace last.
    @exclusivity(unchecked) var stamp: UInt64 = 0
    /// The number of the slab that last had something new for the trace.
    @exclusivity(unchecked) var takenStamp: UInt64 = 0
    /// Spans whose ancestors are known and that wait for one beside or below them.
    @exclusivity(unchecked) var held: [Int] = []
    /// Spans of a provider's SDK that were settled without a framework's span beside them, by the place of their parent.
    @exclusivity(unchecked) var countedAlone: [Int32: [Int]] = [:]
    /// The trace whose own spans decide whether those of this one count; see ``TraceID/standIn``.
    @exclusivity(unchecked) package var standsFor: TraceID?
    /// Whether that trace sends spans of its own: nothing is done for this one.
    @exclusivity(unchecked) package internal(set) var isDismissed = false
    /// What the samplers said of a trace that is hidden until it is known whether it counts.
    @exclusivity(unchecked) package var isLeftOut = false
    /// Reads payloads back that were let go.
    @exclusivity(unchecked) weak var assembler: TraceAssembler?
    /// Whether a span whose parent is not known is as good as a root.
    @exclusivity(unchecked) var parentsComeFirst = false
    /// The ids of verdicts and feedback that were counted for spans of the trace while it was here.
    @exclusivity(unchecked) package var countedAnnotations: Set<String> = []
    /// Whether every span was told of when it started.
    @exclusivity(unchecked) var isAnnounced = true
    /// Whether a root has come whose tags are not among the record's.
    @exclusivity(unchecked) var needsTags = false
    /// Whether the samplers have been asked.
    @exclusivity(unchecked) package var isSamplingDecided = false
    /// The earliest instant in the deadline queue for the trace.
    @exclusivity(unchecked) var scheduled: Timestamp?
    /// Whether payloads were let go and must be read back before rules see them.
    @exclusivity(unchecked) package internal(set) var isShed = false
    /// The hand-over of effects after which the store knows all of this.
    @exclusivity(unchecked) package var ticket: UInt64 = 0
    /// Whether the trace is on its worker's list of changed ones.
    @exclusivity(unchecked) package var isListed = false
    /// Whether the record differs from what was last handed over.
    @exclusivity(unchecked) package var isChanged = true
    @exclusivity(unchecked) private var places: [UInt64: Int32] = [:]
    @exclusivity(unchecked) private var names = TextArena()

    /// Small traces are searched, which costs less than a dictionary.
    private static let searchLimit = 12

    /// A trace of which nothing is known yet.
    package init(id: TraceID, receivedAt: Timestamp) {
        self.id = id
        record = TraceRecord(id: id, receivedAt: receivedAt)
    }

    deinit {
        entries.deinitialize()
        entries.deallocate()
        names.deallocate()
    }

    /// Puts the trace on its worker's list of changed ones; whether it has changed and was not there.
    package func list() -> Bool {
        guard isChanged, !isListed else { return false }
        isListed = true
        return true
    }

    /// The place of a span.
    func place(of span: UInt64) -> Int? {
        if entries.count <= Self.searchLimit {
            for index in entries.indices where entries[index].id == span { return index }
            return nil
        }
        if places.isEmpty {
            for index in entries.indices { places[entries[index].id] = Int32(index) }
        }
        return places[span].map(Int.init)
    }

    /// A span where it lies: to read fields of it copies nothing, as a value would be with a count of its slab's references.
    func entry(at place: Int) -> UnsafePointer<Entry> {
        guard entries.indices.contains(place), let start = entries.baseAddress else {
            preconditionFailure("the trace has no span at \(place)")
        }
        return UnsafePointer(start + place)
    }

    /// Appends a span and returns its place.
    func append(_ entry: Entry) -> Int {
        let count = entries.count
        if count == capacity { grow() }
        if let start = entries.baseAddress {
            (start + count).initialize(to: entry)
            entries = UnsafeMutableBufferPointer(start: start, count: count + 1)
        }
        if !places.isEmpty { places[entry.id] = Int32(entries.count - 1) }
        unsettledPlaces.append(Int32(count))
        if entry.parent == 0, rootPlace == nil { rootPlace = entries.count - 1 }
        return entries.count - 1
    }

    private func grow() {
        let grown = UnsafeMutablePointer<Entry>.allocate(capacity: max(2 * capacity, 8))
        if let start = entries.baseAddress {
            grown.moveInitialize(from: start, count: entries.count)
            start.deallocate()
        }
        entries = UnsafeMutableBufferPointer(start: grown, count: entries.count)
        capacity = max(2 * capacity, 8)
    }

    /// Keeps a name for as long as the trace lives; -1 for an absent one.
    func keep(_ text: nj_text) -> Int32 { text.hasBytes ? names.keep(text) : -1 }

    /// A name kept earlier.
    func name(_ place: Int32) -> nj_text { place < 0 ? .absent : names[place] }

    /// The row of a span with its inherited facts filled in; nil where the payload was let go.
    package func reference(_ place: Int) -> SpanReference? {
        let entry = entry(at: place)
        guard let slab = entry.pointee.slab else { return nil }
        let reference = SpanReference(slab: slab, index: entry.pointee.row)
        let row = reference.row
        row.pointee.settled_agent = name(entry.pointee.agent)
        row.pointee.settled_workflow = name(entry.pointee.workflow)
        row.pointee.duplicate_of = entry.pointee.duplicateOf
        row.pointee.type = entry.pointee.type.rawValue
        row.pointee.status = entry.pointee.status.rawValue
        return reference
    }

    /// The trace as scorers see it; spans whose payload was let go are missing, so read them back first.
    package func view() -> TraceView {
        if let madeView, madeView.revision == record.revision { return madeView }
        let view = TraceView(id: id, spans: entries.indices.compactMap(reference), revision: record.revision)
        madeView = view
        return view
    }
}
