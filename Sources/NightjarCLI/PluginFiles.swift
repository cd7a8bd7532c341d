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

    /// The plugins of a folder, or the one of a file, and what cannot be read of them.
    /// - Throws: ``Outcome/environment`` where there is nothing of that name, after it has been told.
    static func sources(of path: String) throws -> (sources: [PluginSource], faults: [PluginFault]) {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            complain("\(path) is not there; give the folder of plugins")
            throw Outcome.environment
        }
        let isPlugin = !isFolder.boolValue || FileManager.default.fileExists(atPath: path + "/init.lua")
        guard !isPlugin else {
            do throws(PluginFault) { return ([try PluginFolder.read(file: path)], []) } catch {
                return ([], [error])
            }
        }
        var sources: [PluginSource] = []
        var faults: [PluginFault] = []
        for (_, entry) in PluginFolder(path: path).scan().sorted(by: { $0.key < $1.key }) {
            switch entry {
            case .source(let source): sources.append(source)
            case .unreadable(let fault): faults.append(fault)
            }
        }
        return (sources, faults)
    }

    private static func now() -> Timestamp {
        Timestamp(unixNano: Int64(Date().timeIntervalSince1970 * 1_000_000_000))
    }
}

extension PluginLogLine {
    /// The line with its plugin's name.
    var text: String { (plugin.map { "plugin \($0): " } ?? "") + message }
}
