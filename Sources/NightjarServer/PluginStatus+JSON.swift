import NightjarPlugins
import NightjarSignals

extension PluginStatus {
    /// One plugin in `GET /api/plugins`.
    var json: Value {
        var object: Value.Object = [
            "name": .string(name), "state": .string(condition.rawValue),
            "generation": .int(Int64(generation)), "pinned": .bool(isPinned),
        ]
        object["displayName"] = displayName.map { .string($0) }
        object["description"] = description.map { .string($0) }
        object["version"] = version.map { .string($0) }
        object["hash"] = hash.map { .string($0) }
        object["since"] = since.map { .string($0.description) }
        object["matches"] = .int(rules.reduce(0) { $0 + Int64($1.matches) })
        object["calls"] = .int(rules.reduce(0) { $0 + Int64($1.calls) })
        object["callSeconds"] = .double(rules.reduce(0) { $0 + $1.callSeconds })
        object["share"] = .double(rules.reduce(0) { $0 + ($1.share ?? 0) })
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
            "name": .string(name), "label": .string(label), "event": .string(event), "place": .string(place),
            "matches": .int(Int64(matches)), "calls": .int(Int64(calls)),
            "errors": .int(Int64(errors)), "circuitOpen": .bool(isCircuitOpen),
        ]
        object["match"] = match.flatMap { try? Value(json: $0) }  // left out where it is no JSON
        object["meanMicroseconds"] = meanMicroseconds.map { .double($0) }
        object["p99Microseconds"] = p99Microseconds.map { .double($0) }
        object["share"] = share.map { .double($0) }
        object["callSeconds"] = .double(callSeconds)
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

extension PluginSource {
    /// What runs, in `GET /api/plugins/{name}/source`.
    var json: Value {
        var texts: Value.Object = [:]
        for (module, text) in modules.sorted(by: { $0.key < $1.key }) {
            texts[module] = .string(String(decoding: text, as: UTF8.self))
        }
        return [
            "name": .string(name), "file": .string(file), "hash": .string(hash),
            "text": .string(String(decoding: text, as: UTF8.self)), "modules": .object(texts),
        ]
    }
}

extension RuleExplanation {
    /// One rule in `GET /api/traces/{id}/rules`.
    var json: Value {
        var object: Value.Object = [
            "plugin": .string(plugin), "rule": .string(rule), "event": .string(event),
            "place": .string(place),
            "generation": .int(Int64(generation)), "outcome": .string(outcome.rawValue),
        ]
        object["match"] = match.flatMap { try? Value(json: $0) }  // left out where it is no JSON
        object["key"] = key.map { .string($0) }
        object["spanId"] = span.map { .string($0.description) }
        if let calls {
            object["ranGeneration"] = .int(Int64(calls.generation))
            object["calls"] = .int(Int64(calls.calls))
            object["errors"] = .int(Int64(calls.errors))
            object["emitted"] = .int(Int64(calls.emitted))
            object["meanMicroseconds"] = calls.meanMicroseconds.map { .double($0) }
        }
        object["reason"] = .string(reason)
        return .object(object)
    }

    /// Why, in a sentence.
    private var reason: String {
        switch outcome {
        case .ran, .failed: "it was called" + (ofEarlier ?? "")
        case .circuitOpen: "it was left out, because it had failed or cost too much" + (ofEarlier ?? "")
        case .noMatch: noMatch
        case .sampledOut: "it takes a share of all traces, and this one is not among them"
        case .waiting: "what it is called for has not happened yet, or is not settled"
        case .noEvent: "it is called for events that are not kept with a trace, and no call is remembered"
        case .wouldRun:
            "everything matches, but no call is remembered: it is too long ago, or the rule is newer"
        case .notStored: "no call is remembered, and the trace is not stored"
        }
    }

    private var noMatch: String {
        switch (key, span) {
        case ("duplicate_of"?, let span?): "span \(span) repeats a request that another span counts"
        case (let key?, let span?): "\(key) does not hold, of span \(span) that comes nearest"
        case (let key?, nil): "\(key) does not hold"
        case (nil, _): "nothing of the trace matches"
        }
    }

    private var ofEarlier: String? {
        guard let calls, calls.generation != generation else { return nil }
        return ", in generation \(calls.generation) of the plugin"
    }
}
