import CNightjarSignals
import NightjarBus
import NightjarOTLP
import NightjarSignals
package import NightjarStore

/// Which scores a report is about.
package struct ScoreReportQuery: Sendable, Equatable {
    /// The scores.
    package var verdicts = VerdictQuery()
    /// Another scorer, with which the one that is named is compared.
    package var other: String?
    /// How long a part of the trend is; nil: so that there are at most a hundred.
    package var step: Duration?

    /// All scores.
    package init() {}
}

extension Engine {
    /// More feedback is not looked at for a report.
    private static let reportedFeedback = 20_000

    /// What scorers said within a time; nil where nothing is stored.
    /// - Throws: ``StoreError`` when the store cannot be read.
    package func scoreReport(_ query: ScoreReportQuery) async throws -> ScoreReport? {
        guard let store else { return nil }
        return try await reads.run {
            var wanted = query.verdicts
            let pair = query.other.flatMap { other in wanted.scorers.first.map { ($0, other) } }
            if let other = query.other, !wanted.scorers.contains(other) { wanted.scorers.append(other) }
            let (verdicts, cutAt) = try store.verdicts(wanted)
            var before: [StoredVerdict] = []
            if let from = wanted.from, let to = wanted.to, from < to {
                var earlier = wanted
                let length = to.unixNano.subtractingReportingOverflow(from.unixNano).partialValue
                earlier.from = from.advanced(by: .nanoseconds(-length))
                earlier.to = from
                before = try store.verdicts(earlier).verdicts
            }
            // What people say of a trace comes after it, often after the time that is asked for.
            let (feedback, isCut) = try store.feedback(
                from: wanted.from,
                experiment: nil,
                limit: Self.reportedFeedback
            )
            return ScoreReport(
                verdicts,
                before: before,
                feedback: feedback,
                agreement: pair,
                step: query.step,
                cutAt: cutAt,
                isFeedbackCut: isCut
            )
        }
    }

    /// One page of traces of which a span has a text in its name, its input or its output; ASCII letters of either case are the
    /// same. Nil where nothing is stored.
    /// - Throws: ``StoreError`` when the store cannot be read.
    package func traces(_ query: TraceQuery, holding text: String) async throws -> TracePage? {
        guard let store else { return nil }
        let reader = reader
        return try await reads.run {
            let needle = TextNeedle(text)
            return try store.traces(
                query,
                holding: TextScan(mayHold: needle.mayOccur, holds: { try needle.occurs(in: $0, reader) })
            )
        }
    }
}

/// A text that is looked for in spans.
struct TextNeedle {
    /// As it is, and where that differs as JSON has it: contents that are no text are shown as JSON.
    private let forms: [ByteSearch]
    /// A part of it that every encoding leaves as it is; nil where it has none.
    private let kept: ByteSearch?

    init(_ text: String) {
        let plain = Array(text.utf8)
        let quoted = Array(Value.string(text).json.utf8.dropFirst().dropLast())
        forms = (plain == quoted ? [plain] : [plain, quoted]).map(ByteSearch.init)
        let runs = plain.split { !Self.isKept($0) }
        kept = runs.max { $0.count < $1.count }.map { ByteSearch(Array($0)) }
    }

    /// Whether a byte is the same in text and in JSON, whoever wrote that: letters, digits and signs that nobody escapes.
    private static func isKept(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "<"), UInt8(ascii: ">"),
            UInt8(ascii: "&"), UInt8(ascii: "'"):
            false
        default: byte >= 0x20 && byte < 0x7F
        }
    }

    /// Whether a payload may hold it.
    func mayOccur(_ payload: UnsafeRawBufferPointer) -> Bool { kept?.occurs(in: payload) ?? true }

    /// Whether a span of a chunk holds it.
    func occurs(in chunk: StoredChunk, _ reader: some SpanReader) throws -> Bool {
        for (_, slab) in try StoredTraceSource.request(chunk).slabs {
            for index in 0..<slab.count {
                let span = SpanReference(slab: slab, index: index)
                if occurs(in: span.row.pointee.name.buffer) { return true }
                for text in [reader.inputText(span), reader.outputText(span)] {
                    if text?.withUnsafeBytes(occurs) ?? false { return true }
                }
            }
        }
        return false
    }

    private func occurs(in bytes: UnsafeRawBufferPointer) -> Bool {
        forms.contains { $0.occurs(in: bytes) }
    }
}
