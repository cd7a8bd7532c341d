import GRDB
import NightjarBus
import NightjarSignals

/// Fills in what log lines belong to, once their spans are known. Belongs to the writer.
final class LogCompletion {
    private let fill: PreparedStatement

    init(_ db: Database) throws {
        let table = SignalTable.logs
        let facts = table.correlation.map { "\($0) = ifnull(\($0), ?)" }.joined(separator: ", ")
        fill = try PreparedStatement(db, "UPDATE logs SET \(facts) WHERE trace_id = ? AND span_id IS ?")
    }

    func complete(_ found: LogCorrelation) throws {
        fill.bind(found.correlation, behind: 0)
        let count = Int32(SignalTable.logs.correlation.count)
        fill.bind(count + 1, found.traceID)
        if let span = found.spanID { fill.bind(count + 2, span) } else { fill.bindNull(count + 2) }
        try fill.run()
    }
}
