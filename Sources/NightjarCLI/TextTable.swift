/// Tables for people.
enum TextTable {
    /// An empty line, the head and the rows, in columns padded to their widest cell; nothing for no rows. What a terminal would
    /// take for a command is shown as a space: cells hold what came from outside.
    static func text(_ head: [String], _ rows: [[String]]) -> String {
        guard !rows.isEmpty else { return "" }
        let all = [head] + rows.map { $0.map(clean) }
        let widths = head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return "\n"
            + all.map { row in
                let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
                return String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed()) + "\n"
            }.joined()
    }

    /// The text with a space for each character that a terminal would take for a command.
    static func clean(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: scalars.append(" ")
            default: scalars.append(scalar)
            }
        }
        return String(scalars)
    }
}
