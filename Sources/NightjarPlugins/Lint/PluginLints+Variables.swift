/// Globals that are set.
func globalAssignments(in scopes: LuaScopes) -> [Finding] {
    // A source with an environment of its own making knows what its globals are.
    guard !scopes.replacesEnvironment else { return [] }
    var findings: [Finding] = []
    for (place, function) in scopes.chunk.functions.enumerated() {
        for (instruction, line) in zip(function.code, function.lines)
        where instruction.operation == .setTableUp {
            guard scopes.reference(instruction.a, of: place) == .environment,
                let name = scopes.text(instruction.b, of: place)
            else { continue }
            findings.append(
                Finding(
                    line: line,
                    code: .globalAssignment,
                    message: "global variable '\(name)' is set; declare it with local"
                )
            )
        }
    }
    return findings
}

/// Variables of the source that functions change while events come in.
func sharedUpvalues(in scopes: LuaScopes) -> [Finding] {
    var findings: [Finding] = []
    for place in functionsInUse(scopes).sorted() {
        let function = scopes.chunk.functions[place]
        for (instruction, line) in zip(function.code, function.lines)
        where instruction.operation == .setUpvalue {
            guard case .variable(let variable)? = scopes.reference(instruction.b, of: place),
                variable.function == LuaScopes.main
            else { continue }
            let name = scopes.name(of: variable)
            findings.append(
                Finding(
                    line: line,
                    code: .sharedUpvalue,
                    message: "'\(name)' is changed here, and each worker has its own copy; "
                        + "use scope = \"global\" or nightjar.state for what all traces share"
                )
            )
        }
    }
    return findings
}

/// The functions that may run once the source is loaded: those that are handed to someone, and those that
/// these use. What is left is only called by the source itself, where every worker does the same.
private func functionsInUse(_ scopes: LuaScopes) -> Set<Int> {
    var waiting = scopes.chunk.functions.indices.filter { $0 != LuaScopes.main && scopes.isHandedOn($0) }
    var inUse: Set<Int> = []
    while let function = waiting.popLast() {
        let family = scopes.family(of: function).filter { inUse.insert($0).inserted }
        for (other, holder) in scopes.holders
        where !(scopes.captors[holder] ?? []).isDisjoint(with: family) {
            waiting.append(other)
        }
    }
    return inUse
}

/// Fields that rules read of their event and that it does not have.
func unknownFields(in scopes: LuaScopes, rules: [LintFacts.Rule]) -> [Finding] {
    var findings: [Finding] = []
    for (line, rules) in Dictionary(grouping: rules, by: \.lineDefined) {
        // A function may serve several events; a field of one of them may be meant for it.
        let fields = Set(rules.flatMap(\.fields))
        guard !fields.isEmpty, let event = subject(scopes, line) else { continue }
        let noun = noun(of: Set(rules.map(\.event)))
        for (name, line) in reads(of: event, in: scopes) where !fields.contains(name) {
            let nearest = suggestion(for: name, among: fields.sorted())
            findings.append(
                Finding(line: line, code: .unknownField, message: "\(noun) has no field '\(name)'\(nearest)")
            )
        }
    }
    return findings
}

/// The first parameter of the one function that begins in a line; nil where it may be anything but the rule's
/// event.
private func subject(_ scopes: LuaScopes, _ line: Int) -> LuaScopes.Variable? {
    let places = scopes.chunk.functions.indices.filter {
        $0 != LuaScopes.main && scopes.chunk.functions[$0].lineDefined == line
    }
    guard places.count == 1, let place = places.first else { return nil }
    let function = scopes.chunk.functions[place]
    guard function.parameterCount > 0, let first = function.locals.first, first.start == 0 else { return nil }
    let event = LuaScopes.Variable(function: place, local: 0)
    guard !scopes.assigned.contains(event) else { return nil }
    // The script may call a function with a name itself, with whatever it likes.
    if let holder = scopes.holders[place],
        scopes.use(of: holder).isCalled || scopes.captors[holder]?.isEmpty == false
    {
        return nil
    }
    return event
}

private func noun(of events: Set<String>) -> String {
    if events.allSatisfy({ $0.hasPrefix("span") }) { return "a span" }
    if events == ["trace_ended"] { return "a trace" }
    return events.count == 1 ? "the event '\(events.first ?? "")'" : "the event"
}

/// The names of the fields that are read of a variable, in its function and those inside it, with their
/// lines.
private func reads(of variable: LuaScopes.Variable, in scopes: LuaScopes) -> [(name: String, line: Int)] {
    var reads: [(name: String, line: Int)] = []
    for place in scopes.family(of: variable.function) {
        let function = scopes.chunk.functions[place]
        for (at, instruction) in function.code.enumerated() {
            let isRead =
                switch instruction.operation {
                case .getField, .method: scopes.object(of: at, in: place) == variable
                case .getTableUp: scopes.reference(instruction.b, of: place) == .variable(variable)
                default: false
                }
            if isRead, instruction.operation != .method || instruction.isConstant,
                let name = scopes.text(instruction.c, of: place)
            {
                reads.append((name, function.lines[at]))
            }
        }
    }
    return reads
}

extension LuaScopes {
    /// The variable whose field or method an instruction looks up.
    func object(of instruction: Int, in function: Int) -> Variable? {
        let code = chunk.functions[function].code
        let register = code[instruction].b
        if let variable = variable(in: function, register: register, at: instruction) { return variable }
        // Variables of functions around are fetched right before.
        guard instruction > 0, code[instruction - 1].operation == .getUpvalue,
            code[instruction - 1].a == register,
            case .variable(let variable)? = reference(code[instruction - 1].b, of: function)
        else { return nil }
        return variable
    }
}
