/// When a trace is over, and how long its spans wait for their ancestors (signals contract, sections 7 and 9).
package struct TraceConfiguration: Sendable, Equatable {
    /// A complete trace ends when nothing of it was received for so long: longer than the usual batching of clients.
    package var idlePeriod: Duration = .seconds(6)
    /// A complete trace of which every span was announced by its start ends so soon.
    package var announcedIdlePeriod: Duration = .seconds(2)
    /// An incomplete trace ends when nothing of it was received for so long.
    package var idleTimeout: Duration = .seconds(60)
    /// Any trace ends so long after its first receipt.
    package var maxAge: Duration = .seconds(3600)
    /// A span is counted without its ancestors so long after its receipt.
    package var parentWait: Duration = .seconds(3600)
    /// Whether a parent is always told of before its children, as within one process: one that is not known belongs to another
    /// process, and nobody waits for it.
    package var parentsComeFirst = false
    /// So often may later spans reopen a trace.
    package var reopenLimit = 10
    /// Payloads of open traces are kept in memory up to so many bytes; beyond it the oldest are read back from the store.
    package var retainedBytes = 128 << 20
    /// At most so many spans wait for their ancestors; beyond it the oldest are counted with what is known.
    package var waitingSpans = 1_000_000
    /// So many ended traces are remembered, so that spans sent again are known again without a look at the store.
    package var rememberedTraces = 20_000
    /// Ended traces are forgotten sooner while more spans than that are known, some 260 bytes each.
    package var rememberedSpans = 500_000

    /// A trace with so many spans takes no more of them.
    package var traceSpans = 250_000
    /// A trace whose spans have so many bytes takes no more of them: so much is read at once where a whole trace is.
    package var traceBytes = 256 << 20
    /// What may be known of traces in memory, their payloads apart; beyond it the oldest that have not ended are let go until
    /// something comes of them or is due.
    package var stateBytes = 256 << 20
    /// About what is known of a span takes, and what a trace takes without its spans, in bytes.
    package static let knowledge = (span: 260, trace: 1500)

    /// The part of it that each of several workers may take: bounds of memory are the process's.
    package func shared(by workers: Int) -> TraceConfiguration {
        var part = self
        part.retainedBytes /= max(workers, 1)
        part.waitingSpans /= max(workers, 1)
        part.rememberedTraces /= max(workers, 1)
        part.rememberedSpans /= max(workers, 1)
        part.stateBytes /= max(workers, 1)
        return part
    }

    /// The defaults.
    package init() {}
}
