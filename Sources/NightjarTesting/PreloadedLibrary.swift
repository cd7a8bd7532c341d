import Foundation

/// A library of `Tests/Faults`, to be preloaded into a program: it stands before functions of the C library.
package enum PreloadedLibrary {
    /// Compiles the file of that name; where the library is.
    /// - Throws: `CocoaError` where it does not compile.
    package static func build(_ file: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let source = root.appending(path: "Tests/Faults/\(file)")
        let name = "nightjar-\(file)-\(ProcessInfo.processInfo.processIdentifier).so"
        let library = FileManager.default.temporaryDirectory.appending(path: name).path
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        compiler.arguments =
            ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source.path, "-ldl"]
        try compiler.run()
        compiler.waitUntilExit()
        guard compiler.terminationStatus == 0 else {
            throw CocoaError(.executableLoad, userInfo: [NSFilePathErrorKey: source.path])
        }
        return library
    }
}
