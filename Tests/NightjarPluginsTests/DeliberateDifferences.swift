import Testing

/// A way in which the bounded libraries answer otherwise than Lua's own on purpose, with a script that shows it.
struct DeliberateDifference: CustomTestStringConvertible, Sendable {
    let what: String
    let reason: String
    /// A chunk that returns one value; what it raises counts as that.
    let script: String
    /// What comes of it in Lua itself, and here.
    let stock: String
    let bounded: String
    /// Two wordings of one error: the corpus has it, and they count as one there.
    var wordings: (stock: String, bounded: String)?

    var testDescription: String { what }

    /// The corpus keeps clear of all of these but the wordings.
    static let all = wordings + strings + tables + basics + calls

    private static let wordings = [
        Self(
            what: "a result that is too long",
            reason: "a string is at most 1 MiB, and the error says so",
            script: "return ('ab'):rep(1 << 62)",
            stock: "resulting string too large",
            bounded: "resulting string longer than 1024 KiB",
            wordings: ("resulting string too large", "resulting string longer than 1024 KiB")
        ),
        Self(
            what: "too many results of table.unpack",
            reason: "the error names the limit, which is lower",
            script: "return table.unpack({}, 1, 1 << 40)",
            stock: "too many results to unpack",
            bounded: "too many results to unpack; at most 8000",
            wordings: ("too many results to unpack", "too many results to unpack; at most 8000")
        ),
        Self(
            what: "what is no coroutine",
            reason: "the library that makes them is called coroutine",
            script: "local status = coroutine.status local made = status(1) return made",
            stock: "bad argument #1 to 'status' (thread expected, got number)",
            bounded: "bad argument #1 to 'status' (coroutine expected, got number)",
            wordings: ("(thread expected", "(coroutine expected")
        ),
        Self(
            what: "the place that table.remove refuses",
            reason: "it is the second argument",
            script: "local made = table.remove({}, 7) return made",
            stock: "bad argument #1 to 'remove' (position out of bounds)",
            bounded: "bad argument #2 to 'remove' (position out of bounds)",
            wordings: ("#1 to 'f' (position out", "#2 to 'f' (position out")
        ),
    ]

    private static let strings = [
        Self(
            what: "a long string",
            reason: "a string is at most 1 MiB",
            script: "return #('x'):rep(1 << 21)",
            stock: "2097152",
            bounded: "resulting string longer than 1024 KiB"
        ),
        Self(
            what: "the text of a reference",
            reason: "an address tells where the process keeps its memory",
            script: "return tostring({}):gsub('0x%x+', '0x') .. ('%s'):format(print):gsub('0x%x+', '0x')",
            stock: "table: 0xfunction: 0x",
            bounded: "tablefunction"
        ),
        Self(
            what: "the text of a reference with a __name",
            reason: "an address tells where the process keeps its memory",
            script: "return (tostring(setmetatable({}, { __name = 'Kind' })):gsub('0x%x+', '0x'))",
            stock: "Kind: 0x",
            bounded: "Kind"
        ),
        Self(
            what: "the conversion %p",
            reason: "an address tells where the process keeps its memory",
            script: "return (('%p'):format({}):gsub('0x%x+', '0x'))",
            stock: "0x",
            bounded: "invalid conversion '%p' to 'format'"
        ),
        Self(
            what: "string.dump",
            reason: "binary chunks are neither made nor loaded",
            script: "return type(string.dump)",
            stock: "function",
            bounded: "nil"
        ),
        Self(
            what: "the metatable of strings",
            reason: "a script that changed it would change every text of its state",
            script: "return type(getmetatable(''))",
            stock: "table",
            bounded: "boolean"
        ),
    ]

    private static let tables = [
        Self(
            what: "table.insert into a table with __len, or with __newindex or a function as __index",
            reason: "a length that a script makes up would keep C code busy for ever",
            script:
                "table.insert(setmetatable({}, { __len = function() return 4 end }), 1) return 'inserted'",
            stock: "inserted",
            bounded: "the table library takes plain tables, not one with __len"
        ),
        Self(
            what: "inherited items",
            reason: "table functions look at a table's own items, so that their work has a bound",
            script: "return table.concat(setmetatable({}, { __index = { 'inherited' } }), '', 1, 1)",
            stock: "inherited",
            bounded: "invalid value (nil) at index 1 in table for 'concat'"
        ),
        Self(
            what: "the length that table.unpack takes",
            reason: "table functions ignore __len",
            script: "return select('#', table.unpack(setmetatable({}, { __len = function() return 3 end })))",
            stock: "3",
            bounded: "0"
        ),
        Self(
            what: "many results of table.unpack",
            reason: "a stack of a million values is 16 MiB; 8,000 are enough",
            script: "return select('#', table.unpack({}, 1, 8001))",
            stock: "8001",
            bounded: "too many results to unpack; at most 8000"
        ),
        Self(
            what: "table.unpack of a text",
            reason: "table functions take tables only",
            script: "return (select('#', table.unpack('abc')))",
            stock: "3",
            bounded: "bad argument #1 to 'unpack' (table expected, got string)"
        ),
        Self(
            what: "table.move out of a text",
            reason: "table functions take tables only",
            script: "return #table.move('abc', 1, 2, 1, {})",
            stock: "0",
            bounded: "bad argument #1 to 'move' (table expected, got string)"
        ),
        Self(
            what: "the order of equal items",
            reason: "table.sort is stable here: it merges, because a bad comparator cannot mislead that",
            script: """
                local items, out = {}, ''
                for i = 1, 9 do items[i] = { key = i % 2, i } end
                table.sort(items, function(left, right) return left.key < right.key end)
                for i = 1, 9 do out = out .. items[i][1] end
                return out == '246813579'
                """,
            stock: "false",
            bounded: "true"
        ),
        Self(
            what: "a comparator that contradicts itself",
            reason: "merging ends with some order whatever the comparator says",
            script: """
                table.sort({ 1, 2, 3, 4, 5 }, function() return true end)
                return 'sorted'
                """,
            stock: "invalid order function for sorting",
            bounded: "sorted"
        ),
        Self(
            what: "a list whose sorting failed",
            reason: "the list is written once it is in order, and until then as it was",
            script: """
                local items = { 3, 'x', 2, 1 }
                pcall(table.sort, items)
                return table.concat(items, ' ')
                """,
            stock: "1 x 2 3",
            bounded: "3 x 2 1"
        ),
        Self(
            what: "which two of a mixed list are compared first",
            reason: "merging compares neighbours",
            script: "return table.sort({ 'x', 1, true })",
            stock: "attempt to compare boolean with string",
            bounded: "attempt to compare number with string"
        ),
    ]

    private static let basics = [
        Self(
            what: "metafields that run code behind a script's back",
            reason: "finalisers and the closing of variables would run outside of a call's budget",
            script: "return type(setmetatable({}, { __gc = function() end, __mode = 'k' }))",
            stock: "table",
            bounded: "a metatable may not have __gc here"
        ),
        Self(
            what: "metafields that are added later",
            reason: "the table has a copy of them, into which nothing that is refused can be slipped",
            script: """
                local meta = {}
                local object = setmetatable({}, meta)
                meta.__len = function() return 7 end
                return #object
                """,
            stock: "7",
            bounded: "0"
        ),
        Self(
            what: "the name of a loaded text",
            reason: "a line of a message has no room for the text itself",
            script: "return (select(2, load('x x')))",
            stock: "[string \"x x\"]:1: syntax error near 'x'",
            bounded: "load:1: syntax error near 'x'"
        ),
        Self(
            what: "a binary chunk",
            reason: "Lua does not check bytecode, which could break out of the state",
            script: "return (select(2, load('\\27Lua', '=chunk')))",
            stock: "chunk: bad binary format (truncated chunk)",
            bounded: "attempt to load a binary chunk (mode is 't')"
        ),
        Self(
            what: "a long text for load",
            reason: "the parser has no budget of its own; a source is at most 32 KiB",
            script: "return type(load((' '):rep(40000) .. 'return 1'))",
            stock: "function",
            bounded: "nil"
        ),
        Self(
            what: "when load calls its reader",
            reason: "the text is gathered first, so that no code of a script runs inside the parser",
            script: """
                local called = 0
                load(function()
                  called = called + 1
                  return called < 9 and ') ' or nil
                end)
                return called
                """,
            stock: "1",
            bounded: "9"
        ),
        Self(
            what: "the handler around a reader that fails",
            reason: "the reader runs in a protected call of its own, not in the parser's",
            script: """
                local _, _, problem = xpcall(function()
                  return load(function() error('refused', 0) end)
                end, function() return 'handled' end)
                return problem
                """,
            stock: "handled",
            bounded: "refused"
        ),
        Self(
            what: "collectgarbage",
            reason: "a script must not steer the collector of its state",
            script: "return collectgarbage('step')",
            stock: "true",
            bounded: "collectgarbage takes only \"count\" here"
        ),
    ]

    private static let calls = [
        Self(
            what: "the name of a function that a C function called",
            reason: "there is no list of loaded modules to look for it in",
            script: "return (select(2, pcall(string.rep)))",
            stock: "bad argument #1 to 'string.rep' (string expected, got no value)",
            bounded: "bad argument #1 to '?' (string expected, got no value)"
        ),
        Self(
            what: "the lines of a traceback",
            reason: "places suffice: looking names up is slow",
            script: "return (debug.traceback('problem'):match('%[C%][^\\n]*'))",
            stock: "[C]: in function 'pcall'",
            bounded: "[C]"
        ),
    ]
}
