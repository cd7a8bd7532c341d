import NightjarBus
import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Testing

/// Changed bytes: refused, or rewritten to a request that decodes and of which a second pass changes nothing.
@Suite struct PayloadRedactorFuzzTests {
    private static let bodies: [[UInt8]] = {
        var secrets = TestSpan(attributes: [
            ("app.password", "s3cret"), ("a", #"{"key":"s3cret","b":[1,{"token":"x"}]}"#),
            ("auth", ["x", "y"]),
            ("n", 7), ("long", .text(String(repeating: "é", count: 300))),
        ])
        secrets.events = [("e", 1, [("jwt", "s3cret")])]
        let captures = Captures.all.flatMap(\.traceRequests).filter { !$0.isJSON }.prefix(8)
        let bodies = captures.compactMap { request -> [UInt8]? in
            do { return Array(try request.inflated().array.prefix(4000)) } catch {
                Issue.record(error)
                return nil
            }
        }
        return bodies + [body([secrets, TestSpan(), secrets])]
    }()

    @Test(arguments: [UInt64(1), 2, 3, 4, 5])
    func `changed bytes never crash the redactor, and what it writes is whole`(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var limits = PayloadRedactor.Limits()
        limits.valueBytes = 200
        let redactor = PayloadRedactor(RedactionRules(RedactionConfiguration()), limits: limits)
        var rewritten = 0
        for round in 0..<1000 {
            // Every other one holds secrets.
            var bytes = Self.bodies[round % 2 == 0 ? Self.bodies.count - 1 : round / 2 % Self.bodies.count]
            Self.change(&bytes, using: &random)
            let found: Payload?
            do { found = try bytes.withUnsafeBytes { try redactor.redacted($0) } } catch is OTLPError {
                continue
            }
            guard let found else { continue }
            rewritten += 1
            #expect(try redactor.redacted(found) == nil, "seed \(seed), round \(round)")
            // What decoded before decodes after.
            let isWhole = (try? Self.decode(Payload(bytes))) != nil  // refused for what the change has broken
            if isWhole { #expect(throws: Never.self) { try Self.decode(found) } }
        }
        #expect(rewritten > 100)
    }

    private static func change(_ bytes: inout [UInt8], using random: inout SeededGenerator) {
        for _ in 0..<1 + random.next() % 4 {
            let place = Int(random.next() % UInt64(bytes.count))
            switch random.next() % 4 {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes[place] ^= 1 << UInt8(random.next() % 8)
            case 2: bytes.remove(at: place)
            default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
            }
        }
    }

    @Test(arguments: [UInt64(1), 2])
    func `changed metrics never crash the redactor, and what it writes is whole`(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var limits = PayloadRedactor.Limits()
        limits.valueBytes = 200
        let redactor = PayloadRedactor(RedactionRules(RedactionConfiguration()), limits: limits)
        let long = TestValue.text(String(repeating: "é", count: 300))
        let body = TestPoint.request(
            TestPoint.kinds,
            [("app.password", "s3cret"), ("auth", ["x"]), ("long", long)]
        )
        var rewritten = 0
        for round in 0..<1000 {
            var bytes = body
            Self.change(&bytes, using: &random)
            let found: Payload?
            do throws(OTLPError) { found = try redactor.redactedMetrics(Payload(bytes)) } catch { continue }
            guard let found else { continue }
            rewritten += 1
            #expect(try redactor.redactedMetrics(found) == nil, "seed \(seed), round \(round)")
            // What decoded before decodes after; an error is what the change has broken.
            let isWhole = (try? Self.decodeMetrics(Payload(bytes))) != nil
            if isWhole { #expect(throws: Never.self) { try Self.decodeMetrics(found) } }
        }
        #expect(rewritten > 100)
    }

    private static func decodeMetrics(_ payload: Payload) throws -> MetricRequest {
        try MetricRequest.decode(payload, encoding: .protobuf, receivedAt: Timestamp(unixNano: 1))
    }

    private static func decode(_ payload: Payload) throws -> TraceRequest {
        try TraceRequest.decode(payload, encoding: .protobuf, receivedAt: Timestamp(unixNano: 1), workers: 1)
    }

    @Test func `a body cut off at any byte is refused or is whole in itself`() throws {
        let whole = try #require(Self.bodies.last)
        let redactor = PayloadRedactor(RedactionRules(RedactionConfiguration()))
        for length in 0..<whole.count {
            do { _ = try whole[..<length].withUnsafeBytes { try redactor.redacted($0) } } catch is OTLPError {
            }
        }
    }
}
