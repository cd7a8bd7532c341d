import Foundation

/// How large files are.
enum FileSize {
    /// The bytes of a file; none where there is none.
    static func of(_ path: String) throws -> Int {
        guard FileManager.default.fileExists(atPath: path) else { return 0 }
        return try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
    }
}
