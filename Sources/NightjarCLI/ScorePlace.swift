import ArgumentParser
import Foundation
import Nightjar
import NightjarBus
import NightjarPlugins

/// Where the traces are that are to be scored, and where their scores are written.
struct ScorePlace {
    private enum Place {
        case database(StoredEvents, DatabaseScoringSink?)
        case server(TraceServer)
    }

    private let place: Place
    /// The plugins whose earlier verdicts scorers do not find, for they are about to give them anew.
    private let names: Set<String>

    /// What the options name. `writes`: a database must be nobody else's.
    /// - Throws: ``Outcome/environment`` or ``Outcome/usage`` after a line that says why it cannot be used.
    init(_ stored: StoredOptions, without names: Set<String>, writes: Bool) throws {
        self.names = names
        if let server = try stored.traceServer() {
            server.fetched = FetchedTraces(without: names)
            place = .server(server)
        } else if let path = stored.db {
            // First for writing: a reader of our own would be somebody else.
            let sink = writes ? try Self.sink(path) : nil
            guard let events = try stored.database() else { throw Outcome.usage }
            place = .database(events, sink)
        } else {
            throw Outcome.usage
        }
    }

    /// Where the traces come from.
    var source: any ScoringSource {
        switch place {
        case .database(let events, _): DatabaseScoringSource(events)
        case .server(let server): server
        }
    }

    /// The scorers of some plugins, which find here what they ask for.
    func run(_ plugins: PluginSetSource, _ registry: MetricRegistry) throws -> ScorerRun {
        switch place {
        case .database(let events, _):
            try ScorerRun(plugins, registry: registry, stored: events.lookups(without: names)) {
                complain($0)
            }
        case .server(let server):
            try ScorerRun(plugins, registry: registry, stored: server.fetched) { complain($0) }
        }
    }

    private static func sink(_ path: String) throws -> DatabaseScoringSink {
        do throws(EngineError) {
            return try DatabaseScoringSink(path: path)
        } catch {
            complain(error.detail)
            throw Outcome.environment
        }
    }

    /// Calls with the way to write scores; afterwards a database is closed.
    /// - Throws: whatever the body throws.
    func writing<Result>(_ body: (any ScoringSink) throws -> Result) throws -> Result {
        switch place {
        case .server(let server): return try body(server)
        case .database(_, let sink):
            guard let sink else { preconditionFailure("what is written was announced") }
            let result = try body(sink)
            try sink.close()
            return result
        }
    }
}
