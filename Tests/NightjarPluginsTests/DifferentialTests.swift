import CStockLua
import Foundation
import Glibc
import NightjarBus
import NightjarPlugins
import NightjarTesting
import Testing

/// Compares the bounded libraries with Lua's own: both states make the same 200,000 calls, drawn from a seed,
/// and what comes of them is folded into a number for each 1,000. What differs on purpose is in
/// ``DeliberateDifference/all``.
///
/// The words of errors are compared, too, and change with releases.
@Suite(
    .enabled(if: String(cString: stock_lua_release()) == "Lua 5.4.4", "the wordings are those of Lua 5.4.4")
)
struct DifferentialTests {
    @Test(arguments: 0..<8)
    func `a corpus of calls comes to the same as in Lua itself`(_ part: Int) throws {
        let blocks = part * 25..<(part + 1) * 25
        let corpus = try Corpus()
        let stock = try corpus.inLuaItself("hash", blocks)
        let bounded = try corpus.inBoundedState("hash", blocks)
        #expect(stock.count == blocks.count && bounded.count == blocks.count)
        let differing = zip(blocks, zip(stock, bounded)).filter { $1.0 != $1.1 }.map(\.0)
        // One cause shows in many blocks: some of them are enough to see it.
        for block in differing.prefix(3) {
            let calls = zip(
                try corpus.inLuaItself("calls", block..<block + 1),
                try corpus.inBoundedState("calls", block..<block + 1)
            )
            let unlike = calls.filter { $0 != $1 }.prefix(5).map { "Lua:  \($0)\nhere: \($1)" }
            Issue.record("block \(block)\n\(unlike.joined(separator: "\n"))")
        }
    }

    @Test(arguments: DeliberateDifference.all)
    func `a difference is as it is meant`(_ difference: DeliberateDifference) throws {
        // An error's place is cut off: the chunks have other names.
        let main = """
            local function run() \(difference.script)
            end
            local _, came = pcall(run)
            put((tostring(came):gsub("^main%.lua:%d+: ", ""):gsub("^stock:%d+: ", "")))
            """
        #expect(try runInLuaItself(main) == [difference.stock])
        #expect(try runInBoundedState(main) == [difference.bounded])
    }
}

/// The texts of the corpus, and the two ways to run them.
private struct Corpus {
    private let modules: [String: [UInt8]]

    init() throws {
        let folder = try #require(Bundle.module.resourceURL?.appendingPathComponent("Differential"))
        var modules: [String: [UInt8]] = [:]
        for file in try FileManager.default.contentsOfDirectory(atPath: folder.path)
        where file.hasSuffix(".lua") {
            let text = try Data(contentsOf: folder.appendingPathComponent(file))
            modules["differential." + file.dropLast(4)] = Array(text)
        }
        self.modules = modules
    }

    private func main(_ call: String, _ blocks: Range<Int>) -> String {
        let wordings = DeliberateDifference.all.compactMap(\.wordings).map {
            "driver.equate([[\($0.stock)]], [[\($0.bounded)]])\n"
        }
        return """
            local driver = require("differential.driver")
            \(wordings.joined())
            for block = \(blocks.lowerBound), \(blocks.upperBound - 1) do
              local came = driver.\(call)(block, 1000)
              for _, line in ipairs(type(came) == "table" and came or { came }) do put(line) end
            end
            """
    }

    func inLuaItself(_ call: String, _ blocks: Range<Int>) throws -> [String] {
        // The chunks get the names that they have in the bounded state, for the same places in errors.
        let preloads = modules.map { name, text in
            """
            package.preload["\(name)"] = load([==[
            \(String(decoding: text, as: UTF8.self))]==], "@\(name).lua")

            """
        }
        return try runInLuaItself(preloads.joined() + main(call, blocks))
    }

    func inBoundedState(_ call: String, _ blocks: Range<Int>) throws -> [String] {
        try runInBoundedState(main(call, blocks), modules: modules)
    }
}

/// Runs a chunk with Lua's own libraries; the lines that it puts out.
private func runInLuaItself(_ main: String) throws -> [String] {
    let source = """
        local lines = {}
        local function put(line) lines[#lines + 1] = line end
        \(main)
        return table.concat(lines, "\\n")
        """
    var failed = false
    let raw = try #require(
        source.utf8CString.withUnsafeBufferPointer {
            stock_lua_run($0.baseAddress, $0.count - 1, &failed)
        }
    )
    defer { free(raw) }
    let text = String(cString: raw)
    try #require(!failed, "\(text)")
    return text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
}

/// Runs a chunk in a state of the host; the lines that it puts out.
private func runInBoundedState(_ main: String, modules: [String: [UInt8]] = [:]) throws -> [String] {
    // A log line holds 400 bytes: a longer one goes in pieces, and an empty one ends it.
    let source = """
        local function put(line)
          for at = 1, #line, 380 do nightjar.log.info("+" .. line:sub(at, at + 379)) end
          nightjar.log.info("")
        end
        \(main)
        """
    var limits = PluginLimits()
    limits.memoryBytes = 256 << 20
    limits.loadTime = .seconds(600)
    limits.fuel = .max
    limits.emissions = 100_000
    let recorder = LineRecorder()
    _ = try PluginHost.load(
        files: [PluginSource(name: "main", file: "main.lua", text: Array(source.utf8), modules: modules)],
        limits: limits,
        registry: MetricRegistry(),
        now: { moment },
        log: { recorder.add($0) }
    )
    return recorder.all.split(omittingEmptySubsequences: false) { $0.message.isEmpty }.dropLast().map {
        $0.map { $0.message.dropFirst() }.joined()
    }
}
