package import NightjarBus
import NightjarSignals
import Synchronization

/// Where an exporter under test delivers, as its test sees it.
package protocol ContractDestination: Sendable {
    /// Makes the destination behave so from now on.
    func behave(_ behaviour: ExporterContract.Behaviour) async throws
    /// Whether it holds a call that hangs.
    var isHolding: Bool { get }
    /// Everything that arrived, as text in which the messages of the log lines can be found.
    func received() async throws -> String
}

/// How a contract is broken.
package struct ContractFailure: Error, Sendable, CustomStringConvertible {
    /// What was expected and what came.
    package let description: String
}

/// What every exporter must do (signals contract, section 10): checked through a bus, with log lines.
package enum ExporterContract {
    /// What a destination does.
    package enum Behaviour: Sendable, CaseIterable {
        /// It takes everything.
        case works
        /// It cannot take anything now.
        case isDown
        /// It refuses.
        case refuses
        /// It neither takes nor fails.
        case hangs
    }

    /// Checks that everything is delivered in order; after failures; that a loss is counted and followed by success; that one
    /// that hangs holds up nobody; and that a second shutdown does nothing. `make` returns a fresh exporter and its destination
    /// each time. `behaviours` are those that the destination can be made to show.
    /// - Throws: ``ContractFailure`` where the exporter does otherwise.
    package static func check(
        _ behaviours: Set<Behaviour> = Set(Behaviour.allCases),
        make: () async throws -> (any SignalExporter, any ContractDestination)
    ) async throws {
        try await success(Run(make()))
        if behaviours.contains(.isDown) { try await retryable(Run(make())) }
        if behaviours.contains(.refuses) { try await permanent(Run(make())) }
        if behaviours.contains(.hangs) { try await hanging(Run(make())) }
        try await shutDownTwice(Run(make()))
    }

    private static func success(_ run: Run) async throws {
        run.emit(0..<1000)
        try expect(await run.bus.flush().isComplete, "a flush is complete where everything works")
        try await run.expectReceived(Array(0..<1000), "everything arrives, once and in order")
        await run.bus.shutdown()
    }

    private static func retryable(_ run: Run) async throws {
        try await run.destination.behave(.isDown)
        run.emit(0..<10)
        for _ in 1...3 { try await run.passPause() }
        let last = try await run.pause()
        try await run.destination.behave(.works)
        run.clock.advance(by: last)
        try expect(await run.bus.flush().isComplete, "a flush is complete once the destination works")
        try await run.expectReceived(Array(0..<10), "everything arrives after failures, in order")
        try expect(run.lost == [:], "nothing counts as lost that arrived")
        await run.bus.shutdown()
    }

    private static func permanent(_ run: Run) async throws {
        try await run.destination.behave(.refuses)
        run.emit(0..<10)
        try await wait(for: "the loss") { run.lost["rejected"] == 10 }
        try await run.destination.behave(.works)
        run.emit(10..<20)
        await run.bus.flush()
        try await run.expectReceived(Array(10..<20), "what comes after a refusal arrives")
        await run.bus.shutdown()
    }

    private static func hanging(_ run: Run) async throws {
        let other = Mutex(0)
        run.bus.subscribe("other", to: [.log]) { _ in other.withLock { $0 += 1 } }
        try await run.destination.behave(.hangs)
        run.emit(0..<10)
        try await wait(for: "the call that hangs") { run.destination.isHolding }
        try await wait(for: "the others' events") { other.withLock { $0 == 10 } }
        async let report = run.bus.flush()
        try await run.clock.pass(Run.callLimit)
        _ = await report
        try await wait(for: "the loss") { run.lost["timeout"] == 10 }
        try await run.destination.behave(.works)
        run.emit(10..<20)
        await run.bus.flush()
        try await run.expectReceived(Array(10..<20), "what comes after a call that was cancelled arrives")
        await run.bus.shutdown()
    }

    private static func shutDownTwice(_ run: Run) async throws {
        run.emit(0..<3)
        await run.bus.shutdown()
        await run.bus.shutdown()
        try await run.exporter.shutdown()
        run.emit(3..<6)
        if let exporter = run.exporter as? any LogExporter {
            do {
                try await exporter.exportLogs([Run.log(6)])
                throw ContractFailure(description: "an exporter that is shut down must throw")
            } catch let error as ExportError {
                try expect(error.code == .shutDown, "a call after the shutdown says so, not \(error)")
            }
        }
        try await run.expectReceived(Array(0..<3), "nothing arrives after the shutdown")
    }

    fileprivate static func expect(_ isSo: Bool, _ rule: String) throws {
        guard isSo else { throw ContractFailure(description: "broken: \(rule)") }
    }
}

/// One exporter on a bus of its own.
private struct Run: Sendable {
    static let callLimit = Duration.seconds(3600)

    let exporter: any SignalExporter
    let destination: any ContractDestination
    let clock = ManualClock()
    let bus: ObservabilityBus

    init(_ made: (any SignalExporter, any ContractDestination)) {
        (exporter, destination) = made
        var configuration = BusConfiguration()
        configuration.callLimit = Self.callLimit
        configuration.flushLimit = Self.callLimit * 2
        configuration.batchEvents = 100
        let start = Timestamp(unixNano: 1_700_000_000_000_000_000)
        bus = ObservabilityBus(configuration, clock: clock, now: { start }, random: { 1 })
        bus.register(exporter)
    }

    static func log(_ number: Int) -> Log {
        let time = Timestamp(unixNano: 1_700_000_000_000_000_000 + Int64(number))
        return Log(timestamp: time, level: .info, message: "<contract \(number)>")
    }

    func emit(_ numbers: Range<Int>) { bus.emit(numbers.map { .log(Self.log($0)) }) }

    /// The pause before a retry, whatever its length: it is shorter than a call may take.
    func pause() async throws -> Duration {
        try await wait(for: "a pause") { clock.sleeps.first { $0 <= .seconds(60) } }
    }

    /// Lets it pass.
    func passPause() async throws { clock.advance(by: try await pause()) }

    /// What the exporter lost, by reason.
    var lost: [String: Int] {
        bus.counts().filter { $0.exporter == exporter.name && $0.reason != BusCount.delivered }
            .reduce(into: [:]) { $0[$1.reason, default: 0] += $1.count }
    }

    func expectReceived(_ numbers: [Int], _ rule: String) async throws {
        let text = try await destination.received()
        let found = text.matches(of: /<contract (\d+)>/).compactMap { Int($0.1) }
        try ExporterContract.expect(found == numbers, "\(rule); came \(found.prefix(20))…")
    }
}
