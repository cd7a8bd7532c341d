import Foundation
public import Logging
public import NightjarBus
public import NightjarSignals
import NightjarStore

/// Where a program keeps and reads its own observability data: the entry point of the library.
///
/// ```swift
/// let observability = try Observability(.init(database: .file("nightjar.db")))
/// if let trace = try await observability.getTrace("4bf92f3577b34da6a3ce929d0e0e4736") {
///     try await trace.addScore(ScoreInput(scorerName: "helpful", score: 0.9))
/// }
/// ```
///
/// Safe to use from any thread and task.
public final class Observability: Sendable {
    /// How observability is set up.
    public struct Configuration: Sendable {
        /// Where data is kept.
        public enum Database: Sendable, Equatable {
            /// In memory: gone with the program.
            case memory
            /// In a SQLite file at this path, made if missing; a server may have written it.
            case file(String)
        }

        /// Where data is kept.
        public var database: Database
        /// The folder of plugins; nil: none are loaded.
        public var plugins: String?
        /// Where the library writes what went wrong.
        public var logger: Logger

        /// A configuration; by default data is kept in memory and no plugins are loaded.
        public init(
            database: Database = .memory,
            plugins: String? = nil,
            logger: Logger = Logger(label: "nightjar")
        ) {
            self.database = database
            self.plugins = plugins
            self.logger = logger
        }
    }

    /// The event path behind it.
    package let engine: Engine

    /// Opens the store and loads the plugins.
    /// - Throws: When the store cannot be opened, saying why.
    public init(_ configuration: Configuration = Configuration()) throws {
        var engine = EngineConfiguration(cores: ProcessInfo.processInfo.activeProcessorCount)
        switch configuration.database {
        case .memory: engine.store = .memory
        case .file(let path): engine.store = .file(path)
        }
        engine.pluginFolder = configuration.plugins
        self.engine = try Engine(engine, logger: configuration.logger)
    }

    /// A stored trace with its spans as a list and as a tree, its scores, feedback and logs; nil for an unknown one.
    /// - Throws: When the store cannot be read.
    public func getTrace(_ id: TraceID) async throws -> RecordedTrace? { try await engine.trace(id) }

    /// A stored trace by its id as text (1 to 32 hex digits); nil for an unknown one and for text that is no id.
    /// - Throws: When the store cannot be read.
    public func getTrace(_ id: String) async throws -> RecordedTrace? {
        guard let id = TraceID(id) else { return nil }
        return try await getTrace(id)
    }

    /// Returns when everything taken before has been processed and stored; false if that took longer than 30 s.
    @discardableResult
    public func flush() async -> Bool { await engine.flush() }

    /// Finishes what was taken and closes the store; nothing is taken afterwards. Call it once.
    public func shutdown() async { await engine.shutdown() }
}
