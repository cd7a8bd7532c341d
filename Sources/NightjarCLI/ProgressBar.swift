import Foundation

/// How far a command is, on one line of a terminal's standard error; elsewhere nothing.
final class ProgressBar {
    private static let width = 30
    private let noun: String
    private let isShown: Bool
    private var last = -1

    /// A bar that counts things of this name.
    init(_ noun: String, isQuiet: Bool) {
        self.noun = noun
        isShown = !isQuiet && isatty(2) == 1
    }

    /// Shows how many are done, of how many; `more` comes behind.
    func show(_ done: Int, of all: Int, _ more: @autoclosure () -> String = "") {
        guard isShown, all > 0 else { return }
        let thousandths = done * 1000 / all
        guard thousandths != last else { return }
        last = thousandths
        let filled = done * Self.width / all
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled)
        write("\r[\(bar)] \(done)/\(all) \(noun)\(more())\u{1B}[K")
    }

    /// Takes the line away.
    func clear() {
        guard isShown, last >= 0 else { return }
        last = -1
        write("\r\u{1B}[K")
    }

    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
