import NightjarPlugins
import Testing

@Suite struct LuaChunkTests {
    private func chunk(_ source: String) throws -> LuaChunk {
        try #require(LuaChunk(source: Array(source.utf8)))
    }

    private let sample = """
        local limit <const>, seen = 2 ^ 0.5, {}
        local function note(self, key, ...)
          seen[key] = (seen[key] or 0) + 1000000
          return function()
            return self, limit, "text", true, nil
          end
        end
        return note, -7.25, 1 << 40
        """

    @Test func `functions are read with their names and places`() throws {
        let functions = try chunk(sample).functions
        #expect(functions.map(\.lineDefined) == [0, 2, 4])
        #expect(functions.map(\.lastLineDefined) == [0, 7, 6])
        #expect(functions.map(\.parent) == [nil, 0, 1])
        #expect(functions.map(\.functions) == [[1], [2], []])
        #expect(functions.map(\.parameterCount) == [0, 2, 0])
        #expect(
            functions.map { $0.upvalues.map(\.name) } == [["_ENV"], ["seen", "limit"], ["self", "limit"]]
        )
        #expect(functions[1].upvalues.map(\.isInStack) == [true, true])
        #expect(functions[1].upvalues.map(\.index) == [1, 0])
        #expect(functions[2].upvalues.map(\.isInStack) == [true, false])
        #expect(functions[2].upvalues.map(\.index) == [0, 1])
        #expect(functions[0].locals.map(\.name) == ["limit", "seen", "note"])
        #expect(functions[1].locals.map(\.name) == ["self", "key"])
        #expect(functions[1].locals.map(\.start) == [0, 0])
        #expect(functions[1].locals.map(\.end) == [functions[1].code.count, functions[1].code.count])
    }

    @Test func `constants are read with their types`() throws {
        let functions = try chunk(sample).functions
        #expect(functions[0].constants.contains(.number(-7.25)))
        #expect(functions[0].constants.contains(.integer(1 << 40)))
        #expect(functions[1].constants == [.integer(1_000_000)])
        #expect(functions[2].constants == [.string("text")])
        let long = String(repeating: "long ", count: 100)
        #expect(try chunk("return '\(long)'").functions[0].constants == [.string(long)])
        // A table's fields may be constants of any type.
        let fields = try chunk(
            "local t = {} t.a, t.b, t.c = true, false, nil t.d = nil t.e = true t.f = false"
        )
        #expect(
            Set(fields.functions[0].constants.map { "\($0)" }).isSuperset(of: [
                "null", "bool(true)", "bool(false)",
            ])
        )
    }

    @Test func `instructions have operations and operands`() throws {
        let code = try chunk("local a = 1\nlocal b = a.name\nreturn b").functions[0].code
        #expect(
            code.map(\.operation) == [
                .varargPrepare, .loadI, .getField, .returnMany, .returnMany,
            ]
        )
        #expect(code[2].a == 1)
        #expect(code[2].b == 0)
        #expect(code[2].c == 0)
    }

    @Test(arguments: [1, 100, 127, 128, 200, 5000])
    func `lines are right across gaps of any size`(_ gap: Int) throws {
        let source = "local a = 1" + String(repeating: "\n", count: gap) + "a = a .. 'x'\na = f(\n\n\n\na)"
        let function = try chunk(source).functions[0]
        let loaded = try #require(function.code.firstIndex { $0.operation == .concat })
        #expect(function.lines[loaded] == gap + 1)
        let called = try #require(function.code.firstIndex { $0.operation == .call })
        #expect(function.lines[called] == gap + 2)
    }

    @Test func `lines are right in long functions`() throws {
        let count = 1500
        let source = (1...count).map { "x\($0 % 7) = \($0)" }.joined(separator: "\n")
        #expect(executableLines(of: Array(source.utf8)) == Set(1...count))
    }

    @Test func `lines that can run are those with instructions of their own`() {
        let source = """
            -- a comment
            local total = 0

            local function add(value)
              if value then
                total = total + value
              else
                return
              end
            end

            nightjar.on("span_ended", nil, function(span)
              for _, child in ipairs(span:children()) do
                add(child.duration_ms)
              end
            end)
            """
        // Line 10 makes the first function, line 16 the second one.
        #expect(executableLines(of: Array(source.utf8)) == [2, 5, 6, 8, 10, 12, 13, 14, 16])
    }

    @Test func `a source with a mark, a line for the shell and foreign line ends keeps its lines`() {
        #expect(executableLines(of: [0xEF, 0xBB, 0xBF] + Array("a = 1\r\n\r\nb = 2\r\n".utf8)) == [1, 3])
        #expect(executableLines(of: Array("#!/usr/bin/env lua\na = 1\n\nb = 2".utf8)) == [2, 4])
        #expect(executableLines(of: []) == [])
    }

    @Test func `what is no source is not compiled`() throws {
        #expect(LuaChunk(source: Array("local = 1".utf8)) == nil)
        #expect(LuaChunk(source: Array("a = 1 -- \0".utf8)) == nil)
        let limit = 32768
        #expect(LuaChunk(source: [UInt8](repeating: 0x20, count: limit)) != nil)
        #expect(LuaChunk(source: [UInt8](repeating: 0x20, count: limit + 1)) == nil)
        let dump = try #require(LuaChunk.dump(of: Array("return 1".utf8)))
        #expect(LuaChunk(source: dump) == nil)
        #expect(LuaChunk(source: Array("#\n".utf8) + dump) == nil)
        let deep = String(repeating: "function() return ", count: 300)
        #expect(LuaChunk(source: Array("return \(deep)".utf8)) == nil)
    }

    @Test func `nothing of a source runs`() {
        #expect(executableLines(of: Array("while true do end\nerror('never')".utf8))?.contains(2) == true)
    }

    @Test func `a dump that is cut short is refused`() throws {
        let dump = try #require(LuaChunk.dump(of: Array(sample.utf8)))
        #expect(LuaChunk(dump: dump) != nil)
        for length in 0..<dump.count {
            #expect(LuaChunk(dump: Array(dump.prefix(length))) == nil, "after \(length) bytes")
        }
        #expect(LuaChunk(dump: dump + [0]) == nil)
    }

    @Test func `no change to a dump brings the reader down`() throws {
        let dump = try #require(LuaChunk.dump(of: Array(sample.utf8)))
        let values: [UInt8] = [0x00, 0x01, 0x7F, 0x80, 0x81, 0xFF]
        var refused = 0
        for place in dump.indices {
            for value in values {
                var changed = dump
                changed[place] = value
                if LuaChunk(dump: changed)?.executableLines == nil { refused += 1 }
                changed.remove(at: place)
                if LuaChunk(dump: changed)?.executableLines == nil { refused += 1 }
                changed.insert(contentsOf: [value, value, value], at: place)
                if LuaChunk(dump: changed)?.executableLines == nil { refused += 1 }
            }
        }
        #expect(refused > dump.count)
        var random = NumberSequence(state: 7)
        for _ in 0..<5000 {
            var changed = dump
            for _ in 0..<(1 + random.next() % 6) {
                changed[Int(random.next() % UInt64(changed.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            _ = LuaChunk(dump: changed)?.executableLines
        }
    }

    @Test(arguments: [
        (4, 0x53), (5, 1), (6, 0), (12, 8), (13, 4), (14, 4), (15, 0), (23, 1),
    ])
    func `another format is refused`(_ place: Int, _ value: UInt8) throws {
        var dump = try #require(LuaChunk.dump(of: Array("return 1".utf8)))
        dump[place] = value
        #expect(LuaChunk(dump: dump) == nil)
    }
}

/// The same numbers every time.
private struct NumberSequence: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }
}
