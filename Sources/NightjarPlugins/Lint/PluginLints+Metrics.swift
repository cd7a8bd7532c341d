/// A metric that the source declares as a variable.
private struct DeclaredMetric {
    let name: String
    let variable: LuaScopes.Variable
    /// Where the name is loaded, and where the declaring function is called.
    let nameAt: Int
    let callAt: Int
}

/// Metrics that nobody uses, and labels that allow-lists drop.
func metricFindings(in scopes: LuaScopes, allowed: [String: Set<String>?]) -> [Finding] {
    let metrics = scopes.chunk.functions[LuaScopes.main].locals.indices.compactMap {
        declaredMetric(LuaScopes.Variable(function: LuaScopes.main, local: $0), in: scopes)
    }
    return metrics.compactMap { unused($0, in: scopes) } + labels(of: metrics, in: scopes, allowed: allowed)
}

/// Reads `local m = nightjar.counter("name", …)`: the table, its field, the name, options, the call.
private func declaredMetric(_ variable: LuaScopes.Variable, in scopes: LuaScopes) -> DeclaredMetric? {
    let code = scopes.chunk.functions[variable.function].code
    let register = scopes.register(of: variable)
    guard let callAt = scopes.initializer(of: variable), code[callAt].operation == .call,
        code[callAt].a == register, code[callAt].b != 1,
        let fieldAt = code.prefix(callAt).lastIndex(where: { $0.writes(register) }), fieldAt > 0,
        code[fieldAt].operation == .getField, code[fieldAt].b == register,
        let kind = scopes.text(code[fieldAt].c, of: variable.function),
        ["counter", "gauge", "histogram"].contains(kind)
    else { return nil }
    let table = code[fieldAt - 1]
    let nameAt = fieldAt + 1
    guard table.operation == .getTableUp, table.a == register,
        scopes.reference(table.b, of: variable.function) == .environment,
        scopes.text(table.c, of: variable.function) == "nightjar",
        code[nameAt].operation == .loadK, code[nameAt].a == register + 1,
        // Nothing makes another name of it.
        code.prefix(callAt).lastIndex(where: { $0.writes(register + 1) }) == nameAt,
        let name = scopes.text(code[nameAt].wide, of: variable.function)
    else { return nil }
    return DeclaredMetric(name: name, variable: variable, nameAt: nameAt, callAt: callAt)
}

private func unused(_ metric: DeclaredMetric, in scopes: LuaScopes) -> Finding? {
    let use = scopes.use(of: metric.variable)
    guard !use.isCalled, !use.isPassedOn, scopes.captors[metric.variable]?.isEmpty != false,
        !scopes.name(of: metric.variable).hasPrefix("_"), !isMentioned(metric, in: scopes)
    else { return nil }
    return Finding(
        line: scopes.chunk.functions[LuaScopes.main].lines[metric.callAt],
        code: .unusedMetric,
        message: "metric '\(metric.name)' is declared and never used"
    )
}

/// Whether a metric's name stands anywhere else: in a call, a metric can be had by its name alone.
private func isMentioned(_ metric: DeclaredMetric, in scopes: LuaScopes) -> Bool {
    let functions = scopes.chunk.functions
    if functions.dropFirst().contains(where: { $0.constants.contains(.string(metric.name)) }) { return true }
    let main = functions[LuaScopes.main]
    return main.code.indices.contains { at in
        at != metric.nameAt && main.code[at].operation == .loadK
            && main.code[at].wide == main.code[metric.nameAt].wide
    }
}

// MARK: Labels

/// Looks for `m:add(value, { label = … })` and its like.
private func labels(
    of metrics: [DeclaredMetric],
    in scopes: LuaScopes,
    allowed: [String: Set<String>?]
) -> [Finding] {
    let named = Dictionary(metrics.map { ($0.variable, $0.name) }, uniquingKeysWith: { first, _ in first })
    var findings: [Finding] = []
    for (place, function) in scopes.chunk.functions.enumerated() {
        for (at, instruction) in function.code.enumerated()
        where instruction.operation == .method && instruction.isConstant {
            guard let method = scopes.text(instruction.c, of: place),
                ["add", "set", "record"].contains(method),
                let variable = scopes.object(of: at, in: place), !scopes.assigned.contains(variable),
                let name = named[variable], let list = allowed[name] ?? nil
            else { continue }
            for (label, line) in constantLabels(ofCallPreparedAt: at, in: place, scopes)
            where !list.contains(label) {
                let nearest = suggestion(for: label, among: list.sorted())
                findings.append(
                    Finding(
                        line: line,
                        code: .labelNotAllowed,
                        message: "label '\(label)' is not on the allow-list of metric '\(name)'\(nearest)"
                    )
                )
            }
        }
    }
    return findings
}

/// The labels that are spelt out in the table that a method gets as its second argument, with their lines.
private func constantLabels(
    ofCallPreparedAt at: Int,
    in place: Int,
    _ scopes: LuaScopes
) -> [(label: String, line: Int)] {
    let function = scopes.chunk.functions[place]
    // The method, its object and the value come first.
    let register = function.code[at].a + 3
    guard let call = scopes.call(of: function.code[at].a, in: place, after: at),
        function.code[call].b == 0 || function.code[call].b > 3,
        let tableAt = function.code.prefix(call).lastIndex(where: { $0.writes(register) }), tableAt > at,
        function.code[tableAt].operation == .newTable
    else { return [] }
    return (tableAt..<call).compactMap { at in
        let instruction = function.code[at]
        guard instruction.operation == .setField, instruction.a == register,
            let label = scopes.text(instruction.b, of: place)
        else { return nil }
        // A label that is nil is none.
        if instruction.isConstant, function.constants.indices.contains(instruction.c),
            function.constants[instruction.c] == .null
        {
            return nil
        }
        return (label, function.lines[at])
    }
}
