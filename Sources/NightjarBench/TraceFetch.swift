import GRDBSQLite
import NightjarStore

/// Traces picked at random, each by its id over HTTP, against SQLite handing out the same rows.
enum TraceFetch {
    /// Asks for each of the traces, and reads each.
    static func rows(_ server: MeasuredServer, _ traces: [String]) async throws -> [BenchRow] {
        let cpu = try server.nanoseconds()
        let asked = try await onLargeThread { try Self.ask(server, traces) }
        let spent = Double(try server.nanoseconds() - cpu) / 1_000_000 / Double(traces.count)
        let file = server.database
        let read = try await onLargeThread { try Self.read(file, traces) }
        guard asked.spans == read.spans else {
            throw BenchFailure(
                description: "trace-fetch: the answers have \(asked.spans) spans, the rows \(read.spans)"
            )
        }
        return [
            .answers(
                "trace-fetch, over HTTP",
                asked.times,
                spent: spent,
                note: "\(traces.count) asked, \(asked.bytes / traces.count) B each"
            ),
            .answers(
                "  the rows out of SQLite",
                read.times,
                spent: read.spent,
                note: "\(read.bytes / traces.count) B each"
            ),
        ]
    }

    private struct Outcome: Sendable {
        var times: [Double] = []
        var spent = 0.0
        var bytes = 0
        var spans = 0
    }

    private static func ask(_ server: MeasuredServer, _ traces: [String]) throws -> Outcome {
        let connection = try server.connection()
        var outcome = Outcome()
        let mark = Array("\"parentSpanId\":".utf8)
        for trace in traces {
            let start = wallNanoseconds()
            let answer = try connection.get("/api/traces/\(trace)")
            outcome.times.append(Double(wallNanoseconds() - start) / 1_000_000)
            guard answer.status == 200 else {
                throw BenchFailure(description: "trace-fetch: \(trace) was answered with \(answer.status)")
            }
            outcome.bytes += answer.body.count
            // All but the root name their parent.
            outcome.spans += answer.body.ranges(of: mark).count + 1
        }
        return outcome
    }

    private static func read(_ file: String, _ traces: [String]) throws -> Outcome {
        let reader = try RawTraceReader(file)
        var outcome = Outcome()
        let cpu = threadNanoseconds()
        for trace in traces {
            let start = wallNanoseconds()
            let (bytes, spans) = try reader.read(trace)
            outcome.times.append(Double(wallNanoseconds() - start) / 1_000_000)
            outcome.bytes += bytes
            outcome.spans += spans
        }
        outcome.spent = Double(threadNanoseconds() - cpu) / 1_000_000 / Double(traces.count)
        return outcome
    }
}

/// Reads all that is stored of a trace by SQLite's own interface, with statements that are ready, and makes nothing of it.
private final class RawTraceReader {
    private var database: OpaquePointer?
    private var statements: [OpaquePointer?] = []

    init(_ file: String) throws {
        guard sqlite3_open_v2(file, &database, SQLITE_OPEN_READONLY, nil) == SQLITE_OK else { throw failure }
        // The first has the chunks of spans.
        for sql in [Queries.chunks, Queries.trace, Queries.scores, Queries.feedback, Queries.logs] {
            var statement: OpaquePointer?
            guard sqlite3_prepare_v2(database, sql, -1, &statement, nil) == SQLITE_OK else { throw failure }
            statements.append(statement)
        }
    }

    deinit {
        for statement in statements { sqlite3_finalize(statement) }
        sqlite3_close(database)
    }

    /// The bytes of all columns, and how many spans they hold.
    func read(_ trace: String) throws -> (bytes: Int, spans: Int) {
        var bytes = 0
        var spans = 0
        let id = stride(from: 0, to: trace.utf8.count, by: 2).compactMap { place in
            UInt8(trace.dropFirst(place).prefix(2), radix: 16)
        }
        for (place, statement) in statements.enumerated() {
            defer { sqlite3_reset(statement) }
            // `id` outlives the step: nothing has to be copied.
            try id.withUnsafeBytes { raw in
                sqlite3_bind_blob(statement, 1, raw.baseAddress, Int32(raw.count), nil)
                var code = sqlite3_step(statement)
                while code == SQLITE_ROW {
                    bytes += sum(statement)
                    if place == 0 { spans += spanCount(statement) }
                    code = sqlite3_step(statement)
                }
                guard code == SQLITE_DONE else { throw failure }
            }
        }
        return (bytes, spans)
    }

    /// The size of every column of a row, which makes SQLite read them all.
    private func sum(_ statement: OpaquePointer?) -> Int {
        (0..<sqlite3_column_count(statement)).reduce(0) { sum, column in
            _ = sqlite3_column_blob(statement, column)
            return sum + Int(sqlite3_column_bytes(statement, column))
        }
    }

    private func spanCount(_ statement: OpaquePointer?) -> Int {
        for column in 0..<sqlite3_column_count(statement)
        where String(cString: sqlite3_column_name(statement, column)) == "span_count" {
            return Int(sqlite3_column_int64(statement, column))
        }
        return 0
    }

    private var failure: BenchFailure {
        BenchFailure(description: "SQLite: \(String(cString: sqlite3_errmsg(database)))")
    }
}
