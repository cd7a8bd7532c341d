import GRDB
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

struct MigrationTests {
    /// A store on a database of the first version.
    private func migrated() throws -> Fixture {
        let folder = try TemporaryFolder()
        let old = try DatabaseQueue(path: folder.path("nightjar.sqlite"))
        try old.write { db in
            try db.execute(sql: StepOne.tables)
            try db.execute(sql: StepOne.rows)
        }
        try old.close()
        return try Fixture(folder)
    }

    @Test func `traces and chunks of the first version read the same`() throws {
        let fixture = try migrated()
        var whole = record(1, start: 7)
        whole.isOpen = false
        whole.revision = 1
        whole.isPartial = false
        (whole.name, whole.type, whole.status, whole.hasErrors) = ("n", "agent_run", .error, true)
        whole.end = Timestamp(unixNano: 9)
        (whole.spanCount, whole.inputTokens, whole.outputTokens, whole.cost) = (2, 1.5, 2, 0.25)
        (whole.service, whole.environment, whole.agent, whole.workflow) = ("svc", "prod", "planner", "order")
        (whole.user, whole.session) = ("u", "s")
        whole.agents = FacetSet(["planner"])
        #expect(try fixture.store.trace(traceID(1)) == whole)
        #expect(try fixture.store.traces(TraceQuery()).traces == [record(2), whole])
        #expect(
            try fixture.store.chunks(of: traceID(1)) == [
                StoredChunk(sequence: 1, receivedAt: Timestamp(unixNano: 1_000), chunk: chunk(1))
            ]
        )
        #expect(try fixture.replayed().map(\.sequence) == [2])
        #expect(try fixture.submit(chunks: [chunk(3)]).sequences == [3])
    }

    @Test func `annotations and logs of the first version read the same`() throws {
        let fixture = try migrated()
        var whole = score("a")
        whole.spanID = SpanID(value: 3)
        (whole.scorerVersion, whole.label, whole.reason) = ("2", "good", "because")
        (whole.experiment, whole.annotatorKind, whole.metadata) = ("e", "llm", ["k": 1])
        var session = score("b", trace: nil)
        session.sessionID = "s"
        var words = feedback("a")
        (words.comment, words.experiment) = ("c", "e")
        var log = Log(timestamp: Timestamp(unixNano: 20), level: .warn, message: "slow", data: ["ms": 12])
        (log.traceID, log.spanID, log.metadata) = (traceID(1), SpanID(value: 9), ["userId": "u"])
        #expect(try fixture.store.scores(of: traceID(1)).map(\.score) == [whole])
        #expect(try fixture.store.feedback(of: traceID(1)).map(\.feedback) == [words])
        #expect(try fixture.store.logs(of: traceID(1)).map(\.log) == [log])
        #expect(try fixture.store.scores(ScoreQuery()).records.map(\.score) == [session, whole])
        #expect(try fixture.store.history(ofScore: "a").map(\.score.score) == [0.1])
        #expect(try fixture.store.history(ofFeedback: "a").map(\.feedback.value) == [4])
        #expect(try fixture.store.recover().scores == [session])
        #expect(try fixture.store.recover().feedback == [words])
    }

    @Test func `totals of the first version read the same`() throws {
        let fixture = try migrated()
        let series = try fixture.store.recover().series
        #expect(
            series.map(\.instrument) == [.init(name: "runs_total", type: .counter, help: "Runs.", unit: "1")]
        )
        #expect(series.map(\.labels) == [[Label("agent", "planner")]])
        #expect(series.map(\.total.sum) == [3])
        #expect(
            try fixture.other().read { try String.fetchAll($0, sql: "SELECT origin FROM metrics") } == [
                "nightjar"
            ]
        )
    }

    @Test func `a database of the second version comes to keep what plugins need`() throws {
        let fixture = try migrated()
        #expect(try fixture.store.plugins().isEmpty)
        var kept = PluginRecord(name: "tone")
        kept.isDisabled = true
        try fixture.keep(.keep(kept))
        #expect(try fixture.store.plugins() == [kept])
    }

    @Test func `the words of logs of the first version are found, and go with them`() throws {
        let fixture = try migrated()
        var query = LogQuery()
        query.text = "SLOW"
        #expect(try fixture.store.logs(query).records.map(\.log.message) == ["slow"])
        #expect(try fixture.store.deleteTrace(traceID(1)))
        #expect(try fixture.store.logs(query).records.isEmpty)
    }

    @Test func `a trace of the first version is found by its agent, and by its models when it goes on`()
        throws
    {
        let fixture = try migrated()
        var query = TraceQuery()
        query.agent = "planner"
        #expect(try fixture.store.traces(query).traces.map(\.id) == [traceID(1)])
        query.model = "m"
        #expect(try fixture.store.traces(query).traces.isEmpty)
        var record = try #require(try fixture.store.trace(traceID(1)))
        record.models = FacetSet(["m"])
        try fixture.commit { [record] in $0.traces = [record] }
        #expect(try fixture.store.traces(query).traces.map(\.id) == [traceID(1)])
    }

    @Test func `a migrated database has the tables of a new one`() throws {
        func columns(_ fixture: Fixture) throws -> [String] {
            try fixture.other().read { db in
                try String.fetchAll(
                    db,
                    sql: """
                        SELECT t.name || '.' || c.name || ' ' || c.type FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
                        ORDER BY 1
                        """
                )
            }
        }
        #expect(try columns(migrated()) == columns(Fixture()))
    }
}
