import NightjarBus
import NightjarExporters
import NightjarSignals

extension [ExporterConfiguration] {
    /// The exporters that the configuration asks for; histograms go out with the buckets that they have here.
    /// - Throws: ``ConfigurationFaults`` where one cannot be made; its place is `place`.
    func make(
        place: ConfigurationPlace,
        buckets: BucketConfiguration
    ) throws(ConfigurationFaults) -> [any SignalExporter] {
        var exporters: [any SignalExporter] = []
        var faults: [ConfigurationFault] = []
        for (name, exporter) in named {
            do throws(ExportError) {
                exporters.append(try exporter.make(name: name, buckets: buckets))
            } catch {
                faults.append(
                    ConfigurationFault(place: place, key: "exporters", message: "\(name): \(error)")
                )
            }
        }
        guard faults.isEmpty else { throw ConfigurationFaults(faults: faults) }
        return exporters
    }
}

extension ExporterConfiguration {
    fileprivate func make(name: String, buckets: BucketConfiguration) throws(ExportError)
        -> any SignalExporter
    {
        switch type {
        case .console: return ConsoleExporter(name: name, logLevel: level)
        case .json:
            guard let path else { return JSONLinesExporter(name: name, logLevel: level) }
            return JSONLinesExporter(path: path, name: name, logLevel: level)
        case .otlp:
            var configuration = OTLPHTTPConfiguration(endpoint: endpoint ?? "")
            configuration.headers = headers
            configuration.logLevel = level
            configuration.bounds = { HistogramBuckets.bounds(of: $0, buckets) }
            return try OTLPHTTPExporter(configuration, name: name)
        }
    }
}
