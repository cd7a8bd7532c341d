import CNightjarLua
import Glibc
import NightjarSignals
import Synchronization

/// A JSON or CSV file that a plugin looks up, flattened into nodes so that a handle is a number. Immutable.
final class DataFile: Sendable {
    /// The largest file.
    static let byteLimit = 16 << 20

    enum Node: Sendable {
        case scalar(Value)
        case list([Int])
        case object(keys: [String], places: [String: Int], children: [Int])
    }

    /// What the file is called, and how it was when it was read.
    let stamp: FileStamp
    private let nodes: [Node]

    /// Reads a file of a folder.
    /// - Throws: ``DeclarationFault`` saying what is wrong with it.
    init(_ name: String, in folder: String) throws(DeclarationFault) {
        guard PluginSource.isDataName(name) else {
            throw DeclarationFault(
                "'\(name)' is no name of a data file; it lies beside the plugin and ends in .json or .csv"
            )
        }
        let path = folder + "/" + name
        guard Self.lies(path, in: folder) else {
            throw DeclarationFault("\(name) is not there, or is a link that leads out of the plugins folder")
        }
        let (bytes, stamp) = try Self.read(path, name)
        self.stamp = stamp
        let value: Value
        if name.hasSuffix(".csv") {
            value = try CSVText.rows(bytes, name)
        } else {
            do throws(JSONError) { value = try Value(jsonBytes: bytes) } catch {
                throw DeclarationFault("\(name) is no JSON: \(error.detail)")
            }
        }
        var nodes: [Node] = []
        Self.add(value, to: &nodes)
        self.nodes = nodes
    }

    private static func read(_ path: String, _ name: String) throws(DeclarationFault) -> ([UInt8], FileStamp)
    {
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else {
            throw DeclarationFault("\(name) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        guard let stamp = FileStamp(descriptor: descriptor, path: path) else {
            throw DeclarationFault("\(name) is no regular file")
        }
        guard stamp.size <= byteLimit else {
            throw DeclarationFault("\(name) is \(stamp.size) bytes; at most 16 MiB")
        }
        var bytes = [UInt8](repeating: 0, count: Int(stamp.size) + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress?.advanced(by: count), $0.count - count, off_t(count))
            }
            guard got > 0 else { break }
            count += got
        }
        return (Array(bytes[..<min(count, Int(stamp.size))]), stamp)
    }

    private static func lies(_ path: String, in folder: String) -> Bool {
        guard let file = realpath(path, nil) else { return false }
        defer { free(file) }
        guard let real = realpath(folder, nil) else { return false }
        defer { free(real) }
        return String(cString: file).hasPrefix(String(cString: real) + "/")
    }

    @discardableResult
    private static func add(_ value: Value, to nodes: inout [Node]) -> Int {
        let place = nodes.count
        nodes.append(.scalar(value))
        switch value {
        case .array(let items):
            nodes[place] = .list(items.map { add($0, to: &nodes) })
        case .object(let object):
            var places: [String: Int] = [:]
            var children: [Int] = []
            for (key, member) in object.entries {
                places[key] = children.count
                children.append(add(member, to: &nodes))
            }
            nodes[place] = .object(keys: object.entries.map(\.key), places: places, children: children)
        default: break
        }
        return place
    }

    /// The node of a handle.
    func node(_ handle: Int) -> Node? { nodes.indices.contains(handle) ? nodes[handle] : nil }

    /// The handle of a node's member by key or, in a list, by place from 1.
    func member(of handle: Int, key: String?, place: Int) -> Int? {
        switch node(handle) {
        case .list(let items): items.indices.contains(place - 1) ? items[place - 1] : nil
        case .object(_, let places, let children): key.flatMap { places[$0] }.map { children[$0] }
        default: nil
        }
    }

    /// The member after a place, in the file's order.
    func next(of handle: Int, after place: Int) -> (key: String?, handle: Int)? {
        switch node(handle) {
        case .list(let items): items.indices.contains(place) ? (nil, items[place]) : nil
        case .object(let keys, _, let children):
            children.indices.contains(place) ? (keys[place], children[place]) : nil
        default: nil
        }
    }

    /// How many items a list has.
    func length(of handle: Int) -> Int { if case .list(let items) = node(handle) { items.count } else { 0 } }
}

/// How a file was when it was looked at: another stamp means that it may have changed.
struct FileStamp: Sendable, Equatable {
    let path: String
    let device: UInt64
    let inode: UInt64
    let size: Int64
    let modified: Int64
    let changed: Int64

    /// The stamp of what a path names; nil where there is no regular file.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status, path)
    }

    /// The stamp of an open file.
    init?(descriptor: Int32, path: String) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        self.init(status, path)
    }

    private init?(_ status: stat, _ path: String) {
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        self.path = path
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
        changed = Int64(status.st_ctim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_ctim.tv_nsec)
    }
}

/// Comma-separated values (RFC 4180): the first line names the columns, each other one is a row.
enum CSVText {
    /// The rows as objects; numbers become numbers.
    /// - Throws: ``DeclarationFault`` with the line of the fault.
    static func rows(_ bytes: [UInt8], _ name: String) throws(DeclarationFault) -> Value {
        var reader = Reader(bytes: bytes)
        guard let header = try reader.record(name) else { return .array([]) }
        var rows: [Value] = []
        while let record = try reader.record(name) {
            guard record.count == header.count else {
                throw DeclarationFault(
                    "\(name), line \(reader.line): \(record.count) values under \(header.count) columns"
                )
            }
            var row = Value.Object()
            for (column, text) in zip(header, record) { row[column] = scalar(text) }
            rows.append(.object(row))
        }
        return .array(rows)
    }

    private static func scalar(_ text: String) -> Value {
        if let whole = Int64(text) { return .int(whole) }
        if let number = Double(text), number.isFinite { return .double(number) }
        return .string(text)
    }

    private struct Reader {
        let bytes: [UInt8]
        var at = 0
        var line = 1

        /// The values of the next record; empty lines are passed over.
        mutating func record(_ name: String) throws(DeclarationFault) -> [String]? {
            while at < bytes.count, bytes[at] == 0x0A || bytes[at] == 0x0D {
                if bytes[at] == 0x0A { line += 1 }
                at += 1
            }
            guard at < bytes.count else { return nil }
            var values: [String] = []
            while true {
                values.append(try value(name))
                guard at < bytes.count, bytes[at] == UInt8(ascii: ",") else { break }
                at += 1
            }
            return values
        }

        private mutating func value(_ name: String) throws(DeclarationFault) -> String {
            var text: [UInt8] = []
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else {
                while at < bytes.count, ![0x2C, 0x0A, 0x0D].contains(bytes[at]) {
                    text.append(bytes[at])
                    at += 1
                }
                return String(decoding: text, as: UTF8.self)
            }
            at += 1
            while at < bytes.count {
                let byte = bytes[at]
                at += 1
                if byte == UInt8(ascii: "\"") {
                    guard at < bytes.count, bytes[at] == byte else {
                        return String(decoding: text, as: UTF8.self)
                    }
                    at += 1
                }
                if byte == 0x0A { line += 1 }
                text.append(byte)
            }
            throw DeclarationFault("\(name), line \(line): a quote without an end")
        }
    }
}

/// The data files of one version of a plugin, read once for all of its states. Safe to use from any thread.
final class DataFiles: Sendable {
    private let files = Mutex<[(name: String, file: DataFile)]>([])

    /// The number of a file, read if it is asked for the first time.
    func number(of name: String, in folder: String) throws(DeclarationFault) -> Int {
        if let known = files.withLock({ $0.firstIndex { $0.name == name } }) { return known }
        let file = try DataFile(name, in: folder)
        return files.withLock { files in
            files.append((name, file))
            return files.count - 1
        }
    }

    /// The file of a number.
    func file(_ number: Int) -> DataFile? {
        files.withLock { $0.indices.contains(number) ? $0[number].file : nil }
    }

    /// How the files were when they were read.
    var stamps: [FileStamp] { files.withLock { $0.map(\.file.stamp) } }
}
