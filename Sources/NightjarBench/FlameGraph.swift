import Foundation

/// Draws a tree of calls as an SVG: callers above what they call, as wide as their part of the samples. Readable on light and on
/// dark pages.
package struct FlameGraph {
    private static let width = 1200.0
    private static let rowHeight = 18.0
    private static let margin = 10.0
    private static let head = 46.0
    /// Of the font at its size.
    private static let characterWidth = 6.65
    /// What is narrower says nothing.
    private static let narrowest = 3.0

    private static let mostRows = 24

    private let title: String
    private let tree: CallTree

    /// A picture of a tree under a title.
    package init(title: String, tree: CallTree) { (self.title, self.tree) = (title, tree) }

    /// The picture.
    package var svg: String {
        var boxes: [String] = []
        var rows = 0
        place(tree, at: Self.margin, width: Self.width - 2 * Self.margin, row: 0, into: &boxes, &rows)
        let height = Self.head + Double(rows) * Self.rowHeight + 34
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width)) \(Int(height))" \
            width="\(Int(Self.width))" height="\(Int(height))" role="img" aria-label="\(Self.escaped(title))">
            <style>\(Self.style)</style>
            <rect class="page" width="100%" height="100%"/>
            <text class="title" x="\(Int(Self.margin))" y="28">\(Self.escaped(title))</text>
            \(boxes.joined(separator: "\n"))
            \(legend(y: height - 12))
            </svg>

            """
    }

    private func place(
        _ node: CallTree,
        at x: Double,
        width: Double,
        row: Int,
        into boxes: inout [String],
        _ rows: inout Int
    ) {
        guard width >= Self.narrowest, row < Self.mostRows else { return }
        rows = max(rows, row + 1)
        let y = Self.head + Double(row) * Self.rowHeight
        let share = String(format: "%.1f %%", Double(node.samples) / Double(max(tree.samples, 1)) * 100)
        let (left, top) = (Self.text(x), Self.text(y))
        let size = "width=\"\(Self.text(width - 0.5))\" height=\"\(Int(Self.rowHeight) - 1)\""
        boxes.append(
            "<g><title>\(Self.escaped(node.name)), \(share)</title>"
                + "<rect class=\"\(Self.kind(node.part))\" x=\"\(left)\" y=\"\(top)\" \(size)/>"
                + label(node, share, x: x, y: y, width: width) + "</g>"
        )
        var place = x
        for child in node.children.sorted(by: { ($0.samples, $1.name) > ($1.samples, $0.name) }) {
            let part = width * Double(child.samples) / Double(max(node.samples, 1))
            self.place(child, at: place, width: part, row: row + 1, into: &boxes, &rows)
            place += part
        }
    }

    /// As much of the name as fits, with its share where there is room for that too.
    private func label(_ node: CallTree, _ share: String, x: Double, y: Double, width: Double) -> String {
        let room = Int((width - 6) / Self.characterWidth)
        let full = "\(node.name) \(share)"
        let shown: String
        if full.count <= room {
            shown = full
        } else if node.name.count <= room {
            shown = node.name
        } else if room >= 5 {
            shown = node.name.prefix(room - 1) + "…"
        } else {
            return ""
        }
        return "<text x=\"\(Self.text(x + 3))\" y=\"\(Self.text(y + 12.5))\">\(Self.escaped(shown))</text>"
    }

    private func legend(y: Double) -> String {
        var x = Self.margin
        return ProfilePart.allCases.map { part in
            defer { x += 26 + Double(part.rawValue.count) * Self.characterWidth }
            let (left, top) = (Self.text(x), Self.text(y - 10))
            return
                "<rect class=\"\(Self.kind(part))\" x=\"\(left)\" y=\"\(top)\" width=\"12\" height=\"12\"/>"
                + "<text class=\"key\" x=\"\(Self.text(x + 17))\" y=\"\(Self.text(y))\">\(Self.escaped(part.rawValue))</text>"
        }.joined(separator: "\n")
    }

    // MARK: - Text and colours

    private static let colours: [(part: ProfilePart, light: String, dark: String)] = [
        (.http, "#a9d5f5", "#1f5f8b"), (.decoding, "#b9e3b4", "#2c6b35"), (.settling, "#f6dd92", "#7d6414"),
        (.rules, "#d9c2f0", "#5f4387"), (.store, "#f8bd9c", "#8b4a25"), (.kernel, "#d4d7dc", "#4a4f57"),
        (.other, "#e6e1d6", "#3a3832"),
    ]

    private static var style: String {
        let light = colours.map { ".\(kind($0.part)){fill:\($0.light)}" }.joined()
        let dark = colours.map { ".\(kind($0.part)){fill:\($0.dark)}" }.joined()
        return "text{font:11px ui-monospace,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;fill:#16181b}"
            + ".title{font:600 15px system-ui,\"DejaVu Sans\",sans-serif}.page{fill:#ffffff}\(light)"
            + "@media(prefers-color-scheme:dark){text{fill:#f2f3f5}.page{fill:#1b1d21}\(dark)}"
    }

    private static func kind(_ part: ProfilePart) -> String { "\(part)" }

    private static func text(_ value: Double) -> String { String(format: "%.1f", value) }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
