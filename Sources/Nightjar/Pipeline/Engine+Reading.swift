import Foundation
import NightjarBus
import NightjarOTLP
package import NightjarSignals
import NightjarStore

extension Engine {
    /// Whether a later run goes on with what this one leaves open.
    var isKeptInFile: Bool { if case .file = configuration.store { true } else { false } }

    /// The receive clock.
    package var now: Timestamp { clock.now() }

    /// Why no data can be taken now, nil where it can.
    package var fault: String? {
        store?.status.lastError.map { "nothing can be stored now: \($0)" }
    }

    /// The spans of a stored trace with their inherited facts, by arrival; nil for an unknown trace.
    /// - Throws: ``StoreError`` when the store cannot be read.
    package func spans(of id: TraceID) throws -> [Span]? {
        guard let store else { return nil }
        return try spans(of: id, logs: try store.logs(of: id).map(\.log))
    }

    /// The spans of a stored trace with its log lines, which may carry what went in and what came out.
    func spans(of id: TraceID, logs: [Log]) throws -> [Span]? {
        guard let trace = try storedTrace(id) else { return nil }
        let contents = LogContents(logs)
        let reader: any SpanReader = contents.isEmpty ? reader : LogContentReader(contents)
        // The rows' inherited names are the trace's: it has to outlive them.
        return withExtendedLifetime(trace) { Self.decoded(trace.view(), reader) }
    }

    /// A stored trace at rest, with the record that the store has of it; nil for an unknown trace.
    func storedTrace(_ id: TraceID) throws -> TraceState? {
        guard let store, let record = try store.trace(id), !record.isSampledOut else { return nil }
        var slabs: [Slab] = []
        for chunk in try store.chunks(of: id) {
            try ReadWatch.current?.check()
            let request = try TraceRequest.decode(
                Payload(chunk.payload),
                encoding: .protobuf,
                receivedAt: chunk.receivedAt,
                workers: 1,
                limits: .taken
            )
            slabs += request.slabs.map(\.slab)
        }
        let trace = TraceState.settled(id, slabs: slabs, completing: SpanCompletion.complete)
        trace.record = record
        return trace
    }

    /// Deletes a trace and everything said of it; whether it was there. Blocks until that is on disk.
    /// - Throws: ``StoreError`` where it cannot be deleted now.
    package func deleteTrace(_ id: TraceID) throws -> Bool {
        guard let store else { return false }
        let wasThere = try store.deleteTrace(id)
        workers[Partition.of(id) % workers.count].enqueue(.forget(id))
        return wasThere
    }

    private static func decoded(_ view: TraceView, _ reader: any SpanReader) -> [Span] {
        let derived = DerivedContent(view, reader: reader)
        return view.spans.enumerated().map { place, reference in
            var span = reader.span(reference)
            guard DerivedContent.isRun(reference) else { return span }
            if span.output == nil, let source = derived.output(of: place) {
                span.output = .string(String(decoding: source.text, as: UTF8.self))
                span.derivedFrom = source.span
            }
            if span.input == nil, let source = derived.input(of: place) {
                span.input = .string(String(decoding: source.text, as: UTF8.self))
                span.derivedFrom = span.derivedFrom ?? source.span
            }
            return span
        }
    }
}
