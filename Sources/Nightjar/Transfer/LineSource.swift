import Foundation
import NightjarOTLP

/// The lines of a file or of standard input, gzip or not, read piece by piece. Belongs to one thread at a time.
package final class LineSource {
    /// A line that is longer is refused: no span may be larger than 16 MiB, and it stands there twice.
    private static let lineBytes = 64 << 20
    private static let pieceBytes = 1 << 20

    /// The file's name, for messages.
    package let name: String
    /// How many bytes of the file were read.
    package private(set) var bytesRead = 0
    /// The number of the last line that was given, from 1.
    package private(set) var number = 0
    private let file: FileHandle
    private var gzip: GzipReader?
    private var isAtEnd = false
    private var buffer: [UInt8] = []
    private var start = 0
    private var searched = 0

    /// Opens a file, or standard input for `-`.
    /// - Throws: ``EngineError`` where it cannot be read.
    package init(path: String) throws(EngineError) {
        name = path == "-" ? "standard input" : path
        guard let file = path == "-" ? .standardInput : FileHandle(forReadingAtPath: path) else {
            throw EngineError(code: .unavailable, detail: "\(path) cannot be read; is it there?")
        }
        self.file = file
    }

    /// The next line that is not empty, without its end; nil at the end.
    /// - Throws: ``EngineError`` with the place of what cannot be read.
    package func next() throws(EngineError) -> [UInt8]? {
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(buffer[start..<end])
                (start, searched) = (end + 1, end + 1)
                number += 1
                if !isBlank(line) { return line }
            } else if isAtEnd {
                let line = Array(buffer[start...])
                (start, searched) = (buffer.count, buffer.count)
                guard !isBlank(line) else { return nil }
                number += 1
                return line
            } else {
                try fill()
            }
        }
    }

    private func isBlank(_ line: [UInt8]) -> Bool { line.allSatisfy { $0 <= 0x20 } }

    private func fill() throws(EngineError) {
        buffer.removeFirst(start)
        (start, searched) = (0, buffer.count)
        guard buffer.count <= Self.lineBytes else {
            throw EngineError(
                code: .tooLarge,
                detail:
                    "\(name):\(number + 1): the line is longer than \(Self.lineBytes >> 20) MiB; take it out"
            )
        }
        do {
            let piece = try file.read(upToCount: Self.pieceBytes).map(Array.init) ?? []
            if bytesRead == 0, GzipReader.isGzip(piece) { gzip = GzipReader() }
            bytesRead += piece.count
            isAtEnd = piece.isEmpty
            guard let gzip else {
                buffer += piece
                return
            }
            if isAtEnd { try gzip.end() } else { try gzip.inflate(piece) { buffer.append(contentsOf: $0) } }
        } catch {
            throw EngineError(code: .malformed, detail: "\(name): after line \(number): \(error)")
        }
    }
}

/// Lines as gzip: members one behind the other, which every reader of gzip takes for one stream.
package enum GzipLines {
    /// Some lines as a member.
    /// - Throws: ``EngineError`` where there is no memory for it.
    package static func member(_ lines: [UInt8]) throws(EngineError) -> [UInt8] {
        guard let member = ContentDeflater.gzip(lines) else {
            throw EngineError(code: .unavailable, detail: "no memory to compress \(lines.count) bytes")
        }
        return member
    }
}
