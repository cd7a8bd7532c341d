import NightjarPlugins
import NightjarSignals

/// The keys below `plugins`.
extension ConfigurationKey {
    static let plugins = [
        ConfigurationKey(
            "plugins.dir",
            .text,
            \.plugins.folder,
            flag: "--plugins",
            "the folder of plugins"
        ),
        ConfigurationKey(
            "plugins.disabled",
            .set("a list of plugins, such as [refunds, tone]", fault: nameFault),
            \.plugins.disabled,
            "plugins that do not run, whatever is said while the server runs"
        ),
        ConfigurationKey(
            "plugins.settings",
            .pluginSettings,
            \.plugins.settings,
            "settings by plugin, over the defaults that it declares"
        ),
        ConfigurationKey(
            "plugins.limits.memory",
            .size,
            \.plugins.limits.memoryBytes,
            "the memory of each state of a plugin"
        ),
        ConfigurationKey(
            "plugins.limits.time",
            .limit,
            \.plugins.limits.callTime,
            "the processor time of a call"
        ),
        ConfigurationKey(
            "plugins.limits.loadTime",
            .limit,
            \.plugins.limits.loadTime,
            "the processor time of loading a file"
        ),
        ConfigurationKey(
            "plugins.limits.fuel",
            .count,
            \.plugins.limits.fuel,
            "steps of work inside library functions for a call"
        ),
        ConfigurationKey(
            "plugins.limits.emissions",
            .count,
            \.plugins.limits.emissions,
            "what plugins may emit for one event, with all that it causes"
        ),
        ConfigurationKey(
            "plugins.limits.share",
            .ratio,
            \.plugins.limits.share,
            "the part of a worker that a slow rule may take, 0 to 1"
        ),
        ConfigurationKey(
            "plugins.testOnReload",
            .flag,
            \.testsPlugins,
            flag: "--test-on-reload",
            "whether a plugin's own tests must pass before it goes live"
        ),
    ]

    @Sendable private static func nameFault(_ name: String) -> String? { PluginSource.nameFault(name) }
}

extension PluginSource {
    /// What is wrong with the name of a plugin, nil where nothing is.
    static func nameFault(_ name: String) -> String? {
        isName(name) ? nil : "\(name) is no name of a plugin; it has only a-z, 0-9, _ and -"
    }
}
