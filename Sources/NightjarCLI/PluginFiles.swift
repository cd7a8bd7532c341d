import Foundation
import NightjarBus
import NightjarPlugins
import NightjarSignals

/// Loads plugins for a command; complains about each that does not load.
enum PluginFiles {
    /// Loads files, or all plugins of folders.
    /// - Throws: ``Outcome/failed`` after every fault has been told.
    static func load(
        _ paths: [String],
        registry: MetricRegistry,
        print: @escaping @Sendable (PluginLogLine) -> Void
    ) throws
        -> (names: [String], set: PluginSetSource)
    {
        var sources: [PluginSource] = []
        var faults: [PluginFault] = []
        for path in paths {
            do throws(PluginFault) {
                sources.append(try PluginFolder.read(file: path))
            } catch {
                faults.append(error)
            }
        }
        do throws(PluginFaults) {
            let set = try PluginHost.load(files: sources, registry: registry, now: now, log: print)
            if faults.isEmpty { return (sources.map(\.name), set) }
        } catch {
            faults += error.faults
        }
        for fault in faults { complain("\(fault)") }
        throw Outcome.failed
    }

    /// Loads one plugin that was read already.
    static func load(source: PluginSource, registry: MetricRegistry) throws(PluginFaults) -> PluginSetSource {
        try PluginHost.load(files: [source], registry: registry, now: now)
    }

    /// The plugins of a folder, by name.
    static func entries(of folder: String) -> [String: PluginFolder.Entry] {
        PluginFolder(path: folder).scan()
    }

    private static func now() -> Timestamp {
        Timestamp(unixNano: Int64(Date().timeIntervalSince1970 * 1_000_000_000))
    }
}

extension PluginLogLine {
    /// The line with its plugin's name.
    var text: String { (plugin.map { "plugin \($0): " } ?? "") + message }
}
