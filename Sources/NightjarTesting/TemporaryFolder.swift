import Foundation

/// A folder of its own for one test, gone when the last reference to it is.
package final class TemporaryFolder: Sendable {
    /// Where it is, without a slash at the end.
    package let path: String

    /// Makes an empty folder.
    package init() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "nightjar-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.path
    }

    /// The path of something in the folder.
    package func path(_ name: String) -> String { path + "/" + name }

    /// Writes a file in the folder, over what was there; its path.
    @discardableResult
    package func write(_ text: String, to name: String) throws -> String {
        let path = path(name)
        try Data(text.utf8).write(to: URL(filePath: path))
        return path
    }

    /// Copies everything as it is now into another folder: what a crash at this moment would leave.
    package func copy(to other: TemporaryFolder) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: path) {
            try FileManager.default.copyItem(atPath: self.path(name), toPath: other.path(name))
        }
    }

    deinit {
        // What cannot be removed is left to the system, which empties its folder for temporary files.
        try? FileManager.default.removeItem(atPath: path)
    }
}
