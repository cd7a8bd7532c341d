import NightjarBus

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A file of lines that is appended to and rotates by size. Not thread-safe.
struct LineFile: ~Copyable {
    enum Target {
        case standardOutput
        case path(String)
    }

    private let target: Target
    private let maxBytes: Int
    private let keeping: Int
    /// Open while 0 or more.
    private var descriptor: Int32 = -1
    /// Where the next line begins.
    private var end = 0
    /// Whether it is a file on a disk, which can be cut and synchronised.
    private var isRegular = false
    /// The rest of a line that was begun where nothing can be cut off: it must be written first.
    private var rest: ArraySlice<UInt8> = []
    private var isFinished = false

    init(_ target: Target, maxBytes: Int, keeping: Int) {
        self.target = target
        self.maxBytes = maxBytes
        self.keeping = keeping
    }

    deinit {
        if descriptor > STDOUT_FILENO { close(descriptor) }
    }

    /// Writes whole lines, rotating between two of them where the file would get too large.
    mutating func append(_ lines: [[UInt8]]) throws(ExportError) {
        guard !isFinished else { throw ExportError(code: .shutDown, detail: "is shut down") }
        try openIfNeeded()
        var chunk: [UInt8] = []
        for line in lines {
            if isRegular, end + chunk.count > 0, end + chunk.count + line.count > maxBytes {
                try write(chunk)
                chunk = []
                try rotate()
            }
            chunk += line
        }
        try write(chunk)
    }

    /// Returns when everything written is on the disk.
    mutating func sync() throws(ExportError) {
        guard descriptor >= 0, isRegular else { return }
        guard fsync(descriptor) == 0 else { throw failure("cannot be synchronised to its disk") }
    }

    /// Synchronises and closes; nothing can be written any more.
    mutating func finish() throws(ExportError) {
        isFinished = true
        defer { shut() }
        try sync()
    }

    private mutating func openIfNeeded() throws(ExportError) {
        guard descriptor < 0 else { return }
        switch target {
        case .standardOutput: descriptor = STDOUT_FILENO
        case .path(let path):
            // Without O_NONBLOCK a pipe without a reader would hold the thread.
            descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0o644)
            guard descriptor >= 0 else { throw failure("cannot be opened") }
        }
        var status = stat()
        isRegular = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        // The standard output is someone else's file even where it is one: it is neither cut nor rotated.
        if case .standardOutput = target { isRegular = false }
        end = isRegular ? Int(status.st_size) : 0
        if isRegular { cutTornLine() }
    }

    /// Cuts what a crash left of a line at the end of the file.
    private mutating func cutTornLine() {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var start = end
        while start > 0 {
            let count = min(buffer.count, start)
            guard pread(descriptor, &buffer, count, off_t(start - count)) == count else { return }
            if let newline = buffer[..<count].lastIndex(of: UInt8(ascii: "\n")) {
                start += newline + 1 - count
                break
            }
            start -= count
        }
        if start < end, ftruncate(descriptor, off_t(start)) == 0 { end = start }
    }

    private mutating func write(_ bytes: [UInt8]) throws(ExportError) {
        while !rest.isEmpty {
            let count = put(rest)
            guard count > 0 else { throw failure("cannot be written") }
            rest = rest.dropFirst(count)
        }
        var left = bytes[...]
        while !left.isEmpty {
            let count = put(left)
            guard count > 0 else {
                let failure = failure("cannot be written")
                takeBack(left, of: bytes)
                throw failure
            }
            left = left.dropFirst(count)
        }
        end += bytes.count
    }

    /// After a write that failed with `left` to come: leaves no half of a line.
    private mutating func takeBack(_ left: ArraySlice<UInt8>, of bytes: [UInt8]) {
        guard left.startIndex > 0 else { return }
        if isRegular, ftruncate(descriptor, off_t(end)) == 0 { return }
        guard bytes[left.startIndex - 1] != UInt8(ascii: "\n") else { return }
        let newline = left.firstIndex(of: UInt8(ascii: "\n")) ?? left.endIndex - 1
        rest = left[...newline]
    }

    private func put(_ bytes: ArraySlice<UInt8>) -> Int {
        var count: Int
        repeat {
            count = bytes.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
        } while count < 0 && errno == EINTR
        return count
    }

    private mutating func rotate() throws(ExportError) {
        guard case .path(let path) = target else { return }
        try sync()
        shut()
        if keeping > 1 {
            for number in (1..<keeping).reversed() {
                // The oldest ones need not be there yet.
                _ = rename("\(path).\(number)", "\(path).\(number + 1)")
            }
        }
        let isMoved = keeping > 0 ? rename(path, path + ".1") == 0 : unlink(path) == 0
        guard isMoved else { throw failure("cannot be rotated") }
        try openIfNeeded()
    }

    private mutating func shut() {
        if descriptor > STDOUT_FILENO { close(descriptor) }
        descriptor = -1
        rest = []
    }

    private func failure(_ what: String) -> ExportError {
        let code = errno
        let reason = String(cString: strerror(code))
        let (place, cure) =
            switch target {
            case .standardOutput: ("standard output", "check where it leads to")
            case .path(let path): (path, Self.cure(code, path))
            }
        return ExportError(code: .unavailable, detail: "\(place) \(what): \(reason); \(cure)")
    }

    private static func cure(_ code: Int32, _ path: String) -> String {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        return switch code {
        case ENOENT: "create the folder \(folder)"
        case EACCES, EPERM, EROFS: "let this user write to it and to the folder \(folder)"
        case ENOSPC, EDQUOT: "make room on its disk"
        case EISDIR: "give the path of a file"
        default: "check the path"
        }
    }
}

/// `write` is also the name of what calls it.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
