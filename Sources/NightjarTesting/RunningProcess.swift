package import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// A program that runs beside a test, usually the built `nightjar`. Killed with the object if it still runs.
package final class RunningProcess: Sendable {
    /// Where a line came from.
    package enum Source: Sendable {
        /// Standard output.
        case output
        /// Standard error.
        case error
    }

    private let child: ChildProcess
    private let said: SaidLines

    /// Starts a program. Its environment is the test's own without Nightjar's configuration, the given variables on top.
    /// - Throws: what the system says when the program cannot be started.
    package init(
        _ program: URL,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        folder: URL? = nil
    ) throws {
        let said = SaidLines()
        let inherited = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("NIGHTJAR_") }
        child = try ChildProcess(
            program.path,
            arguments,
            environment: inherited.merging(environment) { $1 },
            folder: folder?.path
        ) { output, error in
            said.collect(output, .output)
            said.collect(error, .error)
        }
        self.said = said
    }

    deinit { child.signal(SIGKILL) }

    /// The built `nightjar`, beside the test bundle; `NIGHTJAR_BINARY` names another.
    /// - Throws: `CocoaError` when it is not built.
    package static func nightjar() throws -> URL {
        let named = ProcessInfo.processInfo.environment["NIGHTJAR_BINARY"].map { URL(fileURLWithPath: $0) }
        let bundles = Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() }
        let beside = [URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()] + bundles
        let candidates = [named].compactMap(\.self) + beside.map { $0.appending(path: "nightjar") }
        guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) })
        else {
            throw CocoaError(.fileNoSuchFile, userInfo: [NSFilePathErrorKey: "nightjar (build it first)"])
        }
        return found
    }

    /// The process's number.
    package var id: Int32 { child.id }

    /// Everything said so far, in the order in which it was read.
    package var lines: [(source: Source, text: String)] { said.lines }

    /// Everything said so far on standard output, one string.
    package var output: String { text(of: .output) }

    /// Everything said so far on standard error, one string.
    package var errorOutput: String { text(of: .error) }

    /// The first line that contains `text`, as soon as it is there.
    /// - Throws: ``WaitError`` with what was said instead, at the limit or when the process has ended without it.
    @discardableResult
    package func line(containing text: String, limit: Duration = .seconds(60)) async throws -> String {
        try await answer(to: "a line with \"\(text)\"", limit: limit) { line in
            line.contains(text) ? line : nil
        }
    }

    /// Where a server says that it listens: the first `HOST:PORT` with an IPv4 address or `localhost` that it prints.
    /// - Throws: ``WaitError`` with what was said instead.
    package func listeningAddress(limit: Duration = .seconds(30)) async throws -> (host: String, port: Int) {
        try await answer(to: "an address", limit: limit) { line in
            guard let match = line.firstMatch(of: /(\d+\.\d+\.\d+\.\d+|localhost):(\d+)/),
                let port = Int(match.2), port > 0
            else { return nil }
            return (String(match.1), port)
        }
    }

    /// Sends a signal, like `SIGTERM`.
    package func signal(_ number: Int32) { child.signal(number) }

    /// The exit code, as soon as the process has ended and all that it said is read; minus the signal that ended it.
    /// - Throws: ``WaitError`` with what was said so far.
    package func exitCode(limit: Duration = .seconds(30)) async throws -> Int32 {
        try await wait(for: "the end of process \(id)", limit: limit, detail: transcript) {
            said.isComplete ? child.result : nil
        }
    }

    private func answer<Answer>(
        to event: String,
        limit: Duration,
        _ read: (String) -> Answer?
    ) async throws -> Answer {
        let found = try await wait(for: event, limit: limit, detail: transcript) { () -> Answer?? in
            // Asked before looking: what is said between the two would be missed the other way round.
            let isComplete = said.isComplete
            for line in said.lines { if let answer = read(line.text) { return .some(answer) } }
            return isComplete ? .some(nil) : nil
        }
        guard let found else {
            throw WaitError(event: event, limit: limit, detail: "it ended first\n\(transcript)")
        }
        return found
    }

    private func text(of source: Source) -> String {
        said.lines.filter { $0.source == source }.map { $0.text + "\n" }.joined()
    }

    private var transcript: String { said.lines.suffix(50).map(\.text).joined(separator: "\n") }
}

/// The lines of both streams of a process, read on threads of their own.
private final class SaidLines: Sendable {
    private struct State {
        var lines: [(source: RunningProcess.Source, text: String)] = []
        var streams = 2
    }

    private let state = Mutex(State())

    var lines: [(source: RunningProcess.Source, text: String)] { state.withLock { $0.lines } }

    /// Whether both streams have ended.
    var isComplete: Bool { state.withLock { $0.streams == 0 } }

    func collect(_ stream: Int32, _ source: RunningProcess.Source) {
        Thread.detachNewThread { [self] in
            var rest: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = read(stream, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                for byte in buffer[..<count] {
                    guard byte == UInt8(ascii: "\n") else {
                        rest.append(byte)
                        continue
                    }
                    add(rest, source)
                    rest = []
                }
            }
            if !rest.isEmpty { add(rest, source) }
            close(stream)
            state.withLock { $0.streams -= 1 }
        }
    }

    private func add(_ line: [UInt8], _ source: RunningProcess.Source) {
        state.withLock { $0.lines.append((source, String(decoding: line, as: UTF8.self))) }
    }
}
