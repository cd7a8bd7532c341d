import NightjarPlugins
import NightjarSignals

extension PluginStatus {
    /// One plugin in `GET /api/plugins`.
    var json: Value {
        var object: Value.Object = [
            "name": .string(name), "state": .string(condition.rawValue),
            "generation": .int(Int64(generation)),
        ]
        object["displayName"] = displayName.map { .string($0) }
        object["description"] = description.map { .string($0) }
        object["version"] = version.map { .string($0) }
        object["hash"] = hash.map { .string($0) }
        object["since"] = since.map { .string($0.description) }
        object["memoryBytes"] = .int(Int64(memoryBytes))
        object["metrics"] = .array(metrics.map { .string($0) })
        object["rules"] = .array(rules.map(\.json))
        object["errors"] = .array(failures.map(\.json))
        object["loadError"] = loadFault.map { .string($0.detail) }
        object["lastLoad"] = lastLoad.map { .string($0.description) }
        return .object(object)
    }
}

extension PluginStatus.Rule {
    fileprivate var json: Value {
        var object: Value.Object = [
            "name": .string(name), "event": .string(event), "place": .string(place),
            "calls": .int(Int64(calls)),
            "errors": .int(Int64(errors)), "circuitOpen": .bool(isCircuitOpen),
        ]
        object["match"] = match.flatMap { try? Value(json: $0) }  // left out where it is no JSON
        object["meanMicroseconds"] = meanMicroseconds.map { .double($0) }
        return .object(object)
    }
}

extension PluginStatus.Failure {
    fileprivate var json: Value {
        var object: Value.Object = [
            "rule": .string(rule), "message": .string(message), "traceback": .string(traceback),
            "isLimit": .bool(isLimit), "count": .int(Int64(count)), "lastSeen": .string(lastSeen.description),
        ]
        object["traceId"] = traceID.map { .string($0.description) }
        return .object(object)
    }
}
