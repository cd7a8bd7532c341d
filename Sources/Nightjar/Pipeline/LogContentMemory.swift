import NightjarBus
import NightjarOTLP
import NightjarSignals

/// The content of spans that came in log records, for the rules of one worker: of the traces of late in memory, of others in
/// the store. Belongs to the worker's thread.
final class LogContentMemory {
    /// So many bytes of log lines are kept; the traces whose lines came first go first, and are then looked up in the store.
    private static let byteLimit = 16 << 20

    private var logs: [TraceID: [Log]] = [:]
    private var readers: [TraceID: LogContentReader] = [:]
    private var order: [TraceID] = []
    private var start = 0
    private var bytes = 0
    /// Traces of which the store may have lines that are not here.
    private var stored: Set<TraceID> = []
    /// So many such traces are known by id.
    private static let storedLimit = 100_000
    /// Whether lines may have been stored by someone else.
    private let looksAlways: Bool

    /// An empty memory. `isLive`: every line of a trace comes by here, unless the trace is older than this run.
    init(isLive: Bool) { looksAlways = !isLive }

    /// Notes a line that carries content.
    func note(_ log: Log) {
        guard LogContents.isContent(log), let id = log.traceID else { return }
        if logs[id] == nil { order.append(id) }
        logs[id, default: []].append(log)
        readers[id] = nil
        bytes += SignalEvent.log(log).approximateBytes
        while bytes > Self.byteLimit, start < order.count { forgetOldest() }
    }

    /// Notes a trace that was open when the process stopped.
    func noteRestored(_ id: TraceID) { expectStored(id) }

    /// Reads a trace's spans with the content of its log lines; nil where none carry any. `stored` looks them up.
    func reader(of id: TraceID, stored lookUp: () -> [Log]) -> LogContentReader? {
        if let reader = readers[id] { return reader }
        var known = logs[id] ?? []
        if looksAlways || stored.contains(id) {
            // What is here may be stored already: a line counts once.
            known = lookUp() + known
        }
        let contents = LogContents(known)
        guard !contents.isEmpty else { return nil }
        let reader = LogContentReader(contents)
        if logs[id] != nil { readers[id] = reader }
        return reader
    }

    private func forgetOldest() {
        let id = order[start]
        start += 1
        for log in logs.removeValue(forKey: id) ?? [] { bytes -= SignalEvent.log(log).approximateBytes }
        readers[id] = nil
        expectStored(id)
        guard start > 4096, start * 2 > order.count else { return }
        order.removeFirst(start)
        start = 0
    }

    private func expectStored(_ id: TraceID) {
        if stored.count >= Self.storedLimit { stored.removeAll() }
        stored.insert(id)
    }
}
