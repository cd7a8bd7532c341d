import HTTPTypes
import Hummingbird
import NightjarSignals

/// Which live events a reader wants. An event passes where it is of a wanted kind and says itself, of every field that is asked
/// for, one of the values asked for.
struct LiveFilter: Sendable {
    /// Metrics are many: they come only where they are asked for.
    private static let usualNames = Set(LiveEvent.names).subtracting(["metric"])
    /// What several kinds are called together.
    private static let groups: [String: [String]] = [
        "span": ["span_started", "span_updated", "span_ended"],
        "tracing": ["span_started", "span_updated", "span_ended"],
    ]

    private(set) var names = Self.usualNames
    private var fields: [(field: LiveField, values: Set<String>)] = []
    private var level: LogLevel?

    /// Whether it wants observations of metrics.
    var wantsMetrics: Bool { names.contains("metric") }

    /// Everything that comes unasked.
    init() {}

    /// Reads the parameters of `GET /api/live`. A field that comes again may have either value.
    /// - Throws: ``Problem`` 400 that names what is not known or not valid.
    init(_ parameters: some Sequence<(key: Substring, value: Substring)>) throws {
        var chosen: Set<String> = []
        for (key, value) in parameters {
            switch key {
            case "types", "signals": chosen.formUnion(try Self.names(in: value, of: key))
            case "level":
                guard let level = LogLevel(name: value) else {
                    throw Problem(.badRequest, "level must be debug, info, warn, error or fatal")
                }
                self.level = level
            default: try add(String(key), String(value))
            }
        }
        if !chosen.isEmpty { names = chosen }
    }

    private static func names(in list: Substring, of key: Substring) throws -> [String] {
        try list.split(separator: ",").flatMap { part in
            let name = String(part)
            if let group = groups[name] { return group }
            guard LiveEvent.names.contains(name) else {
                throw Problem(
                    .badRequest,
                    "\(name) is no kind of event; \(key) takes span, \(LiveEvent.names.joined(separator: ", "))"
                )
            }
            return [name]
        }
    }

    private mutating func add(_ key: String, _ value: String) throws {
        guard let field = LiveField(rawValue: key) else {
            throw Problem(.badRequest, "\(key) is no filter of live events")
        }
        var value = value
        switch field {
        case .trace: value = try TraceID(parameter: value).description
        case .status where SpanStatus(name: value) == nil:
            throw Problem(.badRequest, "status must be running, ok or error")
        default: break
        }
        if let place = fields.firstIndex(where: { $0.field == field }) {
            fields[place].values.insert(value)
        } else {
            fields.append((field, [value]))
        }
    }

    /// Whether an event passes.
    func passes(_ event: LiveEvent) -> Bool {
        guard names.contains(event.name) else { return false }
        if let level {
            // Only log lines have a level: who asks for one wants no others.
            guard case .signal(.log(let log)) = event, log.level >= level else { return false }
        }
        return fields.allSatisfy { field, wanted in
            event.values(of: field).contains { value in value.map(wanted.contains) ?? false }
        }
    }
}
