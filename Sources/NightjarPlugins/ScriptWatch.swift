import Synchronization

/// Calls back when one of some scripts, or a data file that one of them reads, has changed: by the same watch as the plugins
/// folder. Safe to use from any thread.
package final class ScriptWatch: Sendable {
    private struct State {
        /// What each script was when it was last looked at.
        var marks: [String: String] = [:]
        var data: [FileStamp] = []
        var emptied: Set<String> = []
    }

    private let scripts: [String]
    private let watches: [FolderWatch]
    private let state: Mutex<State>

    /// A watch of scripts; it looks at them now, and calls nobody before it is started.
    package init(_ scripts: [String]) {
        self.scripts = scripts
        watches = Set(scripts.map(Self.folder)).sorted().map { FolderWatch(path: $0) }
        var state = State()
        for script in scripts { state.marks[script] = Self.mark(script).mark }
        self.state = Mutex(state)
    }

    /// Starts calling `changed`, on a thread of its own; once for each save.
    package func start(_ changed: @escaping @Sendable () -> Void) {
        for watch in watches {
            watch.start { [weak self] _ in
                guard self?.hasChanged() == true else { return false }
                changed()
                return true
            }
        }
    }

    /// Follows the data files that the plugins of these sets have read, and no others.
    package func follow(_ sets: [PluginSetSource]) {
        let stamps = sets.flatMap(\.current.dataStamps)
        state.withLock { $0.data = stamps }
    }

    /// Ends the calls; returns when none is under way.
    package func stop() {
        for watch in watches { watch.stop() }
    }

    private func hasChanged() -> Bool {
        let marks = scripts.map { (script: $0, found: Self.mark($0)) }
        return state.withLock { state in
            var hasChanged = false
            for (script, found) in marks where state.marks[script] != found.mark {
                // An editor may empty a file before it writes it anew: it counts when it is still so at the next look.
                if found.isEmpty, state.emptied.insert(script).inserted { continue }
                state.emptied.remove(script)
                state.marks[script] = found.mark
                hasChanged = true
            }
            for (place, stamp) in state.data.enumerated() {
                guard let now = FileStamp(path: stamp.path), now != stamp else { continue }
                state.data[place] = now
                hasChanged = true
            }
            return hasChanged
        }
    }

    private static func mark(_ script: String) -> (mark: String, isEmpty: Bool) {
        do throws(PluginFault) {
            let source = try PluginFolder.read(file: script)
            return (source.hash, source.text.isEmpty)
        } catch {
            return (error.detail, false)
        }
    }

    private static func folder(of script: String) -> String {
        let path = script.hasSuffix("/") ? String(script.dropLast()) : script
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
