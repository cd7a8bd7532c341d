import ArgumentParser
import Foundation

/// How a command ends when it does not do what was asked.
enum Outcome {
    /// The thing asked about failed: a check, a test.
    static let failed = ExitCode(1)
    /// The command was used wrongly.
    static let usage = ExitCode(2)
    /// The environment does not allow it: a port taken, a disk full, a file that is not there.
    static let environment = ExitCode(3)
}

/// Writes one line to standard error.
func complain(_ line: String) {
    FileHandle.standardError.write(Data("nightjar: \(line)\n".utf8))
}
