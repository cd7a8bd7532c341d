extension PrometheusText.Format {
    /// The format that a scraper prefers by its `Accept` header; the text format where that says nothing of either.
    package init(accept: String?) {
        var best: (format: PrometheusText.Format, quality: Double) = (.text, 0)
        for range in (accept ?? "").lowercased().split(separator: ",") {
            let parts = range.split(separator: ";").map(Self.trimmed)
            let parameters = parts.dropFirst().map {
                $0.split(separator: "=", maxSplits: 1).map(Self.trimmed)
            }
            func parameter(_ name: String) -> String? {
                parameters.first { $0.first == name && $0.count == 2 }?[1]
            }
            let quality = parameter("q").map { Double($0) ?? 0 } ?? 1
            let format: PrometheusText.Format? =
                switch (parts.first, parameter("version")) {
                case ("application/openmetrics-text", nil), ("application/openmetrics-text", "1.0.0"):
                    .openMetrics
                case ("text/plain", nil), ("text/plain", "0.0.4"), ("text/*", nil), ("*/*", nil): .text
                default: nil
                }
            if let format, quality > best.quality { best = (format, quality) }
        }
        self = best.format
    }

    /// The text without the white space and quotes around it.
    private static func trimmed(_ text: Substring) -> String {
        let isInside = { (character: Character) in !character.isWhitespace && character != "\"" }
        guard let first = text.firstIndex(where: isInside), let last = text.lastIndex(where: isInside) else {
            return ""
        }
        return String(text[first...last])
    }
}
