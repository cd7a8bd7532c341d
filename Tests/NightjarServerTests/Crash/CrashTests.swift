import Foundation
import NightjarBus
import NightjarSignals
import NightjarStore
import NightjarTesting
import Testing

/// The server under load, killed again and again: what it has in the end is what it would have without that, and what the load
/// knows it must have.
///
/// `NIGHTJAR_CRASH_SEED` sets the first seed, `NIGHTJAR_CRASH_ROUNDS` how often it is killed in all.
@Suite(.serialized) struct CrashTests {
    struct Campaign: Sendable, CustomTestStringConvertible {
        let seed: UInt64
        let rounds: Int
        /// Whether syncs fail now and then, and some kills are power cuts.
        let isHarsh: Bool

        var testDescription: String {
            "NIGHTJAR_CRASH_SEED=\(seed), \(rounds) kills\(isHarsh ? ", harsh" : "")"
        }
    }

    private static let campaigns = {
        let variables = ProcessInfo.processInfo.environment
        let seed = variables["NIGHTJAR_CRASH_SEED"].flatMap { UInt64($0) } ?? 1
        let rounds = max(1, variables["NIGHTJAR_CRASH_ROUNDS"].flatMap { Int($0) } ?? 24)
        let each = 12
        return (0..<(rounds + each - 1) / each).map { number in
            let left = min(each, rounds - number * each)
            // The seed alone says which it is, so that one can be run again by itself.
            let own = seed &+ UInt64(number)
            return Campaign(seed: own, rounds: left, isHarsh: own % 2 == 0)
        }
    }()

    private static let plugins = [
        "crash_count.lua": """
        local agents = { "a0", "a1", "a2", "native" }
        local spans = nightjar.counter("crash_spans_total", { labels = { "type", "status" } })
        local tokens = nightjar.histogram("crash_tokens", { labels = { "agent" }, buckets = { 100, 1000 } })
        local ended = nightjar.counter("crash_traces_ended_total", { labels = { "agent" } })
        nightjar.on("span_ended", nil, function(span)
          spans:add(1, { type = span.type, status = span.status })
        end)
        nightjar.on("span_ended", { type = "model_generation" }, function(span)
          tokens:record(span.usage.input_tokens, { agent = span.agent })
        end)
        nightjar.on("trace_ended", { root = { agent = agents } }, function(trace)
          ended:add(1, { agent = trace.root.agent })
        end)
        nightjar.scorer("crash_size", { on = "trace_ended", match = { root = { agent = agents } }, range = { 0, 100 } },
          function(trace) trace.addScore { score = #trace.spans } end)
        """,
        "crash_state.lua": """
        nightjar.plugin { scope = "global" }
        local runs = nightjar.counter("crash_state_runs_total")
        nightjar.on("span_ended", { type = "agent_run" }, function(span)
          nightjar.state.runs = (nightjar.state.runs or 0) + 1
          runs:add(1)
        end)
        """,
    ]

    @Test(arguments: campaigns)
    func `a server that is killed again and again ends with what one that was not has`(campaign: Campaign)
        async throws
    {
        let load = CrashLoad(seed: campaign.seed, rounds: campaign.rounds)
        let calm = try await Self.run(load, kills: 0, campaign)
        #expect(calm.outcome.differences(from: load.totals, attempts: calm.attempts) == [])
        let killed = try await Self.run(load, kills: campaign.rounds, campaign)
        #expect(killed.outcome.differences(from: load.totals, attempts: killed.attempts) == [])
        #expect(killed.outcome.differences(from: calm.outcome) == [])
    }

    private static func run(_ load: CrashLoad, kills: Int, _ campaign: Campaign) async throws -> (
        outcome: CrashOutcome, attempts: [String: Int]
    ) {
        let folder = try Fixture()
        for (name, text) in plugins { try folder.write(text, to: "plugins/\(name)") }
        let disk = try FaultyDisk(folder, hasShadow: campaign.isHarsh)
        let server = CrashServer(disk, ["--plugins", folder.path("plugins")])
        let metrics = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await send(load, to: server) }
            try await kill(server, kills, campaign)
            let (process, client) = try await server.stay()
            try await group.waitForAll()
            let metrics = try await settled(server, client, load.totals)
            process.signal(SIGTERM)
            #expect(try await process.exitCode() == 0)
            return metrics
        }
        if kills > 0 { print("crash \(campaign.testDescription): \(server.summary)") }
        let store = try SQLiteStore(.file(disk.database), ledger: SeriesLedger(table: SeriesTable()))
        let outcome = try CrashOutcome(metrics: metrics, in: store)
        try store.close()
        return (outcome, server.attempts)
    }

    private static func send(_ load: CrashLoad, to server: CrashServer) async throws {
        try await withThrowingTaskGroup(of: Void.self) { lanes in
            for lane in load.lanes {
                lanes.addTask {
                    for step in lane {
                        switch step {
                        case .send(let request): try await server.send(request)
                        case .reach(let place, let value):
                            try await wait(for: "\(place) to be \(value)", limit: .seconds(120)) {
                                try await server.metrics().map { place.value(in: $0) >= value } ?? false
                            }
                        }
                    }
                }
            }
            try await lanes.waitForAll()
        }
        server.done()
    }

    private static func kill(_ server: CrashServer, _ kills: Int, _ campaign: Campaign) async throws {
        var random = SeededGenerator(seed: campaign.seed &* 31)
        for round in 0..<kills {
            let end = CrashEnd.random(&random)
            var failing: [String] = []
            if campaign.isHarsh, Bool.random(using: &random) {
                failing = ["fail wal sync EIO \(Int.random(in: 1...3, using: &random)) n\(round)"]
            }
            let isCut = campaign.isHarsh && round > 0 && Bool.random(using: &random)
            let fromStart = Int.random(in: 0..<4, using: &random) == 0
            let code = try await server.live(end, failing: failing, fromStart: fromStart)
            // Where its start met the failing sync it says so, and the next start goes on.
            #expect(code == -SIGKILL || code == 0 || (code == 3 && !failing.isEmpty), "\(end)")
            if isCut { try server.disk.cutPower(&random) }
        }
    }

    /// Waits until everything is as the load says; what `/metrics` has then.
    private static func settled(_ server: CrashServer, _ client: HTTPClient, _ totals: CrashTotals)
        async throws -> [String: Double]
    {
        var last: [String: Double] = [:]
        do {
            try await wait(for: "everything to be counted and every trace to be over", limit: .seconds(40)) {
                guard let metrics = try await server.metrics() else { return false }
                last = metrics
                guard totals.wrong(in: metrics).isEmpty else { return false }
                let list = try await client.get("/api/traces?limit=500").json()["traces"]?.array ?? []
                return list.allSatisfy { $0["isOpen"] == false }
            }
        } catch is WaitError {
            // The comparison tells what is missing.
            return last
        }
        return last
    }
}
