/// The value of a drafted attribute.
enum DraftValue: Sendable {
    case text(String)
    case integer(Int)
    case number(Double)
    case texts([String])
}

/// A span ready to be written, in whatever encoding.
struct SpanDraft: Sendable {
    var name = ""
    var scope = ""
    /// OTLP's kind: 1 internal, 3 client.
    var kind = 1
    var id: UInt64 = 0
    /// 0: none.
    var parent: UInt64 = 0
    var startNano: UInt64 = 0
    var endNano: UInt64 = 0
    var attributes: [(key: String, value: DraftValue)] = []
    /// The exception that ended it.
    var exception: String?
    var hasFailed = false
}

/// A trace ready to be written: its spans in the order in which they end.
struct TraceDraft: Sendable {
    var high: UInt64
    var low: UInt64
    var spans: [SpanDraft] = []
}

/// What a process says of itself with every request.
struct ResourceDraft: Sendable, Hashable {
    let service: Int
    let isProduction: Bool

    var attributes: [(key: String, value: DraftValue)] {
        [
            ("service.name", .text("svc_\(service)")),
            ("service.version", .text("1.4.2")),
            ("deployment.environment.name", .text(isProduction ? "production" : "staging")),
            ("telemetry.sdk.name", .text("opentelemetry")),
            ("telemetry.sdk.language", .text("python")),
            ("telemetry.sdk.version", .text("1.38.0")),
            ("host.name", .text("host-\(service)")),
        ]
    }
}
