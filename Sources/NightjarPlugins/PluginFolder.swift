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

    /// Everything in the folder that bears a plugin's name, by name. An absent folder holds nothing.
    package func scan() -> [String: Entry] {
        guard let real = realPath(path) else { return [:] }
        var entries: [String: Entry] = [:]
        for file in names(in: path).sorted() {
            guard let name = Self.pluginName(of: file) else { continue }
            let full = path + "/" + file
            if file.hasSuffix(".lua") {
                entries[name] = entry(name: name, file: file, full: full, root: real)
            } else if isFolder(full), isRegular(full + "/init.lua"), entries[name] == nil {
                entries[name] = folderEntry(name: name, full: full, root: real)
            }
        }
        return entries
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
        let entry: Entry
        if folder.isFolder(path) {
            entry = folder.folderEntry(name: name, full: path, root: nil)
        } else {
            entry = folder.entry(name: name, file: base, full: path, root: nil)
        }
        switch entry {
        case .source(let source): return source
        case .unreadable(let fault): throw fault
        }
    }

    /// The plugin that a file or folder of this name is, nil where it is none.
    static func pluginName(of file: String) -> String? {
        guard !file.hasPrefix("."), !file.hasPrefix("_"), !file.hasSuffix("_test.lua") else { return nil }
        let name = file.hasSuffix(".lua") ? String(file.dropLast(4)) : file
        return PluginSource.isName(name) ? name : nil
    }

    private func entry(name: String, file: String, full: String, root: String?) -> Entry {
        switch contents(of: full, within: root) {
        case .success(let text):
            .source(PluginSource(name: name, file: file, text: text, folder: root ?? parent(of: full)))
        case .failure(let reason):
            .unreadable(PluginFault(code: .unreadable, plugin: name, detail: "\(file): \(reason.text)"))
        }
    }

    private func folderEntry(name: String, full: String, root: String?) -> Entry {
        let file = name + "/init.lua"
        switch contents(of: full + "/init.lua", within: root) {
        case .failure(let reason):
            return .unreadable(
                PluginFault(code: .unreadable, plugin: name, detail: "\(file): \(reason.text)")
            )
        case .success(let text):
            var modules: [String: [UInt8]] = [:]
            for member in names(in: full).sorted() where member.hasSuffix(".lua") && member != "init.lua" {
                guard !member.hasPrefix("."), !member.hasPrefix("_"), !member.hasSuffix("_test.lua"),
                    case .success(let source) = contents(of: full + "/" + member, within: root)
                else { continue }
                modules["\(name).\(member.dropLast(4))"] = source
            }
            return .source(
                PluginSource(name: name, file: file, text: text, modules: modules, folder: full)
            )
        }
    }

    private struct Reason: Error {
        let text: String
    }

    /// The bytes of a regular file; opening never waits for a writer, and a link may not lead out of `root`.
    private func contents(of full: String, within root: String?) -> Result<[UInt8], Reason> {
        if let root {
            guard let real = realPath(full) else {
                return .failure(Reason(text: "cannot be read: \(errorText())"))
            }
            guard real.hasPrefix(root + "/") else {
                return .failure(Reason(text: "is a link that leads out of the plugins folder"))
            }
        }
        let descriptor = open(full, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { return .failure(Reason(text: "cannot be read: \(errorText())")) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            return .failure(Reason(text: "is no regular file"))
        }
        guard status.st_size <= Int(NJ_SOURCE_LIMIT) else {
            return .failure(
                Reason(text: "is \(status.st_size) bytes; at most \(NJ_SOURCE_LIMIT) (split it into modules)")
            )
        }
        var bytes = [UInt8](repeating: 0, count: Int(NJ_SOURCE_LIMIT) + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress?.advanced(by: count), $0.count - count, count)
            }
            if got < 0 { return .failure(Reason(text: "cannot be read: \(errorText())")) }
            if got == 0 { break }
            count += got
        }
        return .success(Array(bytes[..<count]))
    }

    private func parent(of file: String) -> String {
        file.lastIndex(of: "/").map { $0 == file.startIndex ? "/" : String(file[..<$0]) } ?? "."
    }

    private func names(in path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
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

    private func isRegular(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    private func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private func errorText() -> String { String(cString: strerror(errno)) }
}
