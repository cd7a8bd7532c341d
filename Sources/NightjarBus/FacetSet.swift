import CNightjarSignals
import NightjarSignals

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Names that occur in a trace, in the order in which they came: so many, and each so long, that a list can filter by them. Kept in
/// the form in which they are stored: most traces name the same few again and again, and each is written more than once.
package struct FacetSet: Sendable, Equatable {
    /// Further names are not taken: a trace is not found by them.
    package static let limit = 32
    /// Longer names are cut, in a set and in what is looked for alike; bytes.
    private static let longestName = 256
    /// Stands before, between and behind names in their stored form.
    private static let separator: Character = "\u{1F}"
    private static let separatorByte: UInt8 = 0x1F

    /// The stored form: each name between separators; empty without names.
    package private(set) var joined = ""
    private var count = 0

    /// No names.
    package init() {}

    /// Some names, as far as they fit.
    package init(_ names: some Sequence<String>) {
        for name in names { insert(name) }
    }

    /// Reads the stored form.
    package init(joined text: String) {
        joined = text
        count = max(text.utf8.count { $0 == Self.separatorByte } - 1, 0)
    }

    /// The names.
    package var names: [String] { joined.split(separator: Self.separator).map(String.init) }

    /// Whether there is none.
    package var isEmpty: Bool { joined.isEmpty }

    /// Whether a name is the only one.
    package func isOnly(_ name: String) -> Bool {
        count == 1 && joined.utf8.count == name.utf8.count + 2
            && joined.utf8.dropFirst().dropLast().elementsEqual(name.utf8)
    }

    /// What to look for in the stored form to find a name.
    package static func needle(_ name: String) -> String { FacetSet([name]).joined }

    /// Adds a name that is new; whether it is.
    @discardableResult
    package mutating func insert(_ name: String) -> Bool {
        var name = Self.held(name)
        guard count < Self.limit, !name.isEmpty, !name.withUTF8({ contains(UnsafeRawBufferPointer($0)) })
        else {
            return false
        }
        if joined.isEmpty { joined.append(Self.separator) }
        joined += name
        joined.append(Self.separator)
        count += 1
        return true
    }

    /// Adds a name that is new, making no text of one that is not.
    mutating func insert(_ name: nj_text) {
        guard name.hasBytes, count < Self.limit, !contains(name.buffer), let text = name.string else {
            return
        }
        insert(text)
    }

    private func contains(_ name: UnsafeRawBufferPointer) -> Bool {
        guard count > 0 else { return false }
        let found = joined.utf8.withContiguousStorageIfAvailable { bytes in
            guard let base = bytes.baseAddress, let wanted = name.baseAddress else { return false }
            var start = 1
            while start < bytes.count,
                let separator = memchr(base + start, Int32(Self.separatorByte), bytes.count - start)
            {
                let length = UnsafeRawPointer(separator) - UnsafeRawPointer(base + start)
                if length == name.count, memcmp(base + start, wanted, length) == 0 { return true }
                start += length + 1
            }
            return false
        }
        return found ?? names.contains { $0.utf8.elementsEqual(name) }
    }

    /// A name as a set holds it.
    private static func held(_ name: String) -> String {
        let held = name.utf8.contains(separatorByte) ? String(name.map { $0 == separator ? " " : $0 }) : name
        guard held.utf8.count > longestName else { return held }
        var bytes = 0
        return String(
            held.prefix {
                bytes += $0.utf8.count
                return bytes <= longestName
            }
        )
    }
}
