import ArgumentParser
import Foundation
import NightjarPlugins

/// `nightjar new`.
struct NewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Write a plugin to start from, with its test."
    )

    @Argument(help: "The plugin's name: a-z, 0-9, _ and -.")
    var name: String

    @Option(help: "The folder of plugins; made where it is not there.")
    var dir = "plugins"

    func run() throws {
        guard PluginSource.isName(name), !name.hasSuffix("_test") else {
            complain(
                "'\(name)' cannot be a plugin's name: it has a-z, 0-9, _ and -, begins with a letter or digit, "
                    + "and does not end in _test"
            )
            throw Outcome.usage
        }
        let files = [
            ("\(dir)/\(name).lua", PluginTemplate.plugin(name)),
            ("\(dir)/\(name)_test.lua", PluginTemplate.test(name)),
        ]
        // A folder of this name is a plugin too.
        for path in files.map(\.0) + ["\(dir)/\(name)"] where FileManager.default.fileExists(atPath: path) {
            complain("\(path) is there already")
            throw Outcome.failed
        }
        for (path, text) in files {
            do {
                try FileManager.default.createDirectory(atPath: dir, withIntermediateDirectories: true)
                try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .withoutOverwriting)
            } catch {
                complain("\(path) cannot be written: \(error.localizedDescription)")
                throw Outcome.environment
            }
            print("written: \(path)")
        }
    }
}

/// What a new plugin says.
enum PluginTemplate {
    static func plugin(_ name: String) -> String {
        """
        -- \(name): counts tool calls that take long. Change it to what you need; it is live as soon as it is saved.

        nightjar.plugin {
          version = "1",
          description = "Counts tool calls that take long",
          -- Defaults, read back below. The configuration may set others, under plugins.settings.
          settings = { slow_ms = 2000 },
        }

        -- `labels` is the metric's allow-list: another label is dropped, and counted as dropped.
        local slow = nightjar.counter("\(metric(name))", {
          help = "Tool calls that took longer than slow_ms",
          labels = { "tool", "agent" },
        })

        -- The second argument is data, which the host compares: a span that does not match never gets here. A span comes when
        -- it has ended and its agent is known.
        nightjar.on("span_ended", { type = "tool_call", duration_ms = { gt = nightjar.settings.slow_ms } }, function(span)
          slow:add(1, { tool = span.tool, agent = span.agent })
        end)

        """
    }

    static func test(_ name: String) -> String {
        """
        -- Each test has a fresh state of the plugin. Run them with: nightjar test

        test("slow calls are counted by tool and agent", function(t)
          t.emit { type = "tool_call", tool = "search", agent = "support", duration_ms = 2500 }
          t.emit { type = "tool_call", tool = "search", agent = "support", duration_ms = 100 }
          t.expect.metric("\(metric(name))", 1, { tool = "search", agent = "support" })
          t.expect.no_errors()
        end)

        test("what is slow is a setting", { settings = { slow_ms = 50 } }, function(t)
          t.emit { type = "tool_call", tool = "search", agent = "support", duration_ms = 100 }
          t.expect.metric("\(metric(name))", 1)
        end)

        """
    }

    /// A metric's name of a plugin's: it has no - and does not begin with a digit.
    private static func metric(_ name: String) -> String {
        let text = name.map { $0 == "-" ? "_" : $0 }
        return (text.first?.isNumber == true ? "plugin_" : "") + String(text) + "_total"
    }
}
