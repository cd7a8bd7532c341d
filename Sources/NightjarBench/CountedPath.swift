import NightjarOTLP

/// A hot path that a process runs a given number of times and does nothing else that depends on that number, so that the
/// difference of two runs is what the rounds cost. One thread where the path allows it, and no look at a clock.
struct CountedPath: Sendable {
    /// Rounds that somebody has made ready, and runs when told to.
    typealias Rounds = (_ count: Int) async throws -> Void

    let name: String
    /// What a round has many of.
    let unit: String
    /// How many rounds are counted; as many go before them in each run.
    var rounds = 2
    /// By how much of it what is counted may grow.
    var tolerance = 0.05
    /// Makes ready what the given number of rounds needs, and says how many units each of them has.
    let prepare: @Sendable (_ rounds: Int) async throws -> (units: Int, run: Rounds)

    /// Every path whose counts are kept, a line each.
    static let all: [CountedPath] = [
        CountedPath(name: "decode-protobuf", unit: "span") { _ in try CountedDecoding.rounds(.protobuf) },
        CountedPath(name: "decode-json", unit: "span") { _ in try CountedDecoding.rounds(.json) },
        CountedPath(name: "settle", unit: "span") { try CountedPass.rounds($0, .settling) },
        CountedPath(name: "settle-extract", unit: "span") { try CountedPass.rounds($0, .extraction) },
        CountedPath(name: "settle-extract-effects", unit: "span") { try CountedPass.rounds($0, .effects) },
        CountedPath(name: "rule-match", unit: "event", rounds: 10) { _ in
            try CountedRules.rounds(BenchRules.modelUse)
        },
        CountedPath(name: "rule-no-match", unit: "event", rounds: 200) { _ in
            try CountedRules.rounds(BenchRules.unmatched)
        },
        CountedPath(name: "label-filter", unit: "set", rounds: 20) { _ in CountedMetrics.filtering() },
        CountedPath(name: "aggregation", unit: "observation") { _ in try CountedMetrics.aggregation() },
        CountedPath(name: "store-insert", unit: "span") { try await CountedStore.rounds($0) },
        CountedPath(name: "path", unit: "span", rounds: 3) { try await CountedEngine.rounds($0) },
    ]

    /// How many spans a round has at least.
    static let spans = 4000

    /// Runs a path, with everything made ready that twice its rounds need; returns how many units went through.
    static func run(_ name: String, rounds: Int) async throws -> Int {
        guard let path = all.first(where: { $0.name == name }) else {
            throw BenchFailure(description: "there is no path \(name)")
        }
        let most = 2 * path.rounds
        guard rounds <= most else {
            throw BenchFailure(description: "\(name) is made ready for \(most) rounds")
        }
        let (units, run) = try await path.prepare(most)
        try await run(rounds)
        return units * rounds
    }
}
