import HTTPTypes
import Nightjar
import NightjarBus
import NightjarPlugins
import NightjarSignals
import Synchronization

/// Hands what passes on the bus, and the errors of plugins, to those who read it live. While nobody reads, the bus knows
/// nothing of it: then no value is made for it. Safe to use from any thread.
final class LiveFeed: Sendable {
    /// The names under which the bus counts what it could not hand over. Observations have a line of their own, for few want
    /// them; drops too, because whoever loses something is not told of it itself.
    private enum Line: String {
        case main = "live"
        case metrics = "live_metrics"
        case drops = "live_drops"

        var signals: Set<Signal> {
            switch self {
            case .main: [.tracing, .log, .score, .feedback, .traceEnded]
            case .metrics: [.metric]
            case .drops: [.drop]
            }
        }
    }

    private struct State {
        var readers: [Int: LiveReader] = [:]
        var number: UInt64 = 0
        /// The number of the first event of the time since which somebody has been reading.
        var since: UInt64 = 0
        var isStopped = false
    }

    private let bus: ObservabilityBus
    private let errors: PluginErrorFeed?
    private let counts: LiveCounts
    private let settings: LiveSettings
    /// Which run of the server it is, for ids.
    private let run: String
    private let state = Mutex(State())
    /// Changed by whoever comes or goes, one at a time.
    private let lines = Mutex<[Line: Subscription]>([:])
    private let nextReader = Atomic(0)

    /// A feed without readers. `run` tells ids of this run from those of others.
    init(
        engine: Engine,
        _ settings: LiveSettings,
        run: String = String(UInt32.random(in: 1 ... .max), radix: 16)
    ) {
        bus = engine.bus
        errors = engine.plugins?.errorFeed
        counts = engine.live
        self.settings = settings
        self.run = run
    }

    // MARK: Coming and going

    /// Lets a reader in; it gets what passes from now on. `lastID` is the last event that it had, where it has read before: if
    /// anything passed since, or nobody knows, the first thing that it hears is that.
    /// - Throws: ``Problem`` 503 where there are too many, or the server stops.
    func join(_ filter: LiveFilter, after lastID: String?) throws -> LiveSeat {
        try lines.withLock { lines in
            let place = nextReader.add(1, ordering: .relaxed).newValue
            let reader = LiveReader(filter, run: run, settings, counts)
            try state.withLock { state in
                try admit(reader, place, &state)
                if let lastID, let gap = gap(after: lastID, state) { reader.offer(gap, number: nil) }
            }
            counts.readers(by: 1)
            listen(&lines)
            return LiveSeat(reader: reader) { [weak self] in self?.leave(place) }
        }
    }

    private func admit(_ reader: LiveReader, _ place: Int, _ state: inout State) throws {
        guard !state.isStopped else {
            var problem = Problem(.serviceUnavailable, "the server stops")
            problem.retryAfterSeconds = 5
            throw problem
        }
        guard state.readers.count < settings.readers else {
            counts.refuse()
            var problem = Problem(
                .serviceUnavailable,
                "\(settings.readers) read live events already, more may not; come again later"
            )
            problem.retryAfterSeconds = 10
            throw problem
        }
        if state.readers.isEmpty {
            // What passed while nobody read was not counted: one number stands for it.
            state.number += 1
            state.since = state.number
        }
        state.readers[place] = reader
    }

    private func gap(after lastID: String, _ state: State) -> LiveFrame? {
        guard let id = LiveID(lastID), id.run == run, id.number >= state.since, id.number <= state.number
        else { return .gap("reconnected", count: nil, after: lastID) }
        guard id.number < state.number else { return nil }
        return .gap("reconnected", count: Int(state.number - id.number), after: lastID)
    }

    private func leave(_ place: Int) {
        lines.withLock { lines in
            guard let reader = state.withLock({ $0.readers.removeValue(forKey: place) }) else { return }
            reader.leave()
            counts.readers(by: -1)
            listen(&lines)
        }
    }

    /// Lets nobody in any more; every reader gets what waits for it and then a last event.
    func stop() {
        let readers = state.withLock { state in
            state.isStopped = true
            return Array(state.readers.values)
        }
        for reader in readers { reader.stop() }
    }

    /// Subscribes to what somebody wants, and to nothing else.
    private func listen(_ lines: inout [Line: Subscription]) {
        let readers = state.withLock { Array($0.readers.values) }
        set(.main, !readers.isEmpty, &lines)
        set(.drops, !readers.isEmpty, &lines)
        let wantsMetrics = readers.contains { $0.filter.wantsMetrics }
        set(.metrics, wantsMetrics, &lines)
        guard !readers.isEmpty else { return errors?.listen(nil) ?? () }
        errors?.listen { [weak self] notice in self?.tell(.pluginError(notice)) }
    }

    private func set(_ line: Line, _ isWanted: Bool, _ lines: inout [Line: Subscription]) {
        guard isWanted != (lines[line] != nil) else { return }
        if isWanted {
            lines[line] = bus.subscribe(line.rawValue, to: line.signals) { [weak self] in self?.take($0) }
        } else {
            lines.removeValue(forKey: line)?.cancel()
        }
    }

    // MARK: Events

    private func take(_ event: SignalEvent) {
        if case .drop(let drop) = event, let name = drop.exporter, Line(rawValue: name) != nil {
            // What the feed itself lost, every reader may have missed.
            let gap = LiveFrame.gap(drop.reason, count: drop.count)
            for reader in state.withLock({ $0.readers }).values { reader.offer(gap, number: nil) }
        }
        tell(.signal(event))
    }

    /// Queues an event for whoever wants it; made ready once for all of them, outside of the lock.
    private func tell(_ event: LiveEvent) {
        let wanting = state.withLock { $0.readers }.values.filter { $0.filter.passes(event) }
        let frame = wanting.isEmpty ? nil : LiveFrame(event)
        state.withLock { state in
            state.number += 1
            guard let frame else { return }
            // Under the lock, so that every reader gets the numbers in order. None of them waits.
            for reader in wanting { reader.offer(frame, number: state.number) }
        }
    }
}

/// A reader's place; given up with the object.
final class LiveSeat: Sendable {
    let reader: LiveReader
    private let onLeave: @Sendable () -> Void

    init(reader: LiveReader, onLeave: @escaping @Sendable () -> Void) {
        self.reader = reader
        self.onLeave = onLeave
    }

    deinit { onLeave() }

    /// Gives the place up; again: nothing.
    func leave() { onLeave() }
}
