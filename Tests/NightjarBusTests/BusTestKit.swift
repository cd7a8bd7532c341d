import Foundation
import NightjarBus
import NightjarSignals
import NightjarTesting
import Synchronization

/// A bus on a manual clock that keeps the faults it tells.
struct TestBus: Sendable {
    let bus: ObservabilityBus
    let clock = ManualClock()
    let faults: Kept<BusFault>

    init(_ change: (inout BusConfiguration) -> Void = { _ in }) {
        var configuration = BusConfiguration()
        change(&configuration)
        let kept = Kept<BusFault>()
        faults = kept
        bus = ObservabilityBus(
            configuration,
            clock: clock,
            now: { Timestamp(unixNano: 1_700_000_000_000_000_000) },
            random: { 1 },
            onFault: kept.add
        )
    }

    /// The sum of the counts of an exporter for a reason.
    func count(_ exporter: String, _ reason: String) -> Int {
        bus.counts().filter { $0.exporter == exporter && $0.reason == reason }.reduce(0) { $0 + $1.count }
    }

    /// Waits for that sum to be reached.
    func waitForCount(_ exporter: String, _ reason: String, _ count: Int) async throws {
        try await wait(for: "\(count) \(reason)") { self.count(exporter, reason) >= count }
    }
}

/// Values kept from any thread, in order.
final class Kept<Element: Sendable>: Sendable {
    private let state = Mutex<[Element]>([])
    var all: [Element] { state.withLock { $0 } }
    var count: Int { state.withLock { $0.count } }
    @Sendable func add(_ element: Element) { state.withLock { $0.append(element) } }
}

/// Takes logs, metrics and drops; what it does with a batch first is scripted.
final class ScriptedExporter: LogExporter, MetricExporter, DropExporter {
    let name: String
    let logLevel: LogLevel?
    let messages = Kept<String>()
    let batches = Kept<Int>()
    let drops = Kept<Drop>()
    let attempts = Kept<Int>()
    let flushes = Kept<Int>()
    let shutdowns = Kept<Int>()
    private let before: @Sendable (_ attempt: Int) async throws -> Void

    init(
        _ name: String = "scripted",
        logLevel: LogLevel? = nil,
        before: @escaping @Sendable (_ attempt: Int) async throws -> Void = { _ in }
    ) {
        self.name = name
        self.logLevel = logLevel
        self.before = before
    }

    func exportLogs(_ logs: [Log]) async throws { try await take(logs.map(\.message)) }
    func exportMetrics(_ metrics: [Metric]) async throws { try await take(metrics.map(\.name)) }
    func exportDrops(_ drops: [Drop]) async throws { for drop in drops { self.drops.add(drop) } }
    func flush() async throws { flushes.add(messages.count) }
    func shutdown() async throws { shutdowns.add(messages.count) }

    private func take(_ texts: [String]) async throws {
        attempts.add(texts.count)
        try await before(attempts.count)
        batches.add(texts.count)
        for text in texts { messages.add(text) }
    }
}

/// Holds those who pass until it is opened; minds no cancellation.
final class Barrier: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    var waiters: Int { state.withLock { $0.waiting.count } }

    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for one in waiting { one.resume() }
    }
}

func log(_ message: String, _ level: LogLevel = .info) -> SignalEvent {
    .log(Log(timestamp: Timestamp(unixNano: 1), level: level, message: message))
}

func metric(_ name: String) -> SignalEvent {
    .metric(Metric(timestamp: Timestamp(unixNano: 1), name: name, type: .counter, value: 1))
}

func numbered(_ range: Range<Int>) -> [SignalEvent] { range.map { log("\($0)") } }

/// Runs a body that blocks on a thread of its own.
func onThread(_ body: @escaping @Sendable () -> Void) -> Task<Void, Never> {
    Task {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                body()
                continuation.resume()
            }
        }
    }
}
