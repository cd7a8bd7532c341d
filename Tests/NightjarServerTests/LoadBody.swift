import Foundation
import NightjarOTLP
import NightjarSignals

/// Bodies of spans of which only the ids differ, so that making one costs little beside taking it.
struct LoadBody: Sendable {
    /// How many traces are in each.
    let traces: Int
    /// How many spans are in each.
    let spans: Int
    private let text: [UInt8]
    /// Where the ids of traces and spans lie, with the trace that each belongs to.
    private let places: [(trace: Int, span: Int, of: Int)]

    /// `valueBytes`: how long the text of each span is, of words that repeat as prompts do.
    init(traces: Int, spansPerTrace: Int, valueBytes: Int) {
        (self.traces, spans) = (traces, traces * spansPerTrace)
        var text = Array(
            #"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"load"}}]},"scopeSpans":[{"scope":{"name":"load"},"spans":["#
                .utf8
        )
        var places: [(Int, Int, Int)] = []
        for span in 0..<spans {
            if span > 0 { text.append(UInt8(ascii: ",")) }
            text += Array(#"{"traceId":""#.utf8)
            let trace = text.count
            text += [UInt8](repeating: 48, count: 32) + Array(#"","spanId":""#.utf8)
            places.append((trace, text.count, span / spansPerTrace))
            text += [UInt8](repeating: 48, count: 16)
            text += Array(
                #"","name":"chat m","kind":3,"startTimeUnixNano":"1790000000000000000","endTimeUnixNano":"1790000000250000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.request.model","value":{"stringValue":"m"}},{"key":"input.value","value":{"stringValue":""#
                    .utf8
            )
            text += Self.words(valueBytes, seed: span)
            text += Array(#""}}]}"#.utf8)
        }
        text += Array("]}]}]}".utf8)
        (self.text, self.places) = (text, places)
    }

    var count: Int { text.count }

    /// The body with ids of its own: of traces by `number`, or of one trace for all.
    func made(_ number: Int, oneTrace: Int? = nil) -> [UInt8] {
        var body = text
        for (index, place) in places.enumerated() {
            Self.write(oneTrace ?? (number * traces + place.of + 1), digits: 32, to: &body, at: place.trace)
            Self.write(number * spans + index + 1, digits: 16, to: &body, at: place.span)
        }
        return body
    }

    /// The ids of the traces in a body.
    func ids(_ number: Int) -> [String] {
        (0..<traces).map { String(format: "%032x", number * traces + $0 + 1) }
    }

    /// - Throws: Where there is no memory for it.
    static func gzip(_ body: [UInt8]) throws -> [UInt8] {
        guard let packed = ContentDeflater.gzip(body) else { throw CocoaError(.coderInvalidValue) }
        return packed
    }

    /// Text that is random enough not to be compressed more than 200 times, which is refused.
    private static func words(_ count: Int, seed: Int) -> [UInt8] {
        var state = UInt64(truncatingIfNeeded: seed &* 0x9E37_79B9 &+ 1)
        let head = (0..<min(count, 200)).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1
            return UInt8(97 + (state >> 59) % 26)
        }
        let filler = Array("the order was shipped to the customer and the invoice was sent ".utf8)
        var text = head
        while text.count < count { text += filler.prefix(count - text.count) }
        return text
    }

    private static func write(_ number: Int, digits: Int, to body: inout [UInt8], at place: Int) {
        var rest = number
        for digit in stride(from: place + digits - 1, through: place + digits - 15, by: -1) {
            let nibble = UInt8(rest & 15)
            body[digit] = nibble < 10 ? 48 + nibble : 87 + nibble
            rest >>= 4
        }
    }
}
