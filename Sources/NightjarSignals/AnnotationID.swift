/// How ids of scores and feedback are made where the caller gives none: 32 hex digits.
public enum AnnotationID: Sendable {
    /// A fresh random id.
    public static func fresh() -> String {
        var generator = SystemRandomNumberGenerator()
        return fresh(using: &generator)
    }

    /// A fresh random id from a given source.
    public static func fresh(using generator: inout some RandomNumberGenerator) -> String {
        TraceID(high: generator.next(), low: generator.next()).description
    }

    /// The id of a scorer's verdict on a target. The same everywhere and always, so that running a scorer again replaces what
    /// it said before.
    public static func derived(
        scorer: String,
        experiment: String?,
        traceID: TraceID?,
        spanID: SpanID?,
        sessionID: String? = nil
    ) -> String {
        var hash = StableHash()
        for field in [scorer, experiment, traceID?.description, spanID?.description, sessionID] {
            hash.add(field)
        }
        return TraceID(
            high: UInt64(truncatingIfNeeded: hash.value >> 64),
            low: UInt64(truncatingIfNeeded: hash.value)
        )
        .description
    }
}
