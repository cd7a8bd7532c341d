import Foundation
import Testing

/// The articles' Swift is the code of `DocumentedSignals` and `DocumentedPipeline`, which is compiled and run: neither can
/// change without the other.
@Suite struct DocumentationTests {
    private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    private static let catalogue = tests.appendingPathComponent("../../Sources/Nightjar/Nightjar.docc")
        .standardized
    private static let example = tests.appendingPathComponent("../Examples/ShopService/Sources/ShopService")
        .standardized

    @Test func `all Swift of the articles is compiled and run, word for word`() throws {
        let compiled = Set(try Self.compiled())
        for (article, block) in try Self.written() where !compiled.contains(block) {
            Issue.record(
                "\(article) has Swift that no Documented….swift holds between // doc and // end:\n\(block)"
            )
        }
    }

    @Test func `all code that is marked for the articles is in one`() throws {
        let written = Set(try Self.written().map(\.block))
        #expect(written.count > 10)
        for block in try Self.compiled() where !written.contains(block) {
            Issue.record("no article holds:\n\(block)")
        }
    }

    @Test func `every article is listed on the first page, and every link leads to one`() throws {
        let files = try Self.files(in: Self.catalogue, ending: ".md")
        let articles = Set(files.map { $0.deletingPathExtension().lastPathComponent }).subtracting([
            "Nightjar"
        ])
        for file in files {
            let text = try String(contentsOf: file, encoding: .utf8)
            let links = Set(text.matches(of: /\bdoc:(\w+)/).map { String($0.output.1) })
            #expect(links.isSubset(of: articles), "\(file.lastPathComponent)")
            if file.lastPathComponent == "Nightjar.md" { #expect(links == articles) }
        }
    }

    /// What stands between `// doc` and `// end`, without the indentation that is common to its lines.
    private static func compiled() throws -> [String] {
        let own = try files(in: tests, ending: ".swift")
            .filter { $0.lastPathComponent.hasPrefix("Documented") }
        // The example is compiled, and run, by itself.
        let example = try files(in: example, ending: ".swift")
        return try (own + example).flatMap { try blocks(of: $0, from: "// doc", to: "// end") }
    }

    private static func written() throws -> [(article: String, block: String)] {
        try files(in: catalogue, ending: ".md").flatMap { file in
            try blocks(of: file, from: "```swift", to: "```").map { (file.lastPathComponent, $0) }
        }
    }

    private static func files(in folder: URL, ending suffix: String) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.lastPathComponent.hasSuffix(suffix) }
            .sorted { $0.path < $1.path }
    }

    private static func blocks(of file: URL, from start: String, to end: String) throws -> [String] {
        var blocks: [String] = []
        var open: [Substring]?
        for line in try String(contentsOf: file, encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false)
        {
            switch line.trimmingCharacters(in: .whitespaces) {
            case start where open == nil: open = []
            case end where open != nil:
                blocks.append(flush(open ?? []))
                open = nil
            default: open?.append(line)
            }
        }
        #expect(open == nil, "\(file.lastPathComponent) has a \(start) without its \(end)")
        return blocks
    }

    /// The lines at the left margin.
    private static func flush(_ lines: [Substring]) -> String {
        let margin = lines.filter { !$0.isEmpty }.map { $0.prefix { $0 == " " }.count }.min() ?? 0
        return lines.map { $0.dropFirst(margin) }.joined(separator: "\n")
    }
}
