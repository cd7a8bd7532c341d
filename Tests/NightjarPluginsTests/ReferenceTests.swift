import CStockLua
import Foundation
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Testing

/// What an editor and the reference page are told of plugins, held against the host.
@Suite struct ReferenceTests {
    private static let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Sources/Nightjar/Nightjar.docc/PluginReference.md").standardized

    @Test func `the reference page is the one that the host's tables make`() throws {
        let committed = try String(contentsOf: Self.page, encoding: .utf8)
        #expect(committed == PluginReference.markdown, "write it anew: scripts/docs --reference")
    }

    @Test func `the definitions are Lua, and name no type that they do not define`() throws {
        let text = LuaDefinitions.text
        #expect(text.hasPrefix("---@meta\n"))
        var failed = false
        let answer = text.withCString { stock_lua_run($0, text.utf8.count, &failed) }
        defer { free(answer) }
        #expect(!failed, "\(answer.map { String(cString: $0) } ?? "no memory")")
        let defined = text.matches(of: /---@(?:class|alias) (nightjar[\w.]*)/).map { String($0.1) }
        #expect(Set(defined).count == defined.count)
        let used = Set(text.matches(of: /\bnightjar\.[A-Z]\w*/).map { String($0.0) })
        #expect(used.isSubset(of: defined), "\(used.subtracting(defined).sorted())")
        for name in ["Span", "Trace", "Log", "Usage", "Counter", "Window", "ScoreInput", "Test"] {
            #expect(defined.contains("nightjar.\(name)"))
        }
    }

    @Test func `a callback's parameter follows from the event`() {
        for (event, parameter) in [
            ("span_ended", "span: nightjar.Span"), ("trace_ended", "trace: nightjar.Trace"),
            ("log", "log: nightjar.Log"), ("feedback", "feedback: nightjar.Feedback"),
        ] {
            let start = "---@overload fun(event: \"\(event)\", "
            #expect(LuaDefinitions.text.contains("\(start)fn: fun(\(parameter)), opts?: nightjar.OnOptions)"))
        }
        let events = LuaDefinitions.text.matches(of: /overload fun\(event: "(\w+)", fn/).map { String($0.1) }
        #expect(events == RuleEvent.allCases.map(\.rawValue))
    }

    @Test func `nightjar has all that the page names, and the page names all that it has`() throws {
        let named = Set(
            PluginReference.markdown.matches(of: /\| `nightjar\.([a-z_.]+)(\(?)/)
                .map { $0.2.isEmpty ? "\($0.1)" : "\($0.1)()" }
        )
        let script = """
            nightjar.plugin { scope = "global", version = "1" }
            local function list(t, prefix)
              for key, value in pairs(t) do
                if type(value) == "function" then print(prefix .. key .. "()")
                elseif type(value) == "table" and key ~= "settings" then list(value, prefix .. key .. ".")
                else print(prefix .. key) end
              end
            end
            list(nightjar, "")
            """
        let present = Set(try printed(script))
        // These two are no members of the table: one is made when it is read, the other by the plugin.
        #expect(
            present.union(["state", "migrate"]) == named,
            "\(present.symmetricDifference(named).sorted())"
        )
    }

    @Test func `the definitions have the globals that the sandbox has`() throws {
        let script = """
            for key, value in pairs(_G) do
              if type(value) == "function" then print(key)
              elseif key == "os" or key == "debug" then for name in pairs(value) do print(key .. "." .. name) end end
            end
            """
        let defined = LuaDefinitions.text.matches(of: /(?m)^function ((?:os\.|debug\.)?[a-z]+)\(/).map {
            String($0.1)
        }
        #expect(Set(defined) == Set(try printed(script)).union(["test"]))
    }

    @Test func `every field of a score and of feedback is one that the host takes, and no other is`() throws {
        for (call, shape) in [("addScore", "ScoreInput"), ("addFeedback", "FeedbackInput")] {
            let fields = fields(of: shape)
            #expect(fields.count > 10)
            for field in fields + ["nonsense"] {
                let fixture = try Fixture(
                    "nightjar.on('span_ended', function(s) s:\(call) { \(field) = true } end)"
                )
                fixture.end(fixture.builder.span())
                let isUnknown = fixture.fault?.contains("unknown field") == true
                #expect(isUnknown == (field == "nonsense"), "\(field): \(fixture.fault ?? "taken")")
            }
        }
    }

    @Test func `every operator of a match is one that the host takes`() {
        let operands = ["boolean": "true", "number": "1", "string": "'x'"]
        for (name, type) in typedFields(of: "Operators") where name != "ignore_case" {
            let operand = operands[type.replacing("?", with: "")] ?? ""
            let script = "nightjar.on('span_ended', { name = { \(name) = \(operand) } }, print)"
            #expect(loadFault(script) == nil, "\(name)")
        }
        #expect(loadFault("nightjar.on('span_ended', { name = { has = 'x' } }, print)") != nil)
        for (name, type) in typedFields(of: "TraceMatch") {
            let operand = type.contains("SpanMatch") ? "{ type = 'agent_run' }" : "{ exists = true }"
            #expect(
                loadFault("nightjar.on('trace_ended', { \(name) = \(operand) }, print)") == nil,
                "\(name)"
            )
        }
    }

    @Test func `the editor's settings are told from those that someone changed`() throws {
        let text = EditorFiles.luarcText
        #expect(EditorFiles.isOwn(text))
        #expect(!EditorFiles.isOwn(text.replacing("false", with: "true")))
        #expect(!EditorFiles.isOwn("{}\n"))
        let body = try #require(text.firstIndex(of: "\n").map { text[$0...] })
        let settings = try Value(json: String(body))
        #expect(settings["runtime.version"] == "Lua 5.4")
        #expect(settings["workspace.library"] == [".nightjar"])
        #expect(settings["runtime.builtin"]?["io"] == "disable")
    }

    private func printed(_ script: String) throws -> [String] {
        let fixture = try Fixture(script)
        return fixture.lines.all.map(\.message)
    }

    private func fields(of shape: String) -> [String] { typedFields(of: shape).map(\.name) }

    private func typedFields(of shape: String) -> [(name: String, type: String)] {
        let text = LuaDefinitions.text
        guard let start = text.firstRange(of: "---@class nightjar.\(shape)\n") else { return [] }
        let end = text[start.upperBound...].firstRange(of: "\n\n")?.lowerBound ?? text.endIndex
        return text[start.upperBound..<end].matches(of: /---@field (\w+) (\S+)/).map {
            (String($0.1), String($0.2))
        }
    }
}
