public import NightjarSignals

/// What a sampler is told of a trace: its first event's span, as far as it is known then.
public struct SamplingContext: Sendable {
    /// The trace.
    public var traceID: TraceID
    /// The span's name.
    public var name: String
    /// The span's type.
    public var type: SpanType
    /// The span's metadata.
    public var metadata: Value.Object
    /// The service that sent it.
    public var serviceName: String?
    /// The environment that it ran in.
    public var environment: String?

    /// A context.
    public init(
        traceID: TraceID,
        name: String,
        type: SpanType = .generic,
        metadata: Value.Object = [:],
        serviceName: String? = nil,
        environment: String? = nil
    ) {
        self.traceID = traceID
        self.name = name
        self.type = type
        self.metadata = metadata
        self.serviceName = serviceName
        self.environment = environment
    }

    /// What a span says.
    public init(_ span: Span) {
        self.init(
            traceID: span.traceID,
            name: span.name,
            type: span.type,
            metadata: span.metadata,
            serviceName: span.service,
            environment: span.environment
        )
    }
}

/// Which traces are stored and exported; extraction and rules see all of them (signals contract, section 11).
public enum Sampling: Sendable {
    /// Every trace.
    case always
    /// No trace.
    case never
    /// This part of all traces, 0 to 1, by a hash of the trace id: every process keeps the same ones, and a trace kept at a
    /// ratio is kept at every higher one. Not a number is 0.
    case ratio(Double)
    /// The traces for which the closure says so. Asked once for each trace, on the event path: it must be quick.
    case custom(@Sendable (SamplingContext) -> Bool)

    /// Whether a trace is kept.
    public func isKept(_ context: SamplingContext) -> Bool {
        switch self {
        case .always: true
        case .never: false
        case .ratio(let ratio): Self.sample(context.traceID, ratio: ratio, salt: "trace")
        case .custom(let decide): decide(context)
        }
    }

    /// Whether a trace is of the part that `ratio` names. The same in every process; independent for each salt.
    package static func sample(_ trace: TraceID, ratio: Double, salt: String) -> Bool {
        // Compared as numbers below 2^53, which a double holds exactly.
        Double(hash(trace, salt: salt) >> 11) < ratio * 9_007_199_254_740_992
    }

    /// Unlike ``TraceID/mixed``, which chooses partitions: those must not hold traces of one fate only.
    private static func hash(_ trace: TraceID, salt: String) -> UInt64 {
        // FNV-1a.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in salt.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        hash = mixed(hash)
        hash = mixed(hash ^ trace.high)
        return mixed(hash ^ trace.low)
    }

    /// The finaliser of SplitMix64: every bit of the result depends on every bit of the word.
    private static func mixed(_ word: UInt64) -> UInt64 {
        var word = word &+ 0x9E37_79B9_7F4A_7C15
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

extension Collection<Sampling> {
    /// Whether a trace is kept by any of the samplers; where there are none, nothing is left out.
    public func isKept(_ context: SamplingContext) -> Bool {
        isEmpty || contains { $0.isKept(context) }
    }
}
