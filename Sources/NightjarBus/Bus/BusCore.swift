import NightjarSignals
import Synchronization

/// What the pipes of one bus share: who they are, what they count, and how their losses are told.
final class BusCore: Sendable {
    /// How often losses of one kind are told.
    private static let tellEvery = Duration.seconds(1)

    private struct Teller {
        var task: Task<Void, Never>?
        var hasEnded = false
    }

    let ledger = BusLedger()
    let timer: BusTimer
    private let now: @Sendable () -> Timestamp
    private let faults: FaultLimiter
    private let list = Mutex<[Pipe]>([])
    private let telling = Mutex(())
    private let teller = Mutex(Teller())

    init(
        timer: BusTimer,
        now: @escaping @Sendable () -> Timestamp,
        onFault: @escaping @Sendable (BusFault) -> Void
    ) {
        self.timer = timer
        self.now = now
        faults = FaultLimiter(elapsed: timer.elapsed, onFault: onFault)
    }

    var pipes: [Pipe] { list.withLock { $0 } }

    func add(_ pipe: Pipe) { list.withLock { $0.append(pipe) } }

    func remove(_ pipe: Pipe) { list.withLock { $0.removeAll { $0 === pipe } } }

    /// Tells a fault to the host, unless it was told of the same lately.
    func report(_ code: BusFault.Code, _ name: String, _ detail: @autoclosure () -> String) {
        faults.report(code, name, detail)
    }

    /// Counts events of a pipe as lost, and sees to it that the others are told.
    func lose(_ count: Int, _ signal: Signal, _ reason: String, pipe: Pipe, detail: String?) {
        guard count > 0 else { return }
        let drop = Drop(
            signal: signal,
            reason: reason,
            count: count,
            timestamp: now(),
            exporter: pipe.name,
            detail: detail
        )
        let isFirst = ledger.lose(drop, pipe: pipe.id)
        if let code = BusFault.Code(rawValue: reason) {
            report(
                code,
                pipe.name,
                "lost \(count) \(signal.rawValue) events (\(reason))" + (detail.map { ": \($0)" } ?? "")
            )
        }
        if isFirst { startTelling() }
    }

    /// Hands losses that were not told yet to everyone but the pipe that had them; whether there were any.
    @discardableResult
    func tellLosses(asTeller: Bool = false) -> Bool {
        // One teller at a time: whoever comes second finds everything in the queues.
        let (refused, hasTold) = telling.withLock { _ in
            let losses = ledger.takeLosses(byTeller: asTeller)
            let pipes = losses.isEmpty ? [] : pipes
            let refused = losses.flatMap { loss in
                let envelope = CollectionOfOne(Envelope(.drop(loss.drop)))
                return pipes.filter { $0.id != loss.pipe && !$0.offer(envelope, inOrder: false).isEmpty }
            }
            return (refused, !losses.isEmpty)
        }
        for pipe in refused { lose(1, .drop, "queue_full", pipe: pipe, detail: nil) }
        return hasTold
    }

    /// Stops telling losses over time.
    func stopTelling() {
        teller.withLock { teller in
            teller.hasEnded = true
            return teller.task
        }?.cancel()
    }

    /// Stops telling losses over time and waits until nobody does.
    func endTelling() async {
        stopTelling()
        await teller.withLock { $0.task }?.value
    }

    /// The task lives from the first loss until a second without any.
    private func startTelling() {
        teller.withLock { teller in
            guard !teller.hasEnded else { return }
            teller.task = Task {
                while tellLosses(asTeller: true) {
                    // Cancelled when the bus is shut down, which tells the rest itself.
                    do { try await timer.sleep(Self.tellEvery) } catch { return }
                }
            }
        }
    }
}

/// Lets one fault of a kind through in a minute.
private final class FaultLimiter: Sendable {
    private static let every = Duration.seconds(60)
    /// The most pairs of name and code that are remembered: beyond it all are forgotten.
    private static let pairs = 1000

    private struct Key: Hashable {
        let name: String
        let code: BusFault.Code
    }

    private let elapsed: @Sendable () -> Duration
    private let onFault: @Sendable (BusFault) -> Void
    private let told = Mutex<[Key: Duration]>([:])

    init(elapsed: @escaping @Sendable () -> Duration, onFault: @escaping @Sendable (BusFault) -> Void) {
        self.elapsed = elapsed
        self.onFault = onFault
    }

    func report(_ code: BusFault.Code, _ name: String, _ detail: () -> String) {
        let now = elapsed()
        let isDue = told.withLock { told in
            let key = Key(name: name, code: code)
            if let last = told[key], now - last < Self.every { return false }
            if told.count >= Self.pairs { told = [:] }
            told[key] = now
            return true
        }
        if isDue { onFault(BusFault(code: code, exporter: name, detail: detail())) }
    }
}
