import Logging
import Nightjar
import NightjarBus
import NightjarExporters
import NightjarSignals
import NightjarTesting
import Synchronization
import Testing

/// A program that links the library: its observability, and an exporter that keeps what comes out.
struct Program {
    let observability: Observability
    let exported: InMemoryExporter
    let clock: SteppedClock

    /// Runs `body` in a program with this configuration, then shuts it down.
    static func run(
        _ change: (inout Observability.Configuration) -> Void = { _ in },
        _ body: (Program) async throws -> Void
    ) async throws {
        var logger = Logger(label: "test", factory: StreamLogHandler.standardError(label:))
        logger.logLevel = .critical
        let exported = InMemoryExporter()
        var configuration = Observability.Configuration(
            serviceName: "shop",
            environment: "test",
            exporters: [exported],
            logger: logger
        )
        // A machine that is busy with other tests hands over slowly.
        (configuration.bus.callLimit, configuration.bus.flushLimit) = (.seconds(60), .seconds(120))
        change(&configuration)
        let clock = SteppedClock()
        let program = Program(
            observability: try Observability(configuration, clock: clock),
            exported: exported,
            clock: clock
        )
        do {
            try await body(program)
        } catch {
            await program.observability.shutdown()
            throw error
        }
        await program.observability.shutdown()
    }

    /// What every series of a metric has counted, by its labels.
    func totals(_ name: String) -> [[String: String]: Double] {
        var totals: [[String: String]: Double] = [:]
        for series in observability.engine.ledger.snapshot() where series.instrument.name == name {
            totals[Dictionary(uniqueKeysWithValues: series.labels.map { ($0.name, $0.value) })] =
                series.total.sum
        }
        return totals
    }
}

/// A clock that goes on by a millisecond at each look, so that every instant differs and none depends on the machine.
final class SteppedClock: PipelineClock {
    private let state = Locked(Int64(1_790_000_000_000_000_000))

    func now() -> Timestamp {
        state.update { time in
            time += 1_000_000
            return Timestamp(unixNano: time)
        }
    }

    /// Lets time pass.
    func advance(by duration: Duration) {
        state.update { $0 += duration.components.seconds * 1_000_000_000 }
    }
}

/// A value behind a lock.
final class Locked<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) { self.value = Mutex(value) }

    func update<Result: Sendable>(_ change: (inout Value) -> Result) -> Result {
        value.withLock { change(&$0) }
    }

    var current: Value { value.withLock { $0 } }
}

struct Failure: Error, CustomStringConvertible {
    var description: String { "the kettle is cold" }
}
