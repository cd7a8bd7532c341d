import CNightjarSignals
import NightjarBus
import NightjarOTLP
package import NightjarSignals
package import NightjarStore

/// What of a store is exported.
package struct ExportSelection: Sendable, Equatable {
    /// Only these traces, in this order; none: those of the query.
    package var traces: [TraceID] = []
    /// Which traces; its order, limit and cursor do not count.
    package var query = TraceQuery()

    /// Everything.
    package init() {}

    /// Whether signals that belong to no stored trace are asked for too: nothing but a time holds for them.
    var includesStrays: Bool {
        var timed = TraceQuery()
        (timed.from, timed.to) = (query.from, query.to)
        timed.limit = query.limit
        return traces.isEmpty && query == timed
    }
}

/// Writes what is stored as lines, in an order that only depends on what is written: traces by start and id; of each its spans in
/// the order in which they came, equal ones once, then its logs by time and text, its scores and its feedback by time and id;
/// behind them, in the same way, what belongs to no stored trace. Holds one trace at a time. Belongs to one thread at a time.
package final class TraceExport {
    private enum Phase {
        case traces, logs, scores, feedback, over
    }

    private static let tracesAtOnce = 200
    private static let straysAtOnce = 1000

    private let source: any TransferSource
    private let selection: ExportSelection
    private let reader = OTLPSpanReader()
    private var phase = Phase.traces
    private var query: TraceQuery
    private var cursor: PageCursor?
    /// The traces to be written next, the last first.
    private var ready: [TraceID]
    /// Traces of one start, of which there may be more.
    private var held: [TraceRecord] = []
    private var hasMoreTraces: Bool
    /// How many traces were written.
    package private(set) var traces = 0

    /// An export that has not begun.
    package init(_ source: any TransferSource, _ selection: ExportSelection) {
        self.source = source
        self.selection = selection
        query = selection.query
        query.order = .start
        query.isAscending = true
        query.limit = Self.tracesAtOnce
        query.cursor = nil
        var seen: Set<TraceID> = []
        ready = selection.traces.filter { seen.insert($0).inserted }.reversed()
        hasMoreTraces = selection.traces.isEmpty
    }

    /// Opens a database file for reading, beside whoever writes it.
    /// - Throws: ``EngineError`` that names the file.
    package convenience init(database path: String, _ selection: ExportSelection) throws(EngineError) {
        try self.init(StoredEvents(path: path).reader, selection)
    }

    /// Further lines, of a trace or of many small things; nil at the end.
    /// - Throws: ``StoreError`` where it cannot be read, ``OTLPError`` where a span cannot.
    package func next() throws -> [UInt8]? {
        var writer = JSONWriter()
        while phase != .over, writer.bytes.isEmpty {
            switch phase {
            case .traces: try writeTrace(to: &writer)
            case .logs:
                let logs = try strays(source.strayLogs)
                write(
                    logs.sorted { ($0.timestamp, $0.json.json) < ($1.timestamp, $1.json.json) },
                    to: &writer
                )
                if cursor == nil { phase = .scores }
            case .scores:
                write(try strays(source.strayScores).sorted(by: Self.isBefore), to: &writer)
                if cursor == nil { phase = .feedback }
            case .feedback:
                write(try strays(source.strayFeedback).sorted(by: Self.isBefore), to: &writer)
                if cursor == nil { phase = .over }
            case .over: break
            }
        }
        return writer.bytes.isEmpty ? nil : writer.bytes
    }

    // MARK: - Traces

    private func writeTrace(to writer: inout JSONWriter) throws {
        if ready.isEmpty { try findTraces() }
        guard let id = ready.popLast() else {
            phase = selection.includesStrays ? .logs : .over
            return
        }
        try write(id, to: &writer)
    }

    /// Gets the traces of the next starts: those of one start are sorted by id, so that all of them must be there.
    private func findTraces() throws {
        while ready.isEmpty, hasMoreTraces || !held.isEmpty {
            if hasMoreTraces {
                query.cursor = cursor
                let page = try source.traces(query)
                held += page.traces
                cursor = page.next
                hasMoreTraces = page.next != nil
            }
            let last = hasMoreTraces ? held.last.map(Self.start) : nil
            let whole = held.filter { Self.start($0) != last }
            held.removeFirst(whole.count)
            ready = whole.sorted { Self.key($0) < Self.key($1) }.map(\.id).reversed()
        }
    }

    private static func start(_ trace: TraceRecord) -> Timestamp { trace.start ?? trace.firstReceived }

    private static func key(_ trace: TraceRecord) -> (Timestamp, UInt64, UInt64) {
        (start(trace), trace.id.high, trace.id.low)
    }

    private func write(_ id: TraceID, to writer: inout JSONWriter) throws {
        guard let record = try source.trace(id), !record.isSampledOut else { return }
        try writeSpans(of: id, to: &writer)
        let logs = try source.logs(of: id).map(\.log)
        write(logs.sorted { ($0.timestamp, $0.json.json) < ($1.timestamp, $1.json.json) }, to: &writer)
        write(try source.scores(of: id).map(\.score).sorted(by: Self.isBefore), to: &writer)
        write(try source.feedback(of: id).map(\.feedback).sorted(by: Self.isBefore), to: &writer)
        traces += 1
    }

    private func writeSpans(of id: TraceID, to writer: inout JSONWriter) throws {
        var slabs: [Slab] = []
        var messages: [[UInt8]] = []
        for chunk in try source.chunks(of: id) {
            for message in try SpanMessages.split(Payload(chunk.payload)) {
                let request = try TraceRequest.decode(
                    Payload(message),
                    encoding: .protobuf,
                    receivedAt: chunk.receivedAt,
                    workers: 1
                )
                // What was refused when it came, or is none of the spans that count, is not the trace's.
                guard request.spanCount == 1, let slab = request.slabs.first?.slab else { continue }
                slabs.append(slab)
                messages.append(message)
            }
        }
        let trace = TraceState.settled(id, slabs: slabs)
        // Fills the inherited names into the rows; they are the trace's, which has to outlive them.
        withExtendedLifetime((trace, trace.references)) {
            var written: Set<[UInt8]> = []
            for (slab, message) in zip(slabs, messages) where written.insert(message).inserted {
                let reference = SpanReference(slab: slab, index: 0)
                writer.line(
                    reader.span(reference),
                    hasEnded: reference.row.pointee.hasEnded,
                    message: message
                )
            }
        }
    }

    // MARK: - What belongs to no trace

    /// The signals of the next times, all of each time; the cursor is nil where there are no more.
    private func strays<Signal>(
        _ page: (StrayWindow) throws -> StrayPage<Signal>
    ) throws -> [Signal] {
        var window = StrayWindow(from: query.from, to: query.to, limit: Self.straysAtOnce)
        var found: [(signal: Signal, cursor: PageCursor)] = []
        window.cursor = cursor
        while true {
            let next = try page(window)
            found += next.signals
            guard !next.isLast, let last = next.signals.last?.cursor else {
                cursor = nil
                return found.map(\.signal)
            }
            let whole = found.prefix { !$0.cursor.isOfTime(last) }
            if let end = whole.last?.cursor {
                cursor = end
                return whole.map(\.signal)
            }
            window.cursor = last
        }
    }

    private func write(_ logs: [Log], to writer: inout JSONWriter) {
        for log in logs { writer.line(.log(log)) }
    }

    private func write(_ scores: [Score], to writer: inout JSONWriter) {
        for score in scores { writer.line(.score(score)) }
    }

    private func write(_ feedback: [Feedback], to writer: inout JSONWriter) {
        for item in feedback { writer.line(.feedback(item)) }
    }

    private static func isBefore(_ left: Score, _ right: Score) -> Bool {
        (left.timestamp, left.id) < (right.timestamp, right.id)
    }

    private static func isBefore(_ left: Feedback, _ right: Feedback) -> Bool {
        (left.timestamp, left.id) < (right.timestamp, right.id)
    }
}
