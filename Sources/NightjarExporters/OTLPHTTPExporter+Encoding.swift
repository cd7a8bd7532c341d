public import NightjarBus
import NightjarOTLP
import NightjarSignals

extension OTLPHTTPExporter {
    /// An exporter to the base address of an OTLP/HTTP receiver.
    /// - Throws: `ExportError` for an address that is none, saying what to write.
    public convenience init(_ configuration: OTLPHTTPConfiguration, name: String = "otlp") throws(ExportError)
    {
        try self.init(configuration, bodies: EncodedBodies(), name: name)
    }
}

/// Bodies by this project's own encoder.
private struct EncodedBodies: OTLPBodies {
    func traces(_ spans: [Span]) -> [UInt8]? { OTLPEncoder.traces(spans) }

    func logs(_ logs: [Log], scores: [Score], feedback: [Feedback]) -> [UInt8]? {
        OTLPEncoder.logs(logs, scores: scores, feedback: feedback)
    }

    func metrics(_ metrics: [Metric], bounds: (String) -> [Double]) -> [UInt8]? {
        OTLPEncoder.metrics(metrics, bounds: bounds)
    }
}
