import Foundation
import NightjarBus
import NightjarPlugins
import NightjarSignals
import Testing

/// The page of the plugins that come along, held against the plugins.
@Suite struct PluginShelfTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../..").standardized

    private static func rows() throws -> [(name: String, adds: String, settings: String)] {
        let page = root.appending(path: "Sources/Nightjar/Nightjar.docc/PluginShelf.md")
        return try String(contentsOf: page, encoding: .utf8).split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|").map(String.init)
            guard cells.count == 3, let name = cells[0].firstMatch(of: /`(\w+)`/) else { return nil }
            return (String(name.1), cells[1], cells[2])
        }
    }

    private static func host() -> PluginHost {
        let host = PluginHost(
            PluginConfiguration(folder: root.appending(path: "plugins").path),
            registry: MetricRegistry(),
            workers: 1,
            now: { moment }
        )
        host.loadAll()
        return host
    }

    @Test func `every plugin loads, has its metrics and scorers in the table, and a test`() throws {
        let rows = try Self.rows()
        #expect(rows.count > 10)
        let status = Self.host().status
        #expect(status.allSatisfy { $0.condition == .running }, "\(status.compactMap(\.loadFault))")
        let listed = Set(rows.map(\.name))
        #expect(Set(status.map(\.name)) == listed.union(["tool_failures", "answer_quality"]))
        for row in rows {
            let plugin = try #require(status.first { $0.name == row.name })
            let named = row.adds.matches(of: /`(\w+)`/).map { String($0.1) }
            let scorers = plugin.rules.map(\.name).filter {
                RuleEvent(rawValue: $0) == nil && !$0.contains(" ")
            }
            #expect(Set(plugin.metrics + scorers) == Set(named), "\(row.name)")
            let test = Self.root.appending(path: "plugins/\(row.name)_test.lua").path
            #expect(FileManager.default.fileExists(atPath: test), "\(row.name)")
        }
    }

    @Test func `the settings in the table are those that plugins declare`() throws {
        for row in try Self.rows() {
            let file = Self.root.appending(path: "plugins/\(row.name).lua").path
            let source = try PluginFolder.read(file: file)
            let names = row.settings.matches(of: /`(\w+)`/).map { String($0.1) }
            for name in names {
                // No setting is of this kind, so that the fault tells whether it is one.
                let fault = fault(source, [name: .null])
                #expect(fault.contains("setting '\(name)' is null"), "\(row.name): \(fault)")
            }
            let text = String(decoding: source.text, as: UTF8.self)
            let read = text.matches(of: /settings\.(\w+)/).map { String($0.1) }
            #expect(Set(read).isSubset(of: names), "\(row.name) reads \(Set(read).subtracting(names))")
        }
    }

    private func fault(_ source: PluginSource, _ settings: Value.Object) -> String {
        do throws(PluginFaults) {
            _ = try PluginHost.load(
                files: [source],
                settings: [source.name: settings],
                registry: MetricRegistry(),
                now: { moment }
            )
            return "it loads"
        } catch {
            return error.description
        }
    }
}
