import Yams

extension WrittenValue {
    /// Reads YAML; `place` tells where a line of it, counted from 1, was written.
    init(yaml: String, place: (Int) -> ConfigurationPlace) throws(ConfigurationFault) {
        do {
            guard let node = try Yams.compose(yaml: yaml) else {
                self.init(content: .nothing, place: place(1))
                return
            }
            self = try Self.value(node, place)
        } catch let fault as ConfigurationFault {
            throw fault
        } catch {
            throw Self.fault(error, place)
        }
    }

    private static func value(
        _ node: Node,
        _ place: (Int) -> ConfigurationPlace
    ) throws(ConfigurationFault) -> WrittenValue {
        let here = place(node.mark?.line ?? 1)
        switch node {
        case .scalar(let scalar):
            let isNothing = scalar.style == .plain && ["", "~", "null"].contains(scalar.string)
            return WrittenValue(
                content: isNothing ? .nothing : .text(scalar.string),
                place: here,
                isQuoted: scalar.style != .plain
            )
        case .sequence(let nodes):
            var values: [WrittenValue] = []
            for node in nodes { values.append(try value(node, place)) }
            return WrittenValue(content: .list(values), place: here)
        case .mapping(let pairs):
            var entries: [Entry] = []
            for (key, node) in pairs {
                let line = place(key.mark?.line ?? 1)
                guard let name = key.scalar?.string else {
                    throw ConfigurationFault(place: line, key: nil, message: "a key must be a word")
                }
                entries.append(Entry(key: name, place: line, value: try value(node, place)))
            }
            return WrittenValue(content: .entries(entries), place: here)
        case .alias:
            throw ConfigurationFault(place: here, key: nil, message: "what this refers to is not there")
        }
    }

    /// What the parser says, without the text that it shows: that may hold secrets.
    private static func fault(_ error: any Error, _ place: (Int) -> ConfigurationPlace) -> ConfigurationFault
    {
        let (line, problem): (Int, String) =
            switch error {
            case YamlError.scanner(_, let problem, let mark, _),
                YamlError.parser(_, let problem, let mark, _),
                YamlError.composer(_, let problem, let mark, _):
                (mark.line, problem)
            case YamlError.duplicatedKeysInMapping(let names, let context):
                (context.mark.line, "written more than once: \(names.joined(separator: ", "))")
            case YamlError.reader(let problem, _, _, _): (1, problem)
            default: (1, "it cannot be read")
            }
        return ConfigurationFault(place: place(line), key: nil, message: "this is not YAML: \(problem)")
    }
}
