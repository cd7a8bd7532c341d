import Foundation
import NightjarTesting

/// The OpenTelemetry project's own decoder on the same requests: generated classes for Python, which decode in C.
enum PeerDecoder {
    /// What it said.
    struct Report {
        let spans: Int
        let attributes: Int
        /// Nanoseconds of processor time for a span.
        let spent: Spread
    }

    private static let python = ".build-venv/bin/python"
    private static let program = "Tests/Oracle/time_decoding.py"

    /// Decodes the bodies so often; nil where the Python environment is not there, which `scripts/test` makes.
    static func run(_ bodies: [[UInt8]], runs: Int) throws -> Report? {
        let files = FileManager.default
        guard files.isExecutableFile(atPath: python), files.fileExists(atPath: program) else { return nil }
        let folder = try TemporaryFolder()
        var data = Data()
        for body in bodies {
            withUnsafeBytes(of: UInt64(body.count).littleEndian) { data.append(contentsOf: $0) }
            data.append(contentsOf: body)
        }
        let path = folder.path("requests")
        try data.write(to: URL(fileURLWithPath: path))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [program, path, String(runs)]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let said = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let numbers = String(decoding: said, as: UTF8.self).split(separator: " ").compactMap {
            Double($0.trimmingCharacters(in: .newlines))
        }
        guard process.terminationStatus == 0, numbers.count == runs + 2 else {
            throw BenchFailure(description: "decode: \(program) ended with \(process.terminationStatus)")
        }
        return Report(
            spans: Int(numbers[0]),
            attributes: Int(numbers[1]),
            spent: Spread(numbers[2...].map { $0 / numbers[0] })
        )
    }
}
