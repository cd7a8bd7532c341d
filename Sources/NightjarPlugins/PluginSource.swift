import CNightjarLua
import CNightjarSignals
import NightjarSignals

/// The text of one plugin: its main file, the modules of its folder, and the hash of all of it.
package struct PluginSource: Sendable, Equatable {
    /// The plugin's name: that of its file or folder.
    package let name: String
    /// What messages call the main file.
    package let file: String
    /// The main file's bytes.
    package let text: [UInt8]
    /// The modules that it may require, by name.
    package let modules: [String: [UInt8]]
    /// SHA-256 over everything, in hex.
    package let hash: String
    /// The folder that its data files lie in; nil where it comes from no folder.
    package let folder: String?

    /// A plugin's text.
    package init(
        name: String,
        file: String,
        text: [UInt8],
        modules: [String: [UInt8]] = [:],
        folder: String? = nil
    ) {
        self.folder = folder
        self.name = name
        self.file = file
        self.text = text
        self.modules = modules
        var everything = text
        for (module, source) in modules.sorted(by: { $0.key < $1.key }) {
            everything.append(0)
            everything.append(contentsOf: module.utf8)
            everything.append(0)
            everything.append(contentsOf: source)
        }
        hash = sha256(everything)
    }

    /// Whether a name is one that plugins may have.
    package static func isName(_ name: some StringProtocol) -> Bool {
        let bytes = Array(name.utf8)
        guard let first = bytes.first, bytes.count <= 64, isLowerOrDigit(first) else { return false }
        return bytes.allSatisfy { isLowerOrDigit($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
    }
}

extension PluginSource {
    /// Whether a name is one that data files of plugins may have.
    static func isDataName(_ name: String) -> Bool {
        (name.hasSuffix(".json") || name.hasSuffix(".csv")) && !name.hasPrefix(".") && name.utf8.count <= 128
            && !name.contains { $0 == "/" || $0 == "\0" }
    }
}

private func isLowerOrDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

/// SHA-256 of bytes as lower-case hex.
func sha256(_ bytes: [UInt8]) -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    bytes.withUnsafeBytes { nj_sha256($0.baseAddress, bytes.count, &digest) }
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
