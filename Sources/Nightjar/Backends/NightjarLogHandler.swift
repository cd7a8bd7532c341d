public import Logging
import NightjarBus
import NightjarSignals

/// Sends the lines of a swift-log `Logger` to the bus, with the ids, metadata and correlation of the span that the line was
/// written in. Made by ``Observability/logHandler(label:metadataProvider:)``.
///
/// A line's metadata is its `data`: the handler's, over it that of the metadata provider, over it the line's own. Beside it stand
/// `logger.name` (the label) and, under OpenTelemetry's names, `code.file.path`, `code.function.name`, `code.line.number`,
/// `exception.type` and `exception.message`; metadata of the same key goes before them. Levels: `trace` is `debug`, `notice` is
/// `info`, `warning` is `warn`, `critical` is `fatal`.
public struct NightjarLogHandler: LogHandler {
    /// What the library calls its own logger unless it is told otherwise.
    static let ownLabel = "nightjar"

    /// Metadata of every line.
    public var metadata: Logger.Metadata = [:]
    /// Metadata that is asked for at each line.
    public var metadataProvider: Logger.MetadataProvider?
    /// Lines below it are left out; so are those below the configuration's level, whatever it says.
    public var logLevel = Logger.Level.info

    private let label: String
    private let live: LiveContext

    init(label: String, live: LiveContext, metadataProvider: Logger.MetadataProvider?) {
        self.label = label
        self.live = live
        self.metadataProvider = metadataProvider
    }

    /// Metadata of every line, by key.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes a line.
    public func log(event: LogEvent) {
        // What the library says of its own faults must not become signals, which may lead to faults.
        guard label != Self.ownLabel else { return }
        let logger = LoggerContext(live, span: live.currentSpan)
        logger.log(LogLevel(event.level), event.message.description, data: data(of: event))
    }

    private func data(of event: LogEvent) -> Value.Object {
        var data: Value.Object = ["logger.name": .string(label), "code.file.path": .string(event.file)]
        data["code.function.name"] = .string(event.function)
        data["code.line.number"] = .int(Int64(clamping: event.line))
        if let error = event.error {
            data["exception.type"] = .string(String(reflecting: type(of: error)))
            data["exception.message"] = .string("\(error)")
        }
        data.take(metadata)
        if let provided = metadataProvider?.get() { data.take(provided) }
        if let own = event.metadata { data.take(own) }
        return data
    }
}

extension Value.Object {
    /// Dictionaries have no order; the keys' makes two equal lines look alike.
    fileprivate mutating func take(_ metadata: Logger.Metadata) {
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { self[key] = Value(value) }
    }
}

extension Value {
    fileprivate init(_ metadata: Logger.MetadataValue) {
        switch metadata {
        case .string(let text): self = .string(text)
        case .stringConvertible(let value): self = .string(value.description)
        case .array(let values): self = .array(values.map(Value.init))
        case .dictionary(let members):
            var object = Object()
            object.take(members)
            self = .object(object)
        }
    }
}

extension LogLevel {
    init(_ level: Logger.Level) {
        switch level {
        case .trace, .debug: self = .debug
        case .info, .notice: self = .info
        case .warning: self = .warn
        case .error: self = .error
        case .critical: self = .fatal
        }
    }
}
