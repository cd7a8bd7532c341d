import Foundation
import NightjarSignals

extension ValueKind where Value == [ExporterConfiguration] {
    /// The list of exporters.
    static let exporters = ValueKind(
        form: form,
        isComposite: true,
        read: { value, path, faults in
            guard case .list(let items) = value.content else {
                faults.append(.wrong(value, path, form))
                return nil
            }
            var exporters: [ExporterConfiguration] = []
            for (index, item) in items.enumerated() {
                if let exporter = exporter(item, "\(path)[\(index)]", &faults) { exporters.append(exporter) }
            }
            return exporters
        },
        written: { WrittenYAML.list($0.map(written)) }
    )

    private static var form: String { "a list such as [{type: otlp, endpoint: \"http://localhost:4318\"}]" }

    private static func exporter(
        _ value: WrittenValue,
        _ path: String,
        _ faults: inout [ConfigurationFault]
    ) -> ExporterConfiguration? {
        guard let entries = value.entries(path, "keys such as {type: console}", &faults) else { return nil }
        let choice = ValueKind<ExporterConfiguration.Destination>.choice
        guard let named = entries.first(where: { $0.key == "type" }) else {
            faults.append(
                ConfigurationFault(
                    place: value.place,
                    key: path,
                    message: "type is missing; write \(choice.form)"
                )
            )
            return nil
        }
        guard let type = choice.read(named.value, "\(path).type", &faults) else { return nil }
        var exporter = ExporterConfiguration(type: type)
        let known = ExporterConfiguration.keys(of: type)
        for entry in entries where entry.key != "type" {
            guard known.contains(entry.key) else {
                faults.append(misplaced(entry, path, type))
                continue
            }
            set(&exporter, entry, "\(path).\(entry.key)", &faults)
        }
        if type == .otlp, !entries.contains(where: { $0.key == "endpoint" }) {
            let message = "endpoint is missing; write \(endpointForm)"
            faults.append(ConfigurationFault(place: value.place, key: path, message: message))
        }
        return exporter
    }

    private static func set(
        _ exporter: inout ExporterConfiguration,
        _ entry: WrittenValue.Entry,
        _ path: String,
        _ faults: inout [ConfigurationFault]
    ) {
        switch entry.key {
        case "level": exporter.level = ValueKind<LogLevel>.level.read(entry.value, path, &faults)
        case "path": exporter.path = ValueKind<String>.text.read(entry.value, path, &faults)
        case "endpoint": exporter.endpoint = endpoint(entry.value, path, &faults)
        default: exporter.headers = headers(entry.value, path, &faults)
        }
    }

    private static func misplaced(
        _ entry: WrittenValue.Entry,
        _ path: String,
        _ type: ExporterConfiguration.Destination
    ) -> ConfigurationFault {
        let known = ExporterConfiguration.keys(of: type)
        let all = ExporterConfiguration.Destination.allCases.flatMap(ExporterConfiguration.keys)
        guard all.contains(entry.key) else { return .unknown(entry, path, known: ["type"] + known) }
        return ConfigurationFault(
            place: entry.place,
            key: "\(path).\(entry.key)",
            message:
                "an exporter of type \(type.rawValue) has no such key; it has: \(known.joined(separator: ", "))"
        )
    }

    private static var endpointForm: String { "a URL such as https://collector.example:4318" }

    private static func endpoint(
        _ value: WrittenValue,
        _ path: String,
        _ faults: inout [ConfigurationFault]
    ) -> String? {
        let url = value.text.flatMap { URL(string: $0) }
        if let url, url.user != nil || url.password != nil {
            // Not shown: what stands there is a secret.
            let message = "a URL must hold no user or password; send them in headers"
            faults.append(ConfigurationFault(place: value.place, key: path, message: message))
            return nil
        }
        guard let url, let scheme = url.scheme, ["http", "https"].contains(scheme), url.host?.isEmpty == false
        else {
            faults.append(.wrong(value, path, endpointForm))
            return nil
        }
        return value.text
    }

    /// No message shows a value: it may be a token.
    private static func headers(
        _ value: WrittenValue,
        _ path: String,
        _ faults: inout [ConfigurationFault]
    ) -> [String: String] {
        var headers: [String: String] = [:]
        guard case .entries(let entries) = value.content else {
            let message = "write fields and texts, such as {authorization: \"Bearer …\"}"
            faults.append(ConfigurationFault(place: value.place, key: path, message: message))
            return [:]
        }
        for entry in entries {
            let isName = !entry.key.isEmpty && entry.key.utf8.allSatisfy(isTokenByte)
            guard isName, let text = entry.value.text, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
            else {
                let message = isName ? "write a text of one line" : "this is no name of a header field"
                let key = isName ? "\(path).\(entry.key)" : path
                faults.append(ConfigurationFault(place: entry.place, key: key, message: message))
                continue
            }
            headers[entry.key] = text
        }
        return headers
    }

    /// The bytes of a field name (RFC 9110, section 5.6.2).
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    @Sendable private static func written(_ exporter: ExporterConfiguration) -> String {
        var entries = [(key: "type", value: exporter.type.rawValue)]
        if let level = exporter.level { entries.append(("level", level.name)) }
        if let path = exporter.path { entries.append(("path", WrittenYAML.scalar(path))) }
        if let endpoint = exporter.endpoint { entries.append(("endpoint", WrittenYAML.scalar(endpoint))) }
        if !exporter.headers.isEmpty {
            let hidden = exporter.headers.keys.sorted().map { (key: $0, value: "\"***\"") }
            entries.append(("headers", WrittenYAML.entries(hidden)))
        }
        return WrittenYAML.entries(entries)
    }
}
