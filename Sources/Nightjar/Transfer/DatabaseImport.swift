package import Logging
import NightjarBus
import NightjarSignals
import NightjarStore

/// A database file that no other program has open, which lines are imported into as a server would take them: traces end, built-in
/// metrics count; plugins do not run. Made if it is not there.
package final class DatabaseImport: Sendable {
    private let engine: Engine
    private let hadOpenTraces: Bool

    /// Opens the database.
    /// - Throws: ``EngineError`` where another program has it open, or it cannot be opened.
    package init(path: String, logger: Logger) async throws {
        guard try !StoreReader.isOpenElsewhere(path: path) else {
            throw EngineError(
                code: .unavailable,
                detail:
                    "\(path) is open in another program; import through its server with --server, or stop it"
            )
        }
        var configuration = EngineConfiguration(cores: 2)
        configuration.store = .file(path)
        engine = try Engine(configuration, logger: logger)
        hadOpenTraces = try await engine.hasOpenTraces()
    }

    /// Takes lines; see ``Engine/ingest(_:)``.
    /// - Throws: ``EngineError``.
    package func add(_ lines: [TransferLine]) async throws(EngineError) -> ImportOutcome {
        try await engine.ingest(lines)
    }

    /// Processes what was taken and lets go of the file. Traces that were imported end, unless others were under way: those go on
    /// when a server runs on the file, and then all end by their time.
    package func close() async throws(EngineError) {
        let isDone = hadOpenTraces ? await engine.flush() : await engine.finish()
        await engine.shutdown()
        guard isDone else {
            throw EngineError(
                code: .unavailable,
                detail: "not everything was processed in time; the next server on the file goes on"
            )
        }
    }
}
