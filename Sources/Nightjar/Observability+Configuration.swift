import Foundation
public import Logging
public import NightjarBus
public import NightjarSignals
import NightjarStore

extension Observability {
    /// How observability is set up. Everything has a default: data is kept in memory, nothing is exported, no plugins run.
    public struct Configuration: Sendable {
        /// Where data is kept.
        public enum Database: Sendable, Equatable {
            /// In memory, bounded, and gone with the program.
            case memory
            /// In a SQLite file at this path, made if missing; a server may have written it.
            case file(String)
            /// Nowhere: metrics add up, everything else only passes by.
            case none
        }

        /// What waits between the code that makes signals and the event path.
        public struct Queue: Sendable, Equatable {
            /// What happens to a signal that finds the queue full.
            public enum FullPolicy: Sendable {
                /// It is dropped, and counted.
                case dropNewest
                /// Whoever makes it waits for room, 5 seconds at most.
                case block
            }

            /// About how many bytes of signals may wait.
            public var bytes: Int
            /// What happens beyond that.
            public var whenFull: FullPolicy

            /// A queue.
            public init(bytes: Int = 64 << 20, whenFull: FullPolicy = .dropNewest) {
                self.bytes = bytes
                self.whenFull = whenFull
            }
        }

        /// The name of the program, on every signal.
        public var serviceName: String?
        /// Where it runs: production, staging, …
        public var environment: String?
        /// Where data is kept.
        public var database = Database.memory
        /// The folder of plugins; nil: none are loaded.
        public var plugins: String?
        /// Where signals go beside the store.
        public var exporters: [any SignalExporter] = []
        /// What changes or drops signals before anything else sees them, in this order.
        public var processors: [any SignalProcessor] = []
        /// Which traces are stored and exported. With several, a trace is kept if any of them keeps it.
        public var sampling: [Sampling] = []
        /// Log lines below it never enter the bus.
        public var logLevel = LogLevel.debug
        /// How secrets are taken out before anything is written.
        public var redaction = RedactionConfiguration()
        /// How large values may be.
        public var limits = SizeLimits()
        /// What is put before the names of the built-in metrics.
        public var metricsPrefix = ""
        /// Built-in metrics to leave out.
        public var disabledMetrics: Set<String> = []
        /// How labels are bounded.
        public var cardinality = CardinalityConfiguration()
        /// Buckets of histograms, by the metric's name or by the suffix of its unit.
        public var buckets = BucketConfiguration()
        /// What waits between the code that makes signals and the event path.
        public var queue = Queue()
        /// How the queues of exporters and subscribers are bounded.
        public var bus = BusConfiguration()
        /// Where the library writes what went wrong.
        public var logger = Logger(label: "nightjar")

        /// A configuration; what is not given can be set afterwards.
        public init(
            serviceName: String? = nil,
            environment: String? = nil,
            database: Database = .memory,
            plugins: String? = nil,
            exporters: [any SignalExporter] = [],
            processors: [any SignalProcessor] = [],
            sampling: [Sampling] = [],
            logger: Logger = Logger(label: "nightjar")
        ) {
            self.serviceName = serviceName
            self.environment = environment
            self.database = database
            self.plugins = plugins
            self.exporters = exporters
            self.processors = processors
            self.sampling = sampling
            self.logger = logger
        }

        func engine() -> EngineConfiguration {
            var engine = EngineConfiguration(cores: ProcessInfo.processInfo.activeProcessorCount)
            switch database {
            case .memory: engine.store = .memory
            case .file(let path): engine.store = .file(path)
            case .none: engine.store = nil
            }
            engine.pluginFolder = plugins
            engine.exporters = exporters
            engine.processors = processors
            engine.sampling = sampling
            engine.redaction = redaction
            engine.limits = limits
            engine.metricsPrefix = metricsPrefix
            engine.disabledMetrics = disabledMetrics
            engine.cardinality = cardinality
            engine.buckets = buckets
            engine.bus = bus
            engine.bus.logLevel = logLevel
            engine.queueBytes = queue.bytes
            engine.trace.parentsComeFirst = true
            return engine
        }
    }
}
