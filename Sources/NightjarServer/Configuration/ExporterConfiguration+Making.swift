import NightjarBus

extension [ExporterConfiguration] {
    /// The exporters that the configuration asks for.
    /// - Throws: ``ConfigurationFaults`` where one cannot be made; its place is `place`.
    func make(place: ConfigurationPlace) throws(ConfigurationFaults) -> [any SignalExporter] {
        let faults = named.map { name, _ in
            ConfigurationFault(
                place: place,
                key: "exporters",
                message: "the exporter \(name) is not available in this version"
            )
        }
        guard faults.isEmpty else { throw ConfigurationFaults(faults: faults) }
        return []
    }
}
