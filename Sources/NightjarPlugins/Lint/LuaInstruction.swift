/// What an instruction of Lua 5.4 does; in the order of its numbers.
package enum LuaOperation: UInt8, Sendable {
    /// Sets a register to another one, or to a constant of some kind.
    case move, loadI, loadF, loadK, loadKX, loadFalse, loadFalseSkip, loadTrue, loadNil
    /// Gets and sets variables of functions around.
    case getUpvalue, setUpvalue
    /// Gets a field of such a variable or of a register.
    case getTableUp, getTable, getI, getField
    /// Sets a field of such a variable or of a register.
    case setTableUp, setTable, setI, setField
    /// Makes a table; looks up a method and puts its object behind it.
    case newTable, method
    /// Arithmetic with a constant.
    case addI, addK, subK, mulK, modK, powK, divK, idivK, bandK, borK, bxorK, shrI, shlI
    /// Arithmetic of two registers.
    case add, sub, mul, mod, pow, div, idiv, band, bor, bxor, shl, shr
    /// Calls the metamethod where the arithmetic before it did not apply.
    case metaBinary, metaBinaryI, metaBinaryK
    /// Operations of one register, and the joining of several texts.
    case negate, bnot, not, length, concat
    /// Ends variables; goes elsewhere.
    case close, toBeClosed, jump
    /// Skips an instruction or not.
    case equal, less, lessEqual, equalK, equalI, lessI, lessEqualI, greaterI, greaterEqualI, test, testSet
    /// Calls, and returns with many values, none or one.
    case call, tailCall, returnMany, returnNothing, returnOne
    /// The two kinds of `for`.
    case forLoop, forPrepare, genericForPrepare, genericForCall, genericForLoop
    /// Fills a table, makes a function, handles variable arguments, widens the operand before it.
    case setList, closure, vararg, varargPrepare, extraArgument
}

/// One instruction: 32 bits that name an operation and its operands.
package struct LuaInstruction: Sendable, Equatable {
    /// What it does.
    package let operation: LuaOperation
    private let word: UInt32

    /// An instruction from its bits; nil where the operation is unknown.
    package init?(word: UInt32) {
        guard let operation = LuaOperation(rawValue: UInt8(word & 0x7F)) else { return nil }
        self.operation = operation
        self.word = word
    }

    /// The first operand, in most operations the register that is set.
    package var a: Int { Int(word >> 7 & 0xFF) }
    /// The second operand.
    package var b: Int { Int(word >> 16 & 0xFF) }
    /// The third operand.
    package var c: Int { Int(word >> 24) }
    /// Whether the third operand is a constant's index.
    package var isConstant: Bool { word >> 15 & 1 == 1 }
    /// The wide operand of operations that have but one beside the first.
    package var wide: Int { Int(word >> 15) }

    private static let lastRegister = 255

    /// The registers that it changes; a call spoils all from its function on.
    var writes: ClosedRange<Int>? {
        switch operation {
        case .setUpvalue, .setTableUp, .setTable, .setI, .setField, .setList, .close, .toBeClosed, .jump,
            .test,
            .metaBinary, .metaBinaryI, .metaBinaryK, .equal, .less, .lessEqual, .equalK, .equalI, .lessI,
            .lessEqualI, .greaterI, .greaterEqualI, .returnMany, .returnNothing, .returnOne,
            .genericForPrepare,
            .varargPrepare, .extraArgument:
            nil
        case .loadNil: a...a + b
        case .method: a...a + 1
        case .call, .tailCall: a...Self.lastRegister
        case .vararg: a...max(c == 0 ? Self.lastRegister : a + c - 2, a)
        case .forLoop, .forPrepare: a...a + 3
        case .genericForCall: a + 4...max(Self.lastRegister, a + 4)
        default: a...a
        }
    }

    /// The registers that it looks at; what a closure captures is not among them.
    var reads: [ClosedRange<Int>] {
        switch operation {
        case .move, .getI, .getField, .addI, .addK, .subK, .mulK, .modK, .powK, .divK, .idivK, .bandK, .borK,
            .bxorK,
            .shrI, .shlI, .negate, .bnot, .not, .length, .testSet:
            [b...b]
        case .getTable, .add, .sub, .mul, .mod, .pow, .div, .idiv, .band, .bor, .bxor, .shl, .shr:
            [b...b, c...c]
        case .method: isConstant ? [b...b] : [b...b, c...c]
        case .setTableUp: isConstant ? [] : [c...c]
        case .setTable: isConstant ? [a...a, b...b] : [a...a, b...b, c...c]
        case .setI, .setField: isConstant ? [a...a] : [a...a, c...c]
        case .metaBinary, .equal, .less, .lessEqual: [a...a, b...b]
        case .setUpvalue, .toBeClosed, .metaBinaryI, .metaBinaryK, .equalK, .equalI, .lessI, .lessEqualI,
            .greaterI,
            .greaterEqualI, .test, .returnOne:
            [a...a]
        case .concat: b == 0 ? [] : [a...a + b - 1]
        case .call, .tailCall: [a...(b == 0 ? Self.lastRegister : a + b - 1)]
        case .returnMany: b == 1 ? [] : [a...(b == 0 ? Self.lastRegister : a + b - 2)]
        case .setList: [a...(b == 0 ? max(Self.lastRegister, a) : a + b)]
        case .forLoop, .forPrepare, .genericForCall: [a...a + 2]
        case .genericForPrepare: [a...a + 3]
        case .genericForLoop: [a + 2...a + 2]
        case .loadI, .loadF, .loadK, .loadKX, .loadFalse, .loadFalseSkip, .loadTrue, .loadNil, .getUpvalue,
            .getTableUp, .newTable, .close, .jump, .returnNothing, .closure, .vararg, .varargPrepare,
            .extraArgument:
            []
        }
    }

    /// Whether it changes a register.
    func writes(_ register: Int) -> Bool { writes?.contains(register) ?? false }

    /// Whether it looks at a register.
    func reads(_ register: Int) -> Bool { reads.contains { $0.contains(register) } }
}
