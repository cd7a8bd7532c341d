import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// From every earlier version to this one, later ones included without a change here.
struct EveryMigrationTests {
    static let earlier = Array(1..<Schema.steps.count)

    private func database(steps: Int, _ more: (Database) throws -> Void = { _ in }) throws -> TemporaryFolder
    {
        let folder = try TemporaryFolder()
        let old = try DatabaseQueue(path: folder.path("nightjar.sqlite"))
        try old.write { db in
            try SchemaRows.make(db, steps: steps)
            try more(db)
        }
        try old.close()
        return folder
    }

    @Test(arguments: earlier)
    func `every value of every row is there afterwards`(steps: Int) throws {
        let folder = try database(steps: steps)
        func look(_ columns: [String: [String]]) throws -> [String: [String]] {
            let look = try DatabaseQueue(path: folder.path("nightjar.sqlite"))
            return try look.read { db in
                try columns.reduce(into: [:]) { $0[$1.key] = try SchemaRows.contents(db, $1.key, $1.value) }
            }
        }
        let columns = try DatabaseQueue(path: folder.path("nightjar.sqlite")).read { db in
            try SchemaRows.tables(db).reduce(into: [String: [String]]()) {
                $0[$1] = try SchemaRows.columns(db, $1)
            }
        }
        let before = try look(columns)
        try Fixture(folder).store.close()
        let after = try look(columns)
        for (table, rows) in before { #expect(after[table] == rows, "\(table)") }
        #expect(before.values.allSatisfy { !$0.isEmpty })
    }

    @Test(arguments: earlier)
    func `the store reads all of it, and counts go on`(steps: Int) throws {
        let fixture = try Fixture(database(steps: steps))
        let store = fixture.store
        #expect(try store.traces(TraceQuery()).traces.map(\.id) == [traceID(2), traceID(1)])
        #expect(try store.chunks(of: traceID(1)).map(\.payload) == [[1, 2, 3]])
        #expect(try store.logs(of: traceID(1)).map(\.log.message) == ["slow"])
        #expect(try store.scores(ScoreQuery()).records.map(\.score.id) == ["b", "a"])
        #expect(try store.history(ofScore: "a").count == 1)
        #expect(try store.feedback(of: traceID(1)).map(\.feedback.comment) == ["c"])
        #expect(try store.history(ofFeedback: "a").count == 1)
        #expect(try store.plugins().map(\.name) == (steps >= 3 ? ["tone"] : []))
        #expect(try store.streams([7]).count == (steps >= 2 ? 1 : 0))
        let recovery = try store.recover()
        #expect(recovery.series.map(\.total.sum) == [3])
        try fixture.table.restore(recovery.series, registry: fixture.registry)
        fixture.ledger.restore(recovery.series)
        let id = try #require(recovery.series.first?.id)
        try fixture.commit { $0.deltas = [fixture.delta(id)] }
        #expect(try fixture.numbers("SELECT sum FROM series") == [4])
        // No number that was given comes again.
        #expect(try fixture.submit(chunks: [chunk(9)]).sequences == [steps >= 2 ? 5 : 3])
    }

    @Test(arguments: earlier)
    func `a step that fails leaves the file as it was`(steps: Int) throws {
        // Of the last step that makes a table one is there already: everything before it has succeeded by then.
        let tables = Schema.steps.dropFirst(steps).reversed().compactMap { step in
            step.sql.firstMatch(of: /CREATE TABLE (\w+)/).map { String($0.1) }
        }
        guard let table = tables.first else { return }
        let folder = try database(steps: steps) {
            try $0.execute(sql: "CREATE TABLE \(table) (of_somebody_else)")
        }
        func shape() throws -> [String] {
            try DatabaseQueue(path: folder.path("nightjar.sqlite")).read(SchemaRows.shape)
        }
        let before = try shape()
        let error = #expect(throws: StoreError.self) { try Fixture(folder) }
        #expect(error?.detail.contains("nothing was changed") == true, "\(error.map { "\($0)" } ?? "")")
        #expect(try shape() == before)
        let mended = try DatabaseQueue(path: folder.path("nightjar.sqlite"))
        try mended.write { try $0.execute(sql: "DROP TABLE \(table)") }
        try mended.close()
        #expect(try Fixture(folder).store.trace(traceID(1)) != nil)
    }

    @Test func `a newer database is refused in one clear line, and not touched`() throws {
        let folder = try database(steps: Schema.steps.count) {
            try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('next')")
        }
        func shape() throws -> [String] {
            try DatabaseQueue(path: folder.path("nightjar.sqlite")).read(SchemaRows.shape)
        }
        let before = try shape()
        let error = #expect(throws: StoreError.self) { try Fixture(folder) }
        #expect(error?.code == .newerSchema)
        #expect(error?.detail == "a newer version wrote this database; use that version, or another file")
        #expect(try shape() == before)
    }

    @Test func `a new database can give its pages back`() throws {
        #expect(try Fixture().numbers("PRAGMA auto_vacuum") == [2])
    }
}
