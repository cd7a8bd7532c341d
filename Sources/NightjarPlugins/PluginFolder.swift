import CNightjarLua
import Glibc

/// The folder that plugins are read from (plugin contract, section 2).
package struct PluginFolder: Sendable {
    /// What lies in the folder under one plugin's name.
    package enum Entry: Sendable, Equatable {
        /// A plugin's text.
        case source(PluginSource)
        /// A file that bears a plugin's name but cannot be one.
        case unreadable(PluginFault)
    }

    /// The folder's path.
    package let path: String

    /// A folder; it need not exist yet.
    package init(path: String) { self.path = path }

    /// Why it cannot be told what lies in a folder.
    package struct Unreadable: Error, Sendable {
        /// What the system says.
        package let reason: String
    }

    /// Everything in the folder that bears a plugin's name, by name. A folder that is absent or cannot be read holds nothing.
    package func scan() -> [String: Entry] {
        // Who asks once has nothing else to go on with.
        (try? entries()) ?? [:]
    }

    /// Everything in the folder that bears a plugin's name, by name. An absent folder holds nothing.
    /// - Throws: ``Unreadable`` where the folder is there, but cannot be read now.
    package func entries() throws(Unreadable) -> [String: Entry] {
        // The names can be read without the right to enter, but nothing else.
        guard let real = realPath(path), canEnter(path), let names = names(in: path) else {
            let code = errno
            if isAbsence(code) { return [:] }
            throw Unreadable(reason: errorText(code))
        }
        var entries: [String: Entry] = [:]
        var places: [Place] = []
        for file in names.sorted() {
            guard let name = Self.pluginName(of: file) else { continue }
            let full = path + "/" + file
            let reading: Reading
            let main: String
            if file.hasSuffix(".lua") {
                main = file
                reading = read(name: name, file: file, full: full, root: real)
            } else if isFolder(full), exists(full + "/init.lua"), entries[name] == nil {
                main = file + "/init.lua"
                reading = readFolder(name: name, full: full, root: real)
            } else {
                continue
            }
            entries[name] = reading.entry
            if let found = reading.realPath { places.append(Place(name: name, file: main, realPath: found)) }
        }
        refuseDoubles(among: places, root: real, &entries)
        return entries
    }

    /// Whether a plugin's file is certainly not there. A list of names that is read while files are renamed may lack some.
    func isAbsent(_ name: String) -> Bool {
        !exists(path + "/" + name + ".lua") && !exists(path + "/" + name + "/init.lua")
    }

    private struct Place {
        let name: String
        let file: String
        let realPath: String
    }

    /// A file that links give several names is one plugin: it would count everything several times.
    private func refuseDoubles(among places: [Place], root: String, _ entries: inout [String: Entry]) {
        for (real, places) in Dictionary(grouping: places, by: \.realPath) where places.count > 1 {
            let kept = places.first { root + "/" + $0.file == real } ?? places[0]
            for place in places where place.name != kept.name {
                entries[place.name] = .unreadable(
                    PluginFault(
                        code: .unreadable,
                        plugin: place.name,
                        detail: "\(place.file): is a link to what runs as \(kept.file) already"
                    )
                )
            }
        }
    }

    /// Reads one file as a plugin, wherever it lies; a folder is read by its `init.lua`.
    /// - Throws: ``PluginFault`` where it cannot be read or has no plugin's name.
    package static func read(file path: String) throws(PluginFault) -> PluginSource {
        let base = path.split(separator: "/").last.map(String.init) ?? path
        let name = base.hasSuffix(".lua") ? String(base.dropLast(4)) : base
        guard PluginSource.isName(name) else {
            throw PluginFault(
                code: .unreadable,
                plugin: name,
                detail: "\(base): a plugin's name has only a-z, 0-9, _ and -"
            )
        }
        let folder = PluginFolder(path: path)
        let reading =
            if folder.isFolder(path) {
                folder.readFolder(name: name, full: path, root: nil)
            } else {
                folder.read(name: name, file: base, full: path, root: nil)
            }
        switch reading.entry {
        case .source(let source): return source
        case .unreadable(let fault): throw fault
        case nil:
            let reason = folder.errorText(ENOENT)
            throw PluginFault(code: .unreadable, plugin: name, detail: "\(base): cannot be read: \(reason)")
        }
    }

    /// The plugin that a file or folder of this name is, nil where it is none.
    static func pluginName(of file: String) -> String? {
        guard !file.hasPrefix("."), !file.hasPrefix("_"), !file.hasSuffix("_test.lua") else { return nil }
        let name = file.hasSuffix(".lua") ? String(file.dropLast(4)) : file
        return PluginSource.isName(name) ? name : nil
    }

    /// What reading a plugin gave; no entry where its file went away meanwhile.
    private struct Reading {
        var entry: Entry?
        /// Where the main file is, all links followed; nil where it was not read.
        var realPath: String?
    }

    private func read(name: String, file: String, full: String, root: String?) -> Reading {
        switch contents(of: full, within: root) {
        case .text(let bytes, let real):
            Reading(
                entry: .source(
                    PluginSource(name: name, file: file, text: bytes, folder: root ?? parent(of: full))
                ),
                realPath: real
            )
        case .refused(let reason):
            Reading(
                entry: .unreadable(
                    PluginFault(code: .unreadable, plugin: name, detail: "\(file): \(reason)")
                )
            )
        case .gone: Reading()
        }
    }

    private func readFolder(name: String, full: String, root: String?) -> Reading {
        let file = name + "/init.lua"
        var reading = read(name: name, file: file, full: full + "/init.lua", root: root)
        guard case .source(let main) = reading.entry else { return reading }
        var modules: [String: [UInt8]] = [:]
        for member in (names(in: full) ?? []).sorted() where member.hasSuffix(".lua") && member != "init.lua"
        {
            guard !member.hasPrefix("."), !member.hasPrefix("_"), !member.hasSuffix("_test.lua"),
                case .text(let source, _) = contents(of: full + "/" + member, within: root)
            else { continue }
            modules["\(name).\(member.dropLast(4))"] = source
        }
        reading.entry = .source(
            PluginSource(name: name, file: file, text: main.text, modules: modules, folder: full)
        )
        return reading
    }

    private enum Contents {
        case text([UInt8], realPath: String)
        case refused(String)
        /// The file went away after its name was read.
        case gone
    }

    /// The bytes of a regular file; opening never waits for a writer, and a link may not lead out of `root`.
    private func contents(of full: String, within root: String?) -> Contents {
        guard let real = realPath(full) else {
            let code = errno
            return isAbsence(code) && !exists(full) ? .gone : .refused("cannot be read: \(errorText(code))")
        }
        if let root, !real.hasPrefix(root + "/") {
            return .refused("is a link that leads out of the plugins folder")
        }
        // The path that was looked at, so that a link cannot be turned elsewhere meanwhile.
        let descriptor = open(real, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW)
        guard descriptor >= 0 else {
            let code = errno
            return code == ENOENT ? .gone : .refused("cannot be read: \(errorText(code))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            return .refused("is no regular file")
        }
        guard status.st_size <= Int(NJ_SOURCE_LIMIT) else {
            return .refused("is \(status.st_size) bytes; at most \(NJ_SOURCE_LIMIT) (split it into modules)")
        }
        var bytes = [UInt8](repeating: 0, count: Int(NJ_SOURCE_LIMIT) + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress?.advanced(by: count), $0.count - count, count)
            }
            if got < 0 { return .refused("cannot be read: \(errorText(errno))") }
            if got == 0 { break }
            count += got
        }
        return .text(Array(bytes[..<count]), realPath: real)
    }

    private func parent(of file: String) -> String {
        file.lastIndex(of: "/").map { $0 == file.startIndex ? "/" : String(file[..<$0]) } ?? "."
    }

    /// The names in a folder; nil where it cannot be read.
    private func names(in path: String) -> [String]? {
        guard let folder = opendir(path) else { return nil }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            names.append(name)
        }
        return names
    }

    private func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private func canEnter(_ path: String) -> Bool {
        var status = stat()
        return stat(path + "/.", &status) == 0
    }

    /// Whether there is something of this name, a link to nothing too; where that cannot be told, it is taken to be there.
    private func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 || !isAbsence(errno)
    }

    private func isAbsence(_ code: Int32) -> Bool { code == ENOENT || code == ENOTDIR }

    private func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private func errorText(_ code: Int32) -> String { String(cString: strerror(code)) }
}
