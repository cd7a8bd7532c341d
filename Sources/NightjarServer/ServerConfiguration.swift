package import Nightjar

/// How a server is set up.
package struct ServerConfiguration: Sendable {
    /// The host to listen on.
    package var host = "127.0.0.1"
    /// The port to listen on; 0 takes any that is free.
    package var port = 4318
    /// The largest body taken, as it is sent.
    package var bodyBytes = 16 << 20
    /// The event path behind it.
    package var engine: EngineConfiguration
    /// Whether listening beyond loopback without keys is allowed.
    package var isInsecureAllowed = false

    /// The defaults around an engine's configuration.
    package init(engine: EngineConfiguration) {
        self.engine = engine
    }

    /// Why it must not be started as it is, nil where it may.
    package var fault: String? {
        guard !isLoopback, !isInsecureAllowed else { return nil }
        return
            "listening on \(host) would let anyone who reaches this machine write and read; "
            + "listen on 127.0.0.1, or give --insecure if the network is trusted"
    }

    private var isLoopback: Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }
}
