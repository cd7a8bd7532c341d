package import Nightjar
import NightjarBus
import NightjarPlugins
package import NightjarSignals
import NightjarStore

/// How a server is set up.
package struct ServerConfiguration: Sendable {
    /// The host to listen on.
    package var host = "127.0.0.1"
    /// The port to listen on; 0 takes any that is free.
    package var port = 4318
    /// The largest body taken, as it is sent.
    package var bodyBytes = 16 << 20
    /// The largest body taken, once it is inflated.
    package var inflatedBytes = 64 << 20
    /// The bounds of connections and of what is on its way through them.
    package var connections = ConnectionLimits()
    /// The event path behind it.
    package var engine: EngineConfiguration
    /// Log lines below it never enter the bus, and the server writes none of its own; nil: all enter, and its own are written from
    /// info on.
    package var logLevel: LogLevel?
    /// How long a span waits for its ancestors; nil: as long as a trace may last.
    package var parentWait: Duration?
    /// Whether the built-in metrics are counted.
    package var hasBuiltInMetrics = true
    /// Which traces are stored and exported.
    package var sampling = SamplingConfiguration()
    /// Where signals go beside the store.
    package var exporters: [ExporterConfiguration] = []
    /// Whether a plugin's own tests must pass before a new version of it goes live.
    package var testsPlugins = false
    /// What those who read events live get.
    package var live = LiveSettings()
    /// Whether listening beyond loopback without keys is allowed.
    package var isInsecureAllowed = false

    /// The defaults around an engine's configuration.
    package init(engine: EngineConfiguration) {
        self.engine = engine
    }

    /// What all bodies in flight may hold together, as sent and as inflated: one of the largest fits, and as much as may be
    /// queued behind them.
    package var bodiesBytes: Int {
        connections.bodiesBytes ?? max(bodyBytes + inflatedBytes, engine.queueBytes)
    }

    /// Why it must not be started as it is, nil where it may.
    package var fault: String? {
        guard !isLoopback, !isInsecureAllowed else { return nil }
        return
            "listening on \(host) would let anyone who reaches this machine write and read; "
            + "listen on 127.0.0.1, or give --insecure if the network is trusted"
    }

    private var isLoopback: Bool {
        // A name such as 127.example.com may lead anywhere.
        let isAddress = host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || $0 &- UInt8(ascii: "0") < 10 }
        return host == "localhost" || host == "::1" || (isAddress && host.hasPrefix("127."))
    }
}

/// Settings under the names and in the forms of the configuration.
extension ServerConfiguration {
    var listen: ListenAddress {
        get { ListenAddress(host: host, port: port) }
        set { (host, port) = (newValue.host, newValue.port) }
    }

    /// A file, or `none`.
    var database: String {
        get {
            guard case .file(let path) = engine.store else { return "none" }
            return path
        }
        set { engine.setDatabase(newValue) }
    }

    /// The plugins; without any, of a folder that is not there.
    var plugins: PluginConfiguration {
        get { engine.plugins ?? PluginConfiguration(folder: "none") }
        set { engine.plugins = newValue }
    }

    var effectiveParentWait: Duration {
        get { parentWait ?? engine.trace.maxAge }
        set { parentWait = newValue }
    }
}
