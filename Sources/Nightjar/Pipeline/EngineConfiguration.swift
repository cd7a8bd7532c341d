package import NightjarBus
package import NightjarPlugins
package import NightjarStore

/// How an engine is set up.
package struct EngineConfiguration: Sendable {
    /// Where everything is kept; nil: nothing is stored.
    package var store: StoreLocation? = .memory
    /// How long what is stored in a file is kept; nil: for ever.
    package var retention: Retention?
    /// Spans that ended longer ago are refused; nil: none are too old.
    package var refuseOlderThan: Duration?
    /// The plugins; nil: none are loaded.
    package var plugins: PluginConfiguration?
    /// Runs the tests that lie beside a plugin before a new version of it goes live, and tells which of them fail; nil: none are
    /// run. Called on the loader's thread.
    package var pluginTests: (@Sendable (PluginSource) -> [String])?
    /// How many workers share the partitions.
    package var workers: Int
    /// When traces end.
    package var trace = TraceConfiguration()
    /// How labels are bounded.
    package var cardinality = CardinalityConfiguration()
    /// Buckets of histograms by name or unit suffix.
    package var buckets = BucketConfiguration()
    /// What is put before the names of the built-in metrics.
    package var metricsPrefix = ""
    /// Built-in metrics to leave out.
    package var disabledMetrics: Set<String> = []
    /// What may wait for the workers, in bytes; beyond it requests are refused.
    package var queueBytes = 64 << 20
    /// Which traces are stored and exported; a trace is kept if any of these keeps it, and all are where there is none.
    package var sampling: [Sampling] = []
    /// How secrets are taken out.
    package var redaction = RedactionConfiguration()
    /// How large the values of signals made in this process, or sent as events, may be.
    package var limits = SizeLimits()
    /// A larger value of an OTLP attribute is cut, in bytes.
    package var valueBytes = 1 << 20
    /// A larger OTLP span is rejected, in bytes.
    package var spanBytes = 16 << 20
    /// How long a query for somebody who waits may take; then it is stopped.
    package var queryTimeout = Duration.seconds(10)
    /// What changes or drops signals before anything else sees them, in this order.
    package var processors: [any SignalProcessor] = []
    /// Where signals go beside the store.
    package var exporters: [any SignalExporter] = []
    /// How long exporters may take at the shutdown; what they hold after that is lost, and said to be.
    package var exportPatience = Duration.seconds(30)
    /// How the queues of exporters and subscribers are bounded.
    package var bus = BusConfiguration()

    /// The defaults for a machine of so many cores: one is left to decoding and writing.
    package init(cores: Int) {
        workers = max(1, cores - 1)
    }

    /// Sets where everything is kept: a file's path, or `none`.
    package mutating func setDatabase(_ name: String) {
        store = name == "none" ? nil : .file(name)
    }

    /// The folder of plugins; nil: none are loaded.
    package var pluginFolder: String? {
        get { plugins?.folder }
        set {
            guard let newValue else {
                plugins = nil
                return
            }
            if plugins == nil { plugins = PluginConfiguration(folder: newValue) }
            plugins?.folder = newValue
        }
    }

    /// Where everything is kept, for people.
    package var databaseDescription: String {
        switch store {
        case .file(let path): path
        case .memory: "memory, gone when it stops"
        case nil: "nowhere (--db none)"
        }
    }
}

/// Why the engine did not take or do something.
package struct EngineError: Error, Sendable, CustomStringConvertible {
    /// The kinds of refusal; each may be a label.
    package enum Code: String, Sendable {
        /// The input is not what it should be.
        case malformed
        /// The input exceeds a limit.
        case tooLarge = "too_large"
        /// Too much waits; the same input may be sent again later.
        case overloaded
        /// The store cannot write now; the same input may be sent again later.
        case unavailable
        /// The trace is sampled out: nothing of it is stored.
        case sampledOut = "sampled_out"
        /// The engine is shutting down.
        case closed
    }

    /// What kind it is.
    package let code: Code
    /// What to do about it; not fit for a label.
    package let detail: String

    /// An error.
    package init(code: Code, detail: String) {
        self.code = code
        self.detail = detail
    }

    /// Whether the same input may be taken later.
    package var isRetryable: Bool { code == .overloaded || code == .unavailable || code == .closed }

    /// One line a person can act on.
    package var description: String { detail }
}
