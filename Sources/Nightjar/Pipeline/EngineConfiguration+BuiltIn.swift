import NightjarExtraction

extension EngineConfiguration {
    /// The names of the built-in metrics, without prefix.
    package static var builtInMetricNames: [String] { Catalogue.names }
}
