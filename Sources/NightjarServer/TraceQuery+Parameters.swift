import HTTPTypes
import Hummingbird
import NightjarBus
import NightjarSignals
import NightjarStore

extension TraceQuery {
    /// Reads the filters of `GET /api/traces`; a parameter that is not known or not valid is refused by name.
    init(_ parameters: some Sequence<(key: Substring, value: Substring)>) throws {
        self.init()
        for (key, value) in parameters { try set(String(key), String(value)) }
    }

    private mutating func set(_ key: String, _ value: String) throws {
        switch key {
        case "from": from = try Timestamp(parameter: key, value)
        case "to": to = try Timestamp(parameter: key, value)
        case "status": status = try Self.status(value)
        case "name": name = value
        case "type": type = value
        case "service": service = value
        case "environment": environment = value
        case "agent": agent = value
        case "workflow": workflow = value
        case "user": user = value
        case "session": session = value
        case "minDuration": minimumDuration = try Self.milliseconds(key, value)
        case "maxDuration": maximumDuration = try Self.milliseconds(key, value)
        case "sort": order = try Self.order(value)
        case "limit":
            guard let number = Int(value), (1...Self.largestLimit).contains(number) else {
                throw Problem(.badRequest, "limit must be a number from 1 to \(Self.largestLimit)")
            }
            limit = number
        case "cursor":
            guard let cursor = TraceCursor(value) else {
                throw Problem(.badRequest, "cursor is not one that a list gave; leave it out to start anew")
            }
            self.cursor = cursor
        default:
            throw Problem(.badRequest, "\(key) is no filter of this list")
        }
    }

    private static func status(_ value: String) throws -> SpanStatus {
        switch value {
        case "running": .running
        case "ok": .ok
        case "error": .error
        default: throw Problem(.badRequest, "status must be running, ok or error")
        }
    }

    private static func order(_ value: String) throws -> TraceOrder {
        switch value {
        case "start": .start
        case "received": .lastReceived
        default: throw Problem(.badRequest, "sort must be start or received")
        }
    }

    private static func milliseconds(_ key: String, _ value: String) throws -> Duration {
        guard let number = Double(value), number >= 0, number.isFinite else {
            throw Problem(.badRequest, "\(key) must be a number of milliseconds")
        }
        return .nanoseconds(Int64(min(number * 1_000_000, 9e18)))
    }
}

extension TraceRecord {
    /// One line of a list.
    var json: Value {
        var object: Value.Object = [
            "traceId": .string(id.description), "name": .string(name), "type": .string(type),
            "status": .string(status.name), "hasErrors": .bool(hasErrors),
            "spanCount": .int(Int64(spanCount)),
            "isPartial": .bool(isPartial),
        ]
        object["startTime"] = start.map { .string($0.description) }
        object["endTime"] = end.map { .string($0.description) }
        if let start, let end {
            object["durationMs"] = .double(max(0, Double(end.unixNano - start.unixNano) / 1_000_000))
        }
        for (key, value) in [
            ("service", service), ("environment", environment), ("agent", agent), ("workflow", workflow),
            ("userId", user), ("sessionId", session),
        ] {
            object[key] = value.map { .string($0) }
        }
        var usage: Value.Object = [:]
        usage["inputTokens"] = inputTokens.map { .double($0) }
        usage["outputTokens"] = outputTokens.map { .double($0) }
        usage["cost"] = cost.map { .double($0) }
        if !usage.isEmpty { object["usage"] = .object(usage) }
        object["receivedAt"] = .string(firstReceived.description)
        object["lastReceivedAt"] = .string(lastReceived.description)
        object["isOpen"] = .bool(isOpen)
        return .object(object)
    }
}

extension Timestamp {
    /// The instant that a parameter names.
    /// - Throws: ``Problem`` 400 where it names none.
    init(parameter key: String, _ value: String) throws {
        let number = Double(value).flatMap { Timestamp(unixMilliseconds: $0) }
        guard let instant = Timestamp(iso8601: value) ?? number else {
            throw Problem(.badRequest, "\(key) must be ISO 8601 or milliseconds since 1970")
        }
        self = instant
    }
}
