import Foundation
import NightjarTesting

/// The articles on plugins, cut into what stands in them, so that a test can do what they say.
struct Article {
    /// A heading, a paragraph or a fenced block.
    enum Part: Equatable {
        case heading(String)
        case text(String)
        case code(language: String, text: String)
    }

    let parts: [Part]

    init(_ name: String) throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/Nightjar/Nightjar.docc/\(name).md").standardized
        var parts: [Part] = []
        var open: (language: String, lines: [Substring])?
        for line in try String(contentsOf: file, encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false)
        {
            if line.hasPrefix("```") {
                if let block = open {
                    let text = block.lines.map { $0 + "\n" }.joined()
                    parts.append(.code(language: block.language, text: text))
                    open = nil
                } else {
                    open = (String(line.dropFirst(3)), [])
                }
            } else if open != nil {
                open?.lines.append(line)
            } else if line.hasPrefix("#") {
                parts.append(.heading(String(line.drop { $0 == "#" || $0 == " " })))
            } else if !line.isEmpty {
                // The lines of a paragraph are one part.
                if case .text(let before)? = parts.last {
                    parts[parts.count - 1] = .text(before + "\n" + line)
                } else {
                    parts.append(.text(String(line)))
                }
            }
        }
        self.parts = parts
    }

    /// The parts under a heading, up to the next one of any level.
    func section(_ title: String) -> [Part] {
        guard let start = parts.firstIndex(of: .heading(title)) else { return [] }
        return Array(parts[(start + 1)...].prefix { if case .heading = $0 { false } else { true } })
    }

    /// The headings, the first without the title.
    var headings: [String] {
        Array(parts.compactMap { if case .heading(let title) = $0 { title } else { nil } }.dropFirst())
    }
}

extension [Article.Part] {
    /// The blocks of a language.
    func code(_ language: String) -> [String] {
        compactMap { if case .code(language, let text) = $0 { text } else { nil } }
    }
}

/// Does what an article says, in a folder of its own: saves the blocks that it says to save, and runs its commands with the built
/// program. `curl` is this test's own.
final class ArticleRunner {
    let folder: Fixture
    private var server: RunningProcess?
    private var port = 0

    init() throws { folder = try Fixture() }

    /// Whether the built program has `nightjar test`.
    static func hasTests() async throws -> Bool {
        let process = try RunningProcess(RunningProcess.nightjar(), ["--help"])
        _ = try await process.exitCode()
        return process.lines.contains { $0.text.hasPrefix("  test ") }
    }

    /// Runs the lines of a block; what the last one printed, its lines sorted: their order says nothing.
    func run(_ commands: String) async throws -> [String] {
        var output: [String] = []
        for line in commands.split(separator: "\n") { output = try await run(line: String(line)) }
        return output.sorted()
    }

    /// Runs the lines of a block until the last of them prints what is expected; what it printed last.
    func run(_ commands: String, expecting lines: [String]) async throws -> [String] {
        var output = try await run(commands)
        guard server != nil, let last = commands.split(separator: "\n").last else { return output }
        // What is sent is counted a moment later.
        do {
            try await wait(for: "\(lines)", limit: .seconds(20)) {
                output = try await run(line: String(last)).sorted()
                return output == lines
            }
        } catch is WaitError {
            return output
        }
        return output
    }

    private func run(line: String) async throws -> [String] {
        let words = line.split(separator: " ").map(String.init)
        switch words.first {
        case "nightjar" where words.dropFirst().first == "serve": return try await serve(words)
        case "nightjar": return try await finish(RunningProcess.nightjar(), Array(words.dropFirst()))
        case "curl": return try await curl(words)
        default: return try await finish(URL(fileURLWithPath: "/bin/sh"), ["-c", line])
        }
    }

    private func finish(_ program: URL, _ arguments: [String]) async throws -> [String] {
        let process = try RunningProcess(program, arguments, folder: folder.url)
        guard try await process.exitCode() == 0 else { throw ArticleFault(process.errorOutput) }
        return process.output.split(separator: "\n").map(String.init)
    }

    private func serve(_ words: [String]) async throws -> [String] {
        let process = try RunningProcess(
            RunningProcess.nightjar(),
            Array(words.dropFirst()) + ["--listen", "127.0.0.1:0"],
            folder: folder.url
        )
        port = try await process.listeningAddress().port
        server = process
        return []
    }

    /// `curl -s localhost:4318/PATH [--data-binary @FILE] [| grep PATTERN]`.
    private func curl(_ words: [String]) async throws -> [String] {
        guard let address = words.first(where: { $0.hasPrefix("localhost:4318/") }) else {
            throw ArticleFault("no address of the server: \(words)")
        }
        let client = HTTPClient(port: port)
        let path = String(address.dropFirst("localhost:4318".count))
        var answer: HTTPResponse
        if let place = words.firstIndex(of: "--data-binary") {
            let body = try folder.read(String(words[place + 1].dropFirst()))
            answer = try await client.send(
                "POST",
                path,
                headers: [("Content-Type", "application/x-ndjson")],
                body: Array(body.utf8)
            )
        } else {
            answer = try await client.get(path)
        }
        guard answer.status == 200 else { throw ArticleFault("\(answer.status) \(answer.text)") }
        let lines = answer.text.split(separator: "\n").map(String.init)
        guard let grep = words.firstIndex(of: "grep") else { return lines }
        let beginning = words[grep + 1].drop { $0 == "^" }
        return lines.filter { $0.hasPrefix(beginning) }
    }

    /// What the server has said, and what it knows of its plugins.
    func serverSaid(_ text: String) async throws { try await server?.line(containing: text) }

    func plugins() async throws -> HTTPResponse { try await HTTPClient(port: port).get("/api/plugins") }
}

struct ArticleFault: Error, CustomStringConvertible {
    let description: String
    init(_ text: String) { description = text }
}
