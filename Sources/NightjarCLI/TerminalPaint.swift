import Foundation

/// Colours of a terminal, or none.
struct TerminalPaint: Sendable {
    /// The colours, as a terminal knows them.
    enum Colour: String {
        case dim = "2"
        case bold = "1"
        case red = "31"
        case green = "32"
        case yellow = "33"
        case blue = "34"
        case magenta = "35"
        case cyan = "36"
    }

    let hasColours: Bool

    /// Colours where standard output is a terminal and nobody asked for none (no-color.org).
    static var forOutput: TerminalPaint {
        let isRefused = ProcessInfo.processInfo.environment["NO_COLOR"]?.isEmpty == false
        return TerminalPaint(hasColours: isatty(STDOUT_FILENO) == 1 && !isRefused)
    }

    /// The text in a colour. What a terminal would take for a command is taken out of it.
    func callAsFunction(_ text: String, _ colour: Colour? = nil) -> String {
        let text = TextTable.clean(text)
        guard hasColours, let colour else { return text }
        return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
    }
}
