package import Foundation

/// A folder of a test's own, gone with the object: empty, or a copy of another.
package final class Fixture: Sendable {
    /// The folder.
    package let url: URL

    /// An empty folder.
    package init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "nightjar-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    /// A copy of a folder.
    package init(copying source: URL) throws {
        url = FileManager.default.temporaryDirectory.appending(path: "nightjar-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: source, to: url)
    }

    deinit {
        // What cannot be removed stays in the folder that the system empties.
        try? FileManager.default.removeItem(at: url)
    }

    /// The path of the folder, or of something in it.
    package func path(_ name: String = "") -> String {
        name.isEmpty ? url.path : url.appending(path: name).path
    }

    /// Writes a file whole: it appears under its name when it is complete. Folders on the way are made.
    package func write(_ text: String, to name: String) throws {
        let file = url.appending(path: name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: file, options: .atomic)
    }

    /// The text of a file.
    package func read(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: url.appending(path: name)), as: UTF8.self)
    }

    /// Removes a file or folder.
    package func remove(_ name: String) throws {
        try FileManager.default.removeItem(at: url.appending(path: name))
    }
}
