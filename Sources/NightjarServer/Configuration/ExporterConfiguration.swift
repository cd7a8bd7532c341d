package import NightjarSignals

/// One entry of `exporters`: where signals go beside the store.
package struct ExporterConfiguration: Sendable, Equatable {
    /// What there is to choose from.
    package enum Destination: String, Sendable, CaseIterable {
        /// Lines for people, on standard output.
        case console
        /// JSON lines, in a file or on standard output.
        case json
        /// A collector, by OTLP over HTTP.
        case otlp
    }

    /// What it is.
    package var type: Destination
    /// The least level of log lines that it takes; nil: all that enter the bus.
    package var level: LogLevel?
    /// The file of a `json` exporter; nil: standard output.
    package var path: String?
    /// The base URL of an `otlp` exporter's collector.
    package var endpoint: String?
    /// Header fields of every request of an `otlp` exporter; secrets are among them.
    package var headers: [String: String] = [:]

    /// An exporter with nothing set.
    package init(type: Destination) { self.type = type }

    /// The keys that an exporter of a type has, beside `type`.
    static func keys(of type: Destination) -> [String] {
        switch type {
        case .console: ["level"]
        case .json: ["level", "path"]
        case .otlp: ["level", "endpoint", "headers"]
        }
    }
}

extension [ExporterConfiguration] {
    /// The exporters by the name that logs, metrics and drops call them by: the type, numbered from the second on.
    package var named: [(name: String, exporter: ExporterConfiguration)] {
        var counts: [ExporterConfiguration.Destination: Int] = [:]
        return map { exporter in
            let count = counts[exporter.type, default: 0] + 1
            counts[exporter.type] = count
            let type = exporter.type.rawValue
            return (count == 1 ? type : "\(type)_\(count)", exporter)
        }
    }
}
