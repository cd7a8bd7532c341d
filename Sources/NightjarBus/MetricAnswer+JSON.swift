package import NightjarSignals

extension MetricAnswer {
    /// As the API gives it.
    package var json: Value {
        let (query, instrument) = (plan.query, plan.instrument)
        var object: Value.Object = [
            "name": .string(instrument.shownName), "origin": .string(instrument.origin.rawValue),
            "metricType": .string(instrument.type.rawValue), "agg": .string(query.aggregation.rawValue),
            "groupBy": .array(query.groupBy.map(Value.string)),
            "from": .string(plan.from.description), "to": .string(plan.to.description),
            "stepSeconds": .int(Int64(plan.stepSeconds)),
            "resolutionSeconds": .int(Int64(plan.resolution.seconds)),
            "completeUntil": .string(completeUntil.description),
        ]
        if !instrument.unit.isEmpty { object["unit"] = .string(instrument.unit) }
        object["total"] = Self.number(total)
        if query.compares {
            object["previous"] = Self.comparison(
                total,
                before,
                ["from": .string(plan.beforeFrom.description), "to": .string(plan.from.description)]
            )
        }
        let times = (0..<plan.bucketCount).map { Value.string(plan.start(ofBucket: $0).description) }
        object["series"] = .array(groups.map { json($0, times) })
        object["seriesCount"] = .int(Int64(groupCount))
        object["truncated"] = .bool(groupCount > groups.count)
        return .object(object)
    }

    private func json(_ group: Group, _ times: [Value]) -> Value {
        var labels: Value.Object = [:]
        for label in group.labels { labels[label.name] = .string(label.value) }
        var object: Value.Object = ["labels": .object(labels), "total": Self.number(group.total)]
        if plan.query.compares { object["previous"] = Self.comparison(group.total, group.before) }
        object["points"] = .array(
            zip(times, group.points).map { ["time": $0, "value": Self.number($1)] }
        )
        return .object(object)
    }

    /// The value before and by what part of it the value has changed; null where that cannot be said.
    private static func comparison(
        _ value: Double?,
        _ before: Double?,
        _ period: Value.Object = [:]
    ) -> Value {
        var object = period
        object["value"] = number(before)
        var change: Double?
        if let value, let before, before != 0 { change = (value - before) / abs(before) }
        object["change"] = number(change)
        return .object(object)
    }

    private static func number(_ value: Double?) -> Value {
        value.map { $0.isFinite ? .double($0) : .null } ?? .null
    }
}
