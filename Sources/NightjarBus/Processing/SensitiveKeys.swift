/// The keys whose values are secrets. Keys are compared in their normal form: lower case, letters and digits only.
package final class SensitiveKeys: @unchecked Sendable {
    // Unchecked: the tables are written before the initialiser returns and only read afterwards.

    /// A name that is one only where it is the whole key: at the end of a path it names what something is looked up by, as in
    /// `messaging.kafka.message.key`, `aws.s3.key` and `fastmcp.component.key`.
    private static let plain = "key"

    private let names: Set<String>
    // Lengths in bytes.
    private let shortest: Int
    private let longest: Int
    /// Hashes of the names by open addressing; 0 is free.
    private let hashes: UnsafeMutableBufferPointer<UInt64>
    /// Tells nearly every other key apart by its last bytes.
    let endings: KeyEndings

    /// The keys given, in any spelling.
    package init(_ keys: [String]) {
        names = Set(keys.map(Self.normalised)).subtracting([""])
        shortest = names.map(\.utf8.count).min() ?? .max
        longest = names.map(\.utf8.count).max() ?? 0
        var size = 16
        while size < names.count * 4 { size *= 2 }
        hashes = .allocate(capacity: size)
        hashes.initialize(repeating: 0)
        endings = KeyEndings(names)
        for name in names { Array(name.utf8).withUnsafeBytes { add($0) } }
    }

    deinit {
        hashes.deallocate()
        endings.deallocate()
    }

    /// Whether there is no key.
    package var isEmpty: Bool { names.isEmpty }

    /// The normal form of a key that is sensitive; nil for any other.
    package func name(of key: UnsafeRawBufferPointer) -> String? {
        guard mayEnd(key), mayBeListed(key) else { return nil }
        return listed(key)
    }

    /// The normal form of a sensitive attribute key. An attribute's key is a path whose segments are joined by points, so that
    /// its last segment counts as well as the whole; indices behind it, as of lists that were spread over keys, do not.
    package func name(ofAttribute key: UnsafeRawBufferPointer) -> String? {
        guard mayEnd(attribute: key) else { return nil }
        if let name = name(ofPath: key) { return name }
        var end = key.count
        while true {
            var start = end
            while start > 0, key[start - 1] &- UInt8(ascii: "0") < 10 { start -= 1 }
            guard start < end, start > 0, key[start - 1] == UInt8(ascii: ".") else { break }
            end = start - 1
        }
        return end < key.count ? name(ofPath: UnsafeRawBufferPointer(rebasing: key[..<end])) : nil
    }

    private func name(ofPath path: UnsafeRawBufferPointer) -> String? {
        // The whole and its last segment end alike.
        guard mayEnd(path) else { return nil }
        var start = path.count
        while start > 0, path[start - 1] != UInt8(ascii: ".") { start -= 1 }
        if start > 0, let name = name(of: UnsafeRawBufferPointer(rebasing: path[start...])),
            name != Self.plain
        {
            return name
        }
        return name(of: path)
    }

    /// Whether an attribute key may be sensitive, by its last bytes: nearly all are not.
    @inline(__always)
    func mayEnd(attribute key: UnsafeRawBufferPointer) -> Bool {
        guard let last = key.last else { return false }
        return last &- UInt8(ascii: "0") < 10 || mayEnd(key)
    }

    @inline(__always)
    private func mayEnd(_ key: UnsafeRawBufferPointer) -> Bool {
        let count = key.count
        guard count >= 3 else { return count >= shortest }
        return endings.mayHave(key[count - 3], key[count - 2], key[count - 1])
    }

    private func add(_ name: UnsafeRawBufferPointer) {
        guard let hash = hash(name), hash != 0 else { return }
        var at = Int(truncatingIfNeeded: hash) & (hashes.count - 1)
        while hashes[at] != 0 { at = (at + 1) & (hashes.count - 1) }
        hashes[at] = hash
    }

    /// False where the key is surely not listed.
    private func mayBeListed(_ key: UnsafeRawBufferPointer) -> Bool {
        guard let hash = hash(key) else { return true }
        guard hash != 0 else { return false }
        var at = Int(truncatingIfNeeded: hash) & (hashes.count - 1)
        while hashes[at] != 0 {
            if hashes[at] == hash { return true }
            at = (at + 1) & (hashes.count - 1)
        }
        return false
    }

    @inline(never)
    private func listed(_ key: UnsafeRawBufferPointer) -> String? {
        let name = Self.normalised(String(decoding: key, as: UTF8.self))
        return names.contains(name) ? name : nil
    }

    /// The hash of a key's normal form, FNV-1a; nil where the key is not ASCII, 0 where it is longer than any name.
    private func hash(_ key: UnsafeRawBufferPointer) -> UInt64? {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        var room = longest
        for byte in key {
            guard byte < 0x80 else { return nil }
            let letter = endings.folded[Int(byte)]
            guard letter != 0 else { continue }
            guard room > 0 else { return 0 }
            room -= 1
            // Sets a letter's bit for lower case; digits have it.
            hash = (hash ^ UInt64(byte | 0x20)) &* 0x0000_0100_0000_01B3
        }
        return hash | 1
    }

    private static func normalised(_ key: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in key.lowercased().unicodeScalars
        where scalar.properties.isAlphabetic || scalar.properties.numericType != nil {
            scalars.append(scalar)
        }
        return String(scalars)
    }
}
