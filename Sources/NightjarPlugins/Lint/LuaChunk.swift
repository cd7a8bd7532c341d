import CNightjarLua
import CNightjarSignals
import NightjarSignals

/// A constant of a function.
package enum LuaConstant: Sendable, Equatable {
    /// nil.
    case null
    /// true or false.
    case bool(Bool)
    /// An integer.
    case integer(Int64)
    /// A float.
    case number(Double)
    /// A string; bytes that are no UTF-8 are replaced.
    case string(String)
}

/// A variable of an enclosing function that a function uses.
package struct LuaUpvalue: Sendable, Equatable {
    /// Whether it is a register of the function around, else one of that function's own upvalues.
    package let isInStack: Bool
    /// The register, or the upvalue's index.
    package let index: Int
    /// The variable's name.
    package var name: String
}

/// A local variable of a function.
package struct LuaLocal: Sendable, Equatable {
    /// Its name; in brackets where the compiler made it.
    package let name: String
    /// The first instruction at which it is there.
    package let start: Int
    /// The first instruction at which it is no more.
    package let end: Int
}

/// One function of a source, or all of the source as a function.
package struct LuaFunction: Sendable {
    /// The function around it, by its place in the chunk; nil for the source itself.
    package let parent: Int?
    /// The line of `function`; 0 for the source itself.
    package let lineDefined: Int
    /// The line of its `end`; 0 for the source itself.
    package let lastLineDefined: Int
    /// How many named parameters it has; they lie in the first registers.
    package let parameterCount: Int
    /// The instructions.
    package let code: [LuaInstruction]
    /// The line of each instruction.
    package let lines: [Int]
    /// The constants.
    package let constants: [LuaConstant]
    /// The variables from outside.
    package let upvalues: [LuaUpvalue]
    /// The local variables, in the order of their registers where they live at the same time.
    package let locals: [LuaLocal]
    /// The functions inside it, by their places in the chunk.
    package let functions: [Int]
}

/// A compiled Lua source: all its functions, the source itself first, each before those inside it.
package struct LuaChunk: Sendable {
    /// The functions; never empty.
    package let functions: [LuaFunction]

    /// Reads the binary form of Lua 5.4 (little endian, 64 bit, with debug information); nil where it is
    /// anything else.
    package init?(dump: [UInt8]) {
        var reader = LuaDumpReader(dump)
        guard let functions = reader.functions() else { return nil }
        self.functions = functions
    }

    /// Compiles a source and runs nothing of it; nil where it does not compile or is over 32 KiB.
    package init?(source: [UInt8]) {
        guard let dump = Self.dump(of: source) else { return nil }
        self.init(dump: dump)
    }

    /// The binary form of a source; nil where it does not compile.
    package static func dump(of source: [UInt8]) -> [UInt8]? {
        var dump: [UInt8] = []
        // Nobody reads the message: a load says the same, and says it to the user.
        var fault = [CChar](repeating: 0, count: Int(NJ_MESSAGE_LIMIT))
        let room = fault.count
        let isCompiled = source.withUnsafeBytes { bytes in
            withUnsafeMutablePointer(to: &dump) { dump in
                nj_compile(
                    nj_text(bytes),
                    nj_text("source"),
                    dump,
                    { context, bytes, length in
                        context?.assumingMemoryBound(to: [UInt8].self).pointee
                            .append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: length))
                    },
                    &fault,
                    room
                )
            }
        }
        return isCompiled ? dump : nil
    }

    /// The lines that can run. Left out are lines with nothing but what the compiler puts at the end of
    /// functions and blocks: the return that ends every function, jumps, and the closing of variables.
    package var executableLines: Set<Int> {
        var lines: Set<Int> = []
        for function in functions {
            for (instruction, line) in zip(function.code, function.lines).dropLast() {
                switch instruction.operation {
                // The preparation of variable arguments belongs to no statement either.
                case .jump, .close, .varargPrepare: break
                default: lines.insert(line)
                }
            }
        }
        return lines
    }
}

/// The lines of a source that can run, counted from 1; nil where it does not compile.
package func executableLines(of source: [UInt8]) -> Set<Int>? { LuaChunk(source: source)?.executableLines }
