/// Reads the binary form of Lua 5.4, the format of `lua_dump`. What is not of that form ends as nil.
struct LuaDumpReader {
    /// The compiler nests 200 levels of calls at most.
    private static let depthLimit = 200
    private static let largestInt = Int(Int32.max)

    private var rest: ArraySlice<UInt8>
    private var read: [LuaFunction?] = []

    init(_ dump: [UInt8]) { rest = dump[...] }

    /// All functions, each before those inside it.
    mutating func functions() -> [LuaFunction]? {
        guard header(), function(parent: nil, depth: 0) != nil, rest.isEmpty else { return nil }
        let functions = read.compactMap(\.self)
        return functions.count == read.count ? functions : nil
    }

    // MARK: Parts

    private mutating func header() -> Bool {
        // Signature, version 5.4, the official format, what a broken transfer would change, sizes of
        // instruction, integer and float, and one of each of the latter two.
        let expected: [UInt8] =
            [0x1B, 0x4C, 0x75, 0x61, 0x54, 0x00, 0x19, 0x93, 0x0D, 0x0A, 0x1A, 0x0A, 4, 8, 8]
            + [0x78, 0x56, 0, 0, 0, 0, 0, 0] + [0, 0, 0, 0, 0, 0x28, 0x77, 0x40]
        // The count of upvalues follows; the function says it again.
        guard rest.starts(with: expected), rest.count > expected.count else { return false }
        rest.removeFirst(expected.count + 1)
        return true
    }

    /// The place of the function that comes next.
    private mutating func function(parent: Int?, depth: Int) -> Int? {
        guard depth <= Self.depthLimit else { return nil }
        let place = read.count
        read.append(nil)
        // The source's name, the lines, parameters, whether it takes more, and its registers.
        guard skipString(), let first = int(), let last = int(), let parameters = byte(), skip(2),
            let code = list(size: 4, { $0.instruction() }),
            let constants = list(size: 1, { $0.constant() }),
            var upvalues = list(size: 3, { $0.upvalue() }),
            let inner = list(size: 1, { $0.function(parent: place, depth: depth + 1) }),
            let lines = lines(of: code.count, after: first),
            let locals = list(size: 3, { $0.local() }),
            let names = list(size: 1, { $0.name() }), names.count == upvalues.count
        else { return nil }
        for (index, name) in names.enumerated() { upvalues[index].name = name }
        read[place] = LuaFunction(
            parent: parent,
            lineDefined: first,
            lastLineDefined: last,
            parameterCount: Int(parameters),
            code: code,
            lines: lines,
            constants: constants,
            upvalues: upvalues,
            locals: locals,
            functions: inner
        )
        return place
    }

    private mutating func instruction() -> LuaInstruction? {
        guard let word = word(bytes: 4) else { return nil }
        return LuaInstruction(word: UInt32(truncatingIfNeeded: word))
    }

    private mutating func constant() -> LuaConstant? {
        switch byte() {
        case 0x00: return .null
        case 0x01: return .bool(false)
        case 0x11: return .bool(true)
        case 0x03: return word(bytes: 8).map { .integer(Int64(bitPattern: $0)) }
        case 0x13: return word(bytes: 8).map { .number(Double(bitPattern: $0)) }
        case 0x04, 0x14: return string()?.map { .string($0) }
        default: return nil
        }
    }

    private mutating func upvalue() -> LuaUpvalue? {
        guard let isInStack = byte(), let index = byte(), skip(1) else { return nil }
        return LuaUpvalue(isInStack: isInStack != 0, index: Int(index), name: "")
    }

    private mutating func local() -> LuaLocal? {
        guard let name = name(), let start = int(), let end = int() else { return nil }
        return LuaLocal(name: name, start: start, end: end)
    }

    /// The line of each instruction: differences from one to the next, and now and then a line in full.
    private mutating func lines(of count: Int, after first: Int) -> [Int]? {
        let isInFull: Int8 = -128
        guard let steps = list(size: 1, { $0.byte().map { Int8(bitPattern: $0) } }), steps.count == count,
            let whole = list(
                size: 2,
                { reader in reader.int().flatMap { at in reader.int().map { (at, $0) } } }
            )
        else { return nil }
        let full = Dictionary(whole, uniquingKeysWith: { _, last in last })
        var line = first
        var lines: [Int] = []
        for (at, step) in steps.enumerated() {
            if step == isInFull {
                guard let known = full[at] else { return nil }
                line = known
            } else {
                line += Int(step)
            }
            lines.append(line)
        }
        return lines
    }

    // MARK: Elements

    /// A count and so many elements of at least `size` bytes.
    private mutating func list<Element>(
        size: Int,
        _ element: (inout LuaDumpReader) -> Element?
    ) -> [Element]? {
        guard let count = int(), count <= rest.count / size else { return nil }
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count {
            guard let next = element(&self) else { return nil }
            elements.append(next)
        }
        return elements
    }

    private mutating func byte() -> UInt8? { rest.popFirst() }

    private mutating func skip(_ count: Int) -> Bool {
        guard count <= rest.count else { return false }
        rest.removeFirst(count)
        return true
    }

    private mutating func word(bytes count: Int) -> UInt64? {
        guard count <= rest.count else { return nil }
        let word = rest.prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        rest.removeFirst(count)
        return word
    }

    /// A number of seven bits a byte, highest first, the last one marked.
    private mutating func int() -> Int? {
        var number = 0
        while let byte = byte() {
            number = number << 7 | Int(byte & 0x7F)
            guard number <= Self.largestInt else { return nil }
            if byte & 0x80 != 0 { return number }
        }
        return nil
    }

    /// A text, or none where its size is 0; the outer nil where it is malformed.
    private mutating func string() -> String?? {
        guard let size = int() else { return nil }
        guard size > 0 else { return .some(nil) }
        guard size - 1 <= rest.count else { return nil }
        let text = String(decoding: rest.prefix(size - 1), as: UTF8.self)
        rest.removeFirst(size - 1)
        return text
    }

    private mutating func skipString() -> Bool { string() != nil }

    /// A variable's name, empty where it has none.
    private mutating func name() -> String? { string().map { $0 ?? "" } }
}
