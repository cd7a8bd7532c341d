import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

@Suite struct SamplingTests {
    private static func ids(_ count: Int, seed: UInt64) -> [TraceID] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in TraceID(high: random.next(), low: random.next()) }
    }

    private static let random = ids(100_000, seed: 7)
    /// Ids as a sender without a good generator makes them.
    private static let sequential = (1...100_000).map { TraceID(high: 0, low: UInt64($0)) }

    @Test(arguments: [0.001, 0.01, 0.1, 0.25, 0.5, 0.9])
    func `a ratio keeps that part of all traces, however their ids are made`(_ ratio: Double) {
        for ids in [Self.random, Self.sequential] {
            let kept = ids.count { Sampling.ratio(ratio).isKept(SamplingContext(traceID: $0, name: "n")) }
            #expect(abs(Double(kept) / 100_000 - ratio) < 0.01)
        }
    }

    @Test func `a trace kept at a ratio is kept at every higher one`() {
        for id in Self.random.prefix(5000) {
            var wasKept = false
            for ratio in stride(from: 0.0, through: 1.0, by: 0.05) {
                let isKept = Sampling.sample(id, ratio: ratio, salt: "s")
                #expect(isKept || !wasKept)
                wasKept = isKept
            }
            #expect(Sampling.sample(id, ratio: 1, salt: "s"))
            #expect(!Sampling.sample(id, ratio: 0, salt: "s"))
        }
    }

    @Test func `samples of different salts, and partitions, are independent of each other`() {
        let first = Self.random.filter { Sampling.sample($0, ratio: 0.5, salt: "one") }
        let both = first.count { Sampling.sample($0, ratio: 0.5, salt: "two") }
        #expect(abs(Double(both) / Double(first.count) - 0.5) < 0.01)
        for worker in 0..<4 as Range<UInt64> {
            let share = first.count { $0.mixed % 4 == worker }
            #expect(abs(Double(share) / Double(first.count) - 0.25) < 0.01)
        }
    }

    @Test func `every process keeps the same traces`() {
        let kept = (1...20).filter {
            Sampling.ratio(0.5).isKept(SamplingContext(traceID: TraceID(high: 1, low: $0), name: "n"))
        }
        #expect(kept == [2, 3, 4, 7, 8, 10, 18, 19])
    }

    @Test func `a ratio that is no number keeps nothing`() {
        #expect(!Sampling.sample(TraceID(high: 1, low: 1), ratio: .nan, salt: ""))
    }

    @Test func `always, never and a closure do what they say`() {
        var span = Span(
            id: SpanID(value: 1),
            traceID: TraceID(high: 1, low: 1),
            name: "run",
            startTime: Timestamp(unixNano: 1)
        )
        span.type = .agentRun
        span.metadata = ["vip": true]
        span.service = "svc"
        span.environment = "prod"
        let context = SamplingContext(span)
        #expect(Sampling.always.isKept(context))
        #expect(!Sampling.never.isKept(context))
        let custom = Sampling.custom {
            $0.name == "run" && $0.type == .agentRun && $0.metadata["vip"] == true && $0.serviceName == "svc"
                && $0.environment == "prod"
        }
        #expect(custom.isKept(context))
    }

    @Test func `with several samplers a trace is kept if any keeps it, and without any`() {
        let context = SamplingContext(traceID: TraceID(high: 1, low: 1), name: "n")
        #expect([Sampling.never, .always].isKept(context))
        #expect(![Sampling.never, .ratio(0)].isKept(context))
        #expect([Sampling]().isKept(context))
    }
}
