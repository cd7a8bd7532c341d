import NightjarBus
package import NightjarSignals

/// A file of tests in a state of its own (plugin contract, section 9). Not Sendable: made and used on one thread, with a stack of
/// 8 MiB or more.
package final class PluginTestScript {
    /// One test.
    package struct Test: Sendable {
        /// What it states.
        package let name: String
        /// Where it begins, as FILE:LINE.
        package let place: String
        /// The settings that the plugin is loaded with.
        package let settings: Value.Object
    }

    /// How a test went wrong.
    package struct Failure: Sendable, Equatable {
        /// What happened, with file and line.
        package let message: String
        /// Where the script was, innermost first.
        package let traceback: String

        /// A failure.
        package init(message: String, traceback: String) {
            self.message = message
            self.traceback = traceback
        }
    }

    /// The tests in the order of the file.
    package let tests: [Test]
    private let instance: PluginInstance
    private let functions: [Int32]

    /// Loads a file of tests; `driver` does what they ask for.
    /// - Throws: ``PluginFault`` with file and line.
    package init(
        _ source: PluginSource,
        driver: any PluginTestDriver,
        now: Timestamp
    ) throws(PluginFault) {
        var limits = PluginLimits()
        // A test runs its plugin's calls within its own, and may send thousands of events.
        limits.callTime = .seconds(20)
        limits.fuel = 2_000_000_000
        instance = try PluginInstance(
            source,
            limits: limits,
            registry: MetricRegistry(),
            settings: [:],
            now: now,
            driver: driver
        )
        var tests: [Test] = []
        for test in instance.declarations.tests {
            let options: Fields
            do throws(DeclarationFault) {
                options = try Fields(test.options ?? .object([:]), of: "test", shape: "nightjar.TestOptions")
                tests.append(
                    Test(name: test.name, place: test.place, settings: try options.table("settings") ?? [:])
                )
            } catch {
                throw PluginFault(code: .load, plugin: source.name, detail: "\(test.place): \(error.text)")
            }
        }
        self.tests = tests
        functions = instance.declarations.tests.map(\.function)
    }

    /// Runs a test; nil where everything was as it expects.
    package func run(_ index: Int) -> Failure? {
        guard let state = instance.state else { return Failure(message: "no state", traceback: "") }
        guard state.test(functions[index], prelude: Self.prelude) != .ok else { return nil }
        return Failure(message: state.failure.message, traceback: state.failure.traceback)
    }

    /// Makes the table `t` of a test. No tail calls: the host's errors are told at the line two levels up, the test's.
    private static let prelude = """
        local host = ...
        local t = {}
        function t.emit(kind, fields)
          if fields == nil then kind, fields = "span_ended", kind end
          local made = host("emit", kind, fields)
          return made
        end
        function t.run(trace) host("run", trace) end
        function t.trace(path)
          local found = host("trace", path)
          return found
        end
        function t.finish() host("finish") end
        function t.advance(seconds) host("advance", seconds) end
        function t.metric(name, labels)
          local value = host("metric", name, labels)
          return value
        end
        for _, list in ipairs { "scores", "feedback", "logs", "errors" } do
          t[list] = function(name)
            local found = host(list, name)
            return found
          end
        end
        t.expect = setmetatable({}, {
          __index = function(_, name)
            return function(...) host("expect." .. tostring(name), ...) end
          end,
        })
        return t
        """
}

/// Runs a body on a thread of its own with a stack that Lua's parser cannot exhaust, and waits for it.
package func onLargeStack(_ body: @escaping @Sendable () -> Void) { runOnLargeStack(body) }
