package import NightjarBus
import NightjarSignals

/// Writes series in the Prometheus text formats: families sorted by name, series in the order of their number.
package struct PrometheusText {
    /// What a scraper can be given.
    package enum Format: Sendable {
        /// The Prometheus text format 0.0.4.
        case text
        /// OpenMetrics 1.0.
        case openMetrics

        /// The media type of the format.
        package var contentType: String {
            switch self {
            case .text: "text/plain; version=0.0.4; charset=utf-8"
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }

    /// The media type of the text format.
    package static let contentType = Format.text.contentType

    /// What was written so far, UTF-8.
    package private(set) var bytes: [UInt8] = []

    /// The labels of the series being written, without braces, and whether there are any.
    private var labels: [UInt8] = []
    /// The bounds last seen and their text: the series of one family share them.
    private var bounds: [Double] = []
    private var boundTexts: [[UInt8]] = []
    private let format: Format
    /// None in the text format.
    private let exemplars: Exemplars
    /// Whether the family being written is one of counters.
    private var isCounter = false

    private init(_ format: Format, _ exemplars: Exemplars) {
        self.format = format
        self.exemplars = format == .openMetrics ? exemplars : Exemplars()
    }

    /// The series as one document; those of received metrics are left out, whose names are none of Prometheus. OpenMetrics
    /// shows the `exemplars` of histograms and counters.
    package static func document(
        _ series: [StoredSeries],
        format: Format = .text,
        exemplars: Exemplars = Exemplars()
    ) -> [UInt8] {
        var text = PrometheusText(format, exemplars)
        // A series takes about a line of 100 bytes, a histogram a dozen.
        text.bytes.reserveCapacity(series.count * 160)
        text.write(series)
        if format == .openMetrics { text.append("# EOF\n") }
        return text.bytes
    }

    private mutating func write(_ series: [StoredSeries]) {
        let order = series.indices.filter { series[$0].instrument.origin == .nightjar }.sorted {
            let (left, right) = (series[$0], series[$1])
            if left.instrument.name != right.instrument.name {
                return left.instrument.name < right.instrument.name
            }
            return left.id.index < right.id.index
        }
        let names = format == .openMetrics ? Set(order.map { series[$0].instrument.name }) : []
        var start = 0
        while start < order.count {
            let name = series[order[start]].instrument.name
            let end = order[start...].firstIndex { series[$0].instrument.name != name } ?? order.count
            let family = order[start..<end].lazy.map { series[$0] }
            writeHead(
                family.first { !$0.instrument.help.isEmpty }?.instrument ?? series[order[start]].instrument,
                isTaken: names.contains
            )
            for one in family { write(one) }
            start = end
        }
    }

    private mutating func writeHead(_ instrument: InstrumentDescriptor, isTaken: (String) -> Bool) {
        var (name, type) = (instrument.name, instrument.type.rawValue)
        if format == .openMetrics, instrument.type == .counter {
            // A counter's family is named without the suffix of its samples; it cannot be where that is another's name.
            let family = name.hasSuffix("_total") ? String(name.dropLast("_total".count)) : ""
            if family.isEmpty || isTaken(family) { type = "unknown" } else { name = family }
        }
        isCounter = type == MetricType.counter.rawValue
        if !instrument.help.isEmpty {
            writeComment("HELP", name)
            appendEscaped(instrument.help, quotes: format == .openMetrics)
            append("\n")
        }
        writeComment("TYPE", name)
        append(type)
        append("\n")
        // The format takes a unit only where the name ends with it.
        if format == .openMetrics, isMetricName(instrument.unit), name.hasSuffix("_" + instrument.unit) {
            writeComment("UNIT", name)
            append(instrument.unit)
            append("\n")
        }
    }

    private mutating func writeComment(_ keyword: StaticString, _ name: String) {
        append("# ")
        append(keyword)
        append(" ")
        append(name)
        append(" ")
    }

    private mutating func write(_ series: StoredSeries) {
        renderLabels(series)
        switch series.instrument.type {
        case .counter, .gauge:
            sample(
                series.instrument.name,
                "",
                PrometheusNumber.bytes(series.total.sum),
                exemplar: isCounter ? exemplars[series.id.index, 0] : nil
            )
        case .histogram: writeHistogram(series)
        }
    }

    private mutating func writeHistogram(_ series: StoredSeries) {
        let name = series.instrument.name
        if let resolved = series.instrument.buckets, resolved != bounds {
            bounds = resolved
            let format = format
            boundTexts = resolved.map { bound in
                let text = PrometheusNumber.boundBytes(bound)
                return format == .openMetrics ? PrometheusNumber.withFraction(text) : text
            }
        }
        let count = series.instrument.buckets == nil ? 0 : bounds.count
        var cumulative: UInt64 = 0
        let id = series.id.index
        for index in 0..<count {
            cumulative += index < series.total.buckets.count ? series.total.buckets[index] : 0
            let number = PrometheusNumber.bytes(cumulative)
            sample(name, "_bucket", number, bound: boundTexts[index], exemplar: exemplars[id, Int32(index)])
        }
        // The format demands that +Inf and the count agree and that no bucket exceeds them.
        let all = PrometheusNumber.bytes(max(cumulative, series.total.count))
        let last = exemplars[id, Int32(count)]
        sample(name, "_bucket", all, bound: PrometheusNumber.infinity, exemplar: last)
        // OpenMetrics: a sum that may fall is none, and without it there is no count.
        if format == .openMetrics, count > 0 && bounds[0] < 0 || series.total.sum.isNaN { return }
        sample(name, "_sum", PrometheusNumber.bytes(series.total.sum))
        sample(name, "_count", all)
    }

    /// One line: the name with its suffix, the labels rendered before, the bound of a bucket, the value.
    private mutating func sample(
        _ name: String,
        _ suffix: StaticString,
        _ value: [UInt8],
        bound: [UInt8]? = nil,
        exemplar: Exemplar? = nil
    ) {
        append(name)
        append(suffix)
        if bound != nil || !labels.isEmpty {
            append("{")
            bytes += labels
            if let bound {
                if !labels.isEmpty { append(",") }
                append("le=\"")
                bytes += bound
                append("\"")
            }
            append("}")
        }
        append(" ")
        bytes += value
        if let exemplar { append(exemplar) }
        append("\n")
    }

    /// The trace, the value and the time in seconds, behind a sample.
    private mutating func append(_ exemplar: Exemplar) {
        append(" # {trace_id=\"")
        append(exemplar.traceID.description)
        append("\"} ")
        bytes += PrometheusNumber.bytes(exemplar.value)
        append(" ")
        bytes += PrometheusNumber.bytes(Double(exemplar.time.unixNano / 1_000_000) / 1000)
    }

    private mutating func renderLabels(_ series: StoredSeries) {
        // Written into `bytes` and moved, so that one escaping serves both.
        let mark = bytes.count
        for (index, label) in series.labels.enumerated() {
            if index > 0 { append(",") }
            // A second `le` or a `__name__` would make the whole scrape fail; Prometheus renames clashes the same way.
            if label.name == "__name__" || label.name == "le" && series.instrument.type == .histogram {
                append("exported_")
            }
            append(label.name)
            append("=\"")
            appendEscaped(label.value, quotes: true)
            append("\"")
        }
        labels.removeAll(keepingCapacity: true)
        labels += bytes[mark...]
        bytes.removeSubrange(mark...)
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Backslashes and line ends are escaped everywhere; quotes in label values, and in OpenMetrics in help too.
    private mutating func appendEscaped(_ text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\n"): append("\\n")
            case UInt8(ascii: "\"") where quotes: append("\\\"")
            default: bytes.append(byte)
            }
        }
    }
}
