/// How the store is doing: queue depths as they are, counts since the start.
package struct StoreStatus: Sendable, Equatable {
    /// What the submissions that wait weigh, in bytes.
    package var queuedBytes = 0
    /// How many submissions wait.
    package var queuedSubmissions = 0
    /// How many batches of effects wait.
    package var queuedEffects = 0
    /// About what the effects that wait weigh, in bytes.
    package var queuedEffectBytes = 0
    /// How many transactions were committed.
    package var commits = 0
    /// How many transactions failed.
    package var failures = 0
    /// How many submissions were refused because a queue was full or the store closed.
    package var refusedSubmissions = 0
    /// How many batches of effects found no room in time and were queued beyond the bound.
    package var delayedEffects = 0
    /// How many traces went because a store in memory was full.
    package var evictedTraces = 0
    /// How many logs went because a store in memory was full, those of such traces not among them.
    package var evictedLogs = 0
    /// How many scores and feedback, or versions of them, went because a store in memory was full.
    package var evictedAnnotations = 0
    /// What sweeps deleted because it was too old or too much.
    package var swept = SweepCount()
    /// How long the log of the database was after the last commit, in pages of 4 KiB.
    package var logPages = 0
    /// Why the last transaction failed, or why the log cannot be written back; nil after one that did not, or once a try has shown
    /// that the database can be written again.
    package var lastError: StoreError?

    /// All zero.
    package init() {}
}
