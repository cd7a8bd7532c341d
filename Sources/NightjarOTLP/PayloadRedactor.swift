package import NightjarBus
package import NightjarSignals

/// Hides secrets and cuts long values in the bytes of a request of traces or metrics, before anything is written (signals
/// contract, section 11): in the attributes of spans, of their events and links, in status messages, and in the attributes of
/// data points and of their exemplars. A request that holds neither stays the bytes that came; in any other only the parts
/// concerned are encoded anew.
package struct PayloadRedactor: Sendable {
    /// Bounds on one value.
    package struct Limits: Sendable {
        /// The most bytes of a text or of bytes; what goes beyond is cut, with a mark behind it.
        package var valueBytes = 1 << 20

        /// The bounds of the signals contract, section 11.
        package init() {}
    }

    private let rules: RedactionRules
    private let limits: Limits

    /// A redactor by the process's rules.
    package init(_ rules: RedactionRules, limits: Limits = Limits()) {
        self.rules = rules
        self.limits = limits
    }

    /// The trace request as it may be written; nil where it may be written as it came. Any thread may call it.
    /// - Throws: ``OTLPError`` where the bytes are malformed: a request that cannot be examined is to be refused, even where a
    ///   decoder that looks at less of it would take it.
    package func redacted(_ body: UnsafeRawBufferPointer) throws(OTLPError) -> Payload? {
        try redacted(body, .traces)
    }

    /// The trace request as it may be written; nil where it may be written as it came. Any thread may call it.
    /// - Throws: ``OTLPError`` where the bytes are malformed.
    package func redacted(_ body: Payload) throws(OTLPError) -> Payload? {
        // The bytes live no longer than their payload.
        defer { withExtendedLifetime(body) {} }
        return try redacted(body.bytes, .traces)
    }

    /// The metrics request as it may be written, without pseudonyms, as labels are; nil where it may be written as it came.
    /// Any thread may call it.
    /// - Throws: ``OTLPError`` where the bytes are malformed.
    package func redactedMetrics(_ body: Payload) throws(OTLPError) -> Payload? {
        // The bytes live no longer than their payload.
        defer { withExtendedLifetime(body) {} }
        return try redacted(body.bytes, .metrics)
    }

    private func redacted(
        _ body: UnsafeRawBufferPointer,
        _ signal: PayloadWalk.Signal
    ) throws(OTLPError) -> Payload? {
        var walk = PayloadWalk(signal, rules, valueBytes: limits.valueBytes)
        do throws(WireError) {
            try walk.request(WireReader(body))
        } catch {
            throw OTLPError(
                code: .malformed,
                offset: error.offset,
                path: walk.path,
                detail: error.detail.description
            )
        }
        return walk.edits.isEmpty ? nil : walk.edits.applied(to: body)
    }
}
