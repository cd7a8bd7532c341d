/// Which variable a register or an upvalue of a source means, and what becomes of each variable.
struct LuaScopes {
    /// A local variable: the place of its function in the chunk, and its place among that function's locals.
    struct Variable: Hashable {
        let function: Int
        let local: Int
    }

    /// What an upvalue means.
    enum Reference: Equatable {
        /// The table of globals.
        case environment
        case variable(Variable)
    }

    /// What a function does with a variable of its own.
    struct Use {
        /// Calls it.
        var isCalled = false
        /// Does anything else with it.
        var isPassedOn = false
    }

    /// The place of the source itself among the functions.
    static let main = 0

    let chunk: LuaChunk
    /// The variables that are set again after their declaration.
    private(set) var assigned: Set<Variable> = []
    /// The functions that use a variable of a function around them.
    private(set) var captors: [Variable: Set<Int>] = [:]
    /// The variables that were declared with a function as value, by that function.
    private(set) var holders: [Int: Variable] = [:]
    /// Whether `_ENV` is set: globals are something else then.
    private(set) var replacesEnvironment = false
    /// Where the function around makes each function.
    private var creations: [Int: Int] = [:]

    init(_ chunk: LuaChunk) {
        self.chunk = chunk
        for (place, function) in chunk.functions.enumerated() {
            for (at, instruction) in function.code.enumerated() where instruction.operation == .closure {
                guard function.functions.indices.contains(instruction.wide) else { continue }
                creations[function.functions[instruction.wide]] = at
            }
            for local in function.locals.indices { findHolder(Variable(function: place, local: local)) }
        }
        for place in chunk.functions.indices { findUses(in: place) }
    }

    // MARK: Names

    /// The text of a constant.
    func text(_ constant: Int, of function: Int) -> String? {
        let constants = chunk.functions[function].constants
        guard constants.indices.contains(constant), case .string(let text) = constants[constant] else {
            return nil
        }
        return text
    }

    func name(of variable: Variable) -> String { local(variable).name }

    /// What an upvalue means; nil for what the compiler does not make.
    func reference(_ upvalue: Int, of function: Int) -> Reference? {
        var place = function
        var index = upvalue
        while chunk.functions[place].upvalues.indices.contains(index) {
            let known = chunk.functions[place].upvalues[index]
            guard let parent = chunk.functions[place].parent else { return .environment }
            if known.isInStack {
                guard let creation = creations[place] else { return nil }
                // A local function that calls itself is declared right after it was made.
                let found =
                    variable(in: parent, register: known.index, at: creation)
                    ?? variable(in: parent, register: known.index, at: creation + 1)
                return found.map { .variable($0) }
            }
            index = known.index
            place = parent
        }
        return nil
    }

    /// The variable that a register holds when an instruction runs; nil for an intermediate value.
    func variable(in function: Int, register: Int, at instruction: Int) -> Variable? {
        var free = register
        for (index, local) in chunk.functions[function].locals.enumerated()
        where local.start <= instruction && instruction < local.end {
            if free == 0 { return Variable(function: function, local: index) }
            free -= 1
        }
        return nil
    }

    func register(of variable: Variable) -> Int {
        let locals = chunk.functions[variable.function].locals
        return locals.prefix(variable.local).count { $0.end > locals[variable.local].start }
    }

    // MARK: Values

    /// The instruction that gave a variable its first value; nil for a parameter.
    func initializer(of variable: Variable) -> Int? {
        let register = register(of: variable)
        let before = chunk.functions[variable.function].code.prefix(local(variable).start)
        return before.lastIndex { $0.writes(register) }
    }

    /// What the function of a variable itself does with it.
    func use(of variable: Variable) -> Use {
        var use = Use()
        let function = chunk.functions[variable.function]
        let register = register(of: variable)
        for at in lifetime(of: variable) where function.code[at].reads(register) {
            let instruction = function.code[at]
            if instruction.operation == .move, isCalled(instruction.a, in: variable.function, after: at) {
                use.isCalled = true
            } else {
                use.isPassedOn = true
            }
        }
        return use
    }

    /// Whether the intermediate value that an instruction put into a register is called.
    func isCalled(_ register: Int, in function: Int, after instruction: Int) -> Bool {
        call(of: register, in: function, after: instruction) != nil
    }

    /// The call of the function that an instruction put into a register; nil where it goes elsewhere first.
    func call(of register: Int, in function: Int, after instruction: Int) -> Int? {
        let code = chunk.functions[function].code
        let next = code.indices.dropFirst(instruction + 1).first {
            code[$0].reads(register) || code[$0].writes(register)
        }
        guard let next, code[next].operation == .call || code[next].operation == .tailCall,
            code[next].a == register
        else { return nil }
        return next
    }

    /// Whether a function gets out of the hands of the function around it, which else only calls it.
    func isHandedOn(_ function: Int) -> Bool {
        guard let parent = chunk.functions[function].parent, let creation = creations[function] else {
            return true
        }
        guard let holder = holders[function] else {
            return !isCalled(chunk.functions[parent].code[creation].a, in: parent, after: creation)
        }
        return use(of: holder).isPassedOn
    }

    /// A function and all that are inside it.
    func family(of function: Int) -> [Int] {
        [function] + chunk.functions[function].functions.flatMap { family(of: $0) }
    }

    // MARK: Finding out

    private func local(_ variable: Variable) -> LuaLocal {
        chunk.functions[variable.function].locals[variable.local]
    }

    private func lifetime(of variable: Variable) -> Range<Int> {
        let local = local(variable)
        let count = chunk.functions[variable.function].code.count
        return min(local.start, count)..<max(min(local.end, count), min(local.start, count))
    }

    private mutating func findHolder(_ variable: Variable) {
        let function = chunk.functions[variable.function]
        guard let at = initializer(of: variable), function.code[at].operation == .closure,
            function.functions.indices.contains(function.code[at].wide)
        else { return }
        holders[function.functions[function.code[at].wide]] = variable
    }

    private mutating func findUses(in place: Int) {
        let function = chunk.functions[place]
        for upvalue in function.upvalues.indices {
            guard case .variable(let variable)? = reference(upvalue, of: place) else { continue }
            captors[variable, default: []].insert(place)
        }
        for (at, instruction) in function.code.enumerated() {
            if instruction.operation == .setUpvalue {
                switch reference(instruction.b, of: place) {
                case .variable(let variable)?: assigned.insert(variable)
                case .environment?: replacesEnvironment = true
                case nil: break
                }
            }
            // What else an instruction changes are intermediate values; nil goes to several variables.
            guard let writes = instruction.writes else { continue }
            for register in instruction.operation == .loadNil ? writes : writes.lowerBound...writes.lowerBound
            {
                if let variable = variable(in: place, register: register, at: at) {
                    assigned.insert(variable)
                }
            }
        }
    }
}
