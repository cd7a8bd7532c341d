import Glibc

/// What the kernel tells of a plugins folder: that something changed, and whose files are being written just now.
struct FolderEvents {
    /// A file that is being written is left alone for so long after its last change, unless its writer closes it earlier.
    private static let quietNanoseconds: Int64 = 200_000_000

    /// The kernel's queue, -1 where there is none.
    private(set) var descriptor: Int32 = -1
    /// Whether a folder came or went, so that ``watch()`` has something to do.
    private(set) var isOutdated = false
    private let path: String
    private let parent: String
    private let base: String
    private var root: Int32 = -1
    private var outside: Int32 = -1
    /// The plugins that are folders, by their watches.
    private var folders: [Int32: String] = [:]
    private var writing: [FileKey: Writing] = [:]

    private struct FileKey: Hashable {
        let watch: Int32
        let name: String
    }

    private struct Writing {
        let plugin: String
        let lastChange: Int64
    }

    init(path: String) {
        var trimmed = path[...]
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        self.path = String(trimmed)
        let slash = trimmed.lastIndex(of: "/")
        base = String(slash.map { trimmed[trimmed.index(after: $0)...] } ?? trimmed)
        parent = slash.map { $0 == trimmed.startIndex ? "/" : String(trimmed[..<$0]) } ?? "."
    }

    func stop() { if descriptor >= 0 { close(descriptor) } }

    /// The plugins whose files are being written.
    var unsettled: Set<String> { Set(writing.values.map(\.plugin)) }

    /// When the next file that is being written will have been quiet for long enough.
    var nextRest: Int64? { writing.values.map(\.lastChange).min().map { $0 + Self.quietNanoseconds } }

    /// Lets go of files that nobody has written to for a while; whether there were any.
    mutating func rest(at now: Int64) -> Bool {
        let before = writing.count
        writing = writing.filter { now - $0.value.lastChange < Self.quietNanoseconds }
        return writing.count < before
    }

    /// Watches the folder that the path names now, its folders, and the folder it lies in.
    mutating func watch() {
        isOutdated = false
        // Kept from turn to turn: what happens between a scan and the next wait must not be missed.
        if descriptor < 0 { descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC)) }
        guard descriptor >= 0 else { return }
        let moves = UInt32(IN_CREATE) | UInt32(IN_DELETE) | UInt32(IN_MOVED_TO) | UInt32(IN_MOVED_FROM)
        let mask =
            moves | UInt32(IN_CLOSE_WRITE) | UInt32(IN_MODIFY) | UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF)
        outside = inotify_add_watch(descriptor, parent, moves)
        var old = Set(folders.keys)
        if root >= 0 { old.insert(root) }
        root = inotify_add_watch(descriptor, path, mask)
        if root == outside { outside = -1 }
        folders = [:]
        for name in folderNames() {
            let watch = inotify_add_watch(descriptor, path + "/" + name, mask | UInt32(IN_ONLYDIR))
            // A link may lead back to what is watched already.
            if watch >= 0, watch != root, watch != outside { folders[watch] = name }
        }
        // A path that names another folder than before leaves the old one's watches behind.
        for watch in old.subtracting(folders.keys) where watch != root && watch != outside {
            inotify_rm_watch(descriptor, watch)
        }
    }

    /// Takes all events; whether anything changed besides files that are still being written. Plugins whose files were
    /// written to are added to `written`, finished or not.
    mutating func take(written: inout Set<String>) -> Bool {
        guard descriptor >= 0 else { return false }
        var hasChanged = false
        var buffer = [UInt8](repeating: 0, count: 4096)
        let head = MemoryLayout<inotify_event>.size
        while true {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return hasChanged }
            var at = 0
            while at + head <= count {
                let event = buffer.withUnsafeBytes {
                    $0.loadUnaligned(fromByteOffset: at, as: inotify_event.self)
                }
                let end = at + head + Int(event.len)
                let name = String(decoding: buffer[(at + head)..<end].prefix { $0 != 0 }, as: UTF8.self)
                if note(event.mask, FileKey(watch: event.wd, name: name), &written) { hasChanged = true }
                at = end
            }
        }
    }

    /// Notes one event; whether it is a change of something that nobody is writing.
    private mutating func note(_ mask: UInt32, _ file: FileKey, _ written: inout Set<String>) -> Bool {
        if mask & UInt32(IN_Q_OVERFLOW) != 0 {
            // Whoever closed a file meanwhile was not heard.
            writing = [:]
            isOutdated = true
            return true
        }
        if file.watch == outside {
            guard file.name == base else { return false }
            isOutdated = true
            return true
        }
        guard file.watch == root || folders[file.watch] != nil else { return false }
        if mask & UInt32(IN_IGNORED) != 0 {
            if file.watch == root { root = -1 }
            folders[file.watch] = nil
            isOutdated = true
            return true
        }
        if mask & UInt32(IN_ISDIR) != 0 { isOutdated = true }
        let isWrite =
            mask & UInt32(IN_MODIFY) != 0 || mask & UInt32(IN_CREATE | IN_ISDIR) == UInt32(IN_CREATE)
        let plugin = folders[file.watch] ?? PluginFolder.pluginName(of: file.name)
        guard isWrite else {
            writing[file] = nil
            return true
        }
        guard let plugin else { return mask & UInt32(IN_CREATE) != 0 }
        written.insert(plugin)
        writing[file] = Writing(plugin: plugin, lastChange: monotonicNow())
        return false
    }

    private func folderNames() -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if PluginSource.isName(name) { names.append(name) }
        }
        return names
    }
}
