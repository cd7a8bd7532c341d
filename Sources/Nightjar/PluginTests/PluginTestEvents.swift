import NightjarPlugins
import NightjarSignals

/// Makes events of the tables that tests write: fields by their names in Lua, the rest filled in.
struct PluginTestEvents {
    /// The trace of everything that names none.
    private let trace = "0000000000000000000000000000aaaa"
    private var lastID = 0
    private var lastTrace = 0

    /// A trace id that no event had so far.
    mutating func freshTrace() -> String {
        lastTrace += 1
        return "000000000000000000000000000b" + hex(lastTrace, 4)
    }

    /// An event of a kind, at a moment.
    /// - Throws: ``DeclarationFault`` that names the field.
    mutating func event(
        _ kind: String,
        _ fields: Value,
        at now: Timestamp,
        trace: String? = nil
    ) throws(DeclarationFault) -> SignalEvent {
        guard let table = fields.object ?? (fields.array?.isEmpty == true ? [:] : nil) else {
            throw DeclarationFault("an event is a table of fields")
        }
        guard let key = Self.bodies[kind] else {
            throw DeclarationFault(
                "unknown event '\(kind)'; known are \(Self.bodies.keys.sorted().joined(separator: ", "))"
            )
        }
        var body = Value.Object()
        for (name, value) in table.entries { body[camel(name)] = value }
        if key == "exportedSpan" {
            try completeSpan(&body, kind, now, trace)
        } else {
            complete(&body, kind, now)
        }
        do throws(InputErrors) {
            return try SignalEvent(json: .object(["type": .string(kind), key: .object(body)]), now: now)
        } catch {
            throw DeclarationFault("\(error)")
        }
    }

    private static let bodies = [
        "span_started": "exportedSpan", "span_updated": "exportedSpan", "span_ended": "exportedSpan",
        "log": "log", "metric": "metric", "score": "score", "feedback": "feedback", "drop": "drop",
    ]

    private mutating func completeSpan(
        _ body: inout Value.Object,
        _ kind: String,
        _ now: Timestamp,
        _ trace: String?
    ) throws(DeclarationFault) {
        let known = PluginVocabulary.spanFields + ["error_info", "entity_id"]
        for (name, _) in body.entries where !known.contains(where: { camel($0) == name }) {
            throw DeclarationFault(
                "a span has no field '\(name)'\(PluginVocabulary.suggestion(for: name, among: known))"
            )
        }
        lastID += 1
        let milliseconds = body["durationMs"]?.number ?? 100
        body["durationMs"] = nil
        let length = Int64(milliseconds * 1_000_000)
        let start =
            time(body["startTime"]) ?? Timestamp(unixNano: (time(body["endTime"]) ?? now).unixNano - length)
        body["startTime"] = .string(start.description)
        if kind == "span_ended" {
            let end = time(body["endTime"]) ?? Timestamp(unixNano: start.unixNano + length)
            body["endTime"] = .string(end.description)
        }
        body["id"] = body["id"] ?? .string("000000000000" + hex(lastID, 4))
        body["traceId"] = body["traceId"] ?? .string(trace ?? self.trace)
        let type = body["type"]?.string ?? "generic"
        if body["name"] == nil {
            let names = ["tool", "model", "agent", "workflow"]
            body["name"] = .string(names.compactMap { body[$0]?.string }.first ?? type)
        }
        if let error = body["error"] {
            body["error"] = nil
            body["errorInfo"] = error.object == nil ? ["message": error] : error
        } else if body["status"] == "error" {
            body["errorInfo"] = ["message": "failed"]
        }
        if let usage = body["usage"]?.object {
            body["usage"] = .object(usage.entries.reduce(into: [:]) { $0[camel($1.key)] = $1.value })
        }
        setEntity(&body, type)
    }

    private func setEntity(_ body: inout Value.Object, _ type: String) {
        let entities = [
            "agent_run": ("agent", "agent"), "tool_call": ("tool", "tool"), "mcp_tool_call": ("tool", "tool"),
            "workflow_run": ("workflow_run", "workflow"),
        ]
        guard let (entity, field) = entities[type], let name = body[field] else { return }
        body["entityType"] = body["entityType"] ?? .string(entity)
        body["entityName"] = body["entityName"] ?? name
    }

    private mutating func complete(_ body: inout Value.Object, _ kind: String, _ now: Timestamp) {
        lastID += 1
        body["timestamp"] = .string((time(body["timestamp"]) ?? now).description)
        var correlation = Value.Object()
        for (name, value) in body.entries where Self.correlated.contains(name) {
            correlation[name] = value
            if !(kind == "feedback" && ["source", "experiment", "sessionId"].contains(name))
                && name != "experiment"
                && name != "sessionId"
            {
                body[name] = nil
            }
        }
        if !correlation.isEmpty { body["correlation"] = .object(correlation) }
        switch kind {
        case "log": body["level"] = body["level"] ?? "info"
        case "metric":
            body["metricType"] = body["metricType"] ?? "counter"
            body["value"] = body["value"] ?? 1
        case "score", "feedback":
            body["id"] = body["id"] ?? .string("test-\(lastID)")
            if body["sessionId"] == nil, body["traceId"] == nil { body["traceId"] = .string(trace) }
            if kind == "feedback" { body["source"] = body["source"] ?? "user" }
        case "drop":
            body["signal"] = body["signal"] ?? "log"
            body["reason"] = body["reason"] ?? "queue_full"
            body["count"] = body["count"] ?? 1
        default: break
        }
    }

    private static let correlated: Set<String> = [
        "entityType", "entityId", "entityName", "parentEntityType", "parentEntityName", "rootEntityType",
        "rootEntityName", "organizationId", "resourceId", "runId", "sessionId", "threadId", "requestId",
        "experiment", "environment", "source", "serviceName",
    ]

    /// An instant that a script gave, in seconds since 1970.
    private func time(_ value: Value?) -> Timestamp? {
        value?.number.map { seconds in
            let whole = seconds.rounded(.down)
            let rest = ((seconds - whole) * 1_000_000_000).rounded()
            return Timestamp(unixNano: Int64(whole) * 1_000_000_000 + Int64(rest))
        }
    }

    private func camel(_ name: String) -> String {
        let parts = name.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count > 1 else { return name }
        return String(parts[0])
            + parts.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    private func hex(_ number: Int, _ digits: Int) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
