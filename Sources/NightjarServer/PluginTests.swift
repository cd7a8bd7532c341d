import Nightjar
import NightjarPlugins

/// The tests that lie beside plugins, run before a new version of one goes live.
enum PluginTests {
    /// Tells which tests of a plugin fail.
    static let run: @Sendable (PluginSource) -> [String] = { PluginTestRunner.failures(of: $0) }
}
