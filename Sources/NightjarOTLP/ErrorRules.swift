import CNightjarSignals
import NightjarSignals

/// What a span's status and events say of its end.
struct SpanOutcome {
    /// OTLP's status code: 0 unset, 1 ok, 2 error.
    var code: UInt64 = 0
    var message = nj_text.absent
    /// Of the last `exception` event.
    var hasException = false
    var exceptionType = nj_text.absent
    var exceptionMessage = nj_text.absent
    /// Whether an event is the verdict of an evaluation.
    var hasEvaluations = false
    /// When the first chunk of a streamed answer came; 0 where no event says so.
    var firstChunkNano: UInt64 = 0
}

/// Whether and why a span failed: `otlp-mapping.md` section 1, "error" and "error type".
enum ErrorRules {
    /// Whether the span failed.
    static func isError(_ span: SpanWords, _ outcome: SpanOutcome) -> Bool {
        if outcome.code == 2 || span.facts.has(.errorType) { return true }
        // LangSmith ends failed runs with status OK and an exception event.
        if span.scope.equals("langsmith"), outcome.hasException { return true }
        if span.facts.text(.toolStatus).equals("error") { return true }
        return switch span.convention {
        case .langfuse: span.word(.langfuseLevel).equals("ERROR")
        case .mastra: isTrue(span.facts.attribute(.bareError))
        case .claudeCode: isFalse(span.facts.attribute(.success))
        default: false
        }
    }

    /// The kind of error; absent where none is named.
    static func type(_ span: SpanWords, _ outcome: SpanOutcome) -> nj_text {
        span.first(span.word(.errorType), outcome.exceptionType, typeName(atHeadOf: outcome.message))
    }

    /// What the sender says of the error.
    static func message(_ span: SpanWords, _ outcome: SpanOutcome) -> nj_text {
        let stated = span.first(outcome.message, span.word(.errorMessage))
        return span.first(stated, outcome.exceptionMessage, span.facts.text(.bareError))
    }

    /// `ValueError` of `ValueError: no price` and `KeyError('x')`. A head with spaces is prose, and prose is no type.
    private static func typeName(atHeadOf message: nj_text) -> nj_text {
        let bytes = message.buffer
        guard
            let end = bytes.firstIndex(where: { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "(") }),
            end > 0, end <= 128, bytes[..<end].allSatisfy(isNameByte)
        else { return .absent }
        return nj_text(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    private static func isTrue(_ attribute: nj_attribute?) -> Bool {
        guard let attribute else { return false }
        return attribute.tag == UInt8(NJ_BOOL.rawValue)
            ? attribute.value.integer != 0 : attribute.text.equals("true")
    }

    private static func isFalse(_ attribute: nj_attribute?) -> Bool {
        guard let attribute else { return false }
        return attribute.tag == UInt8(NJ_BOOL.rawValue)
            ? attribute.value.integer == 0 : attribute.text.equals("false")
    }
}
