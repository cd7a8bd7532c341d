package import NightjarSignals

/// Where the store keeps its data.
package enum StoreLocation: Sendable, Equatable {
    /// In memory: gone with the store.
    case memory
    /// In a SQLite file at this path, with `-wal` and `-shm` beside it; made if missing, its folder is not.
    case file(String)
}

/// The bounds and times of the store.
package struct StoreSettings: Sendable {
    /// How many bytes of inputs may wait for their commit; beyond, `submit` refuses.
    package var queueBytes = 64 << 20
    /// How many batches of effects may wait for their commit; beyond, `commit` waits.
    package var queuedEffects = 1024
    /// About how many bytes of effects may wait for their commit; beyond, `commit` waits, and `submit` refuses.
    package var effectBytes = 64 << 20
    /// How long `commit` waits for room before it counts the delay and queues its batch beyond the bound.
    package var effectsPatience = Duration.seconds(10)
    /// How long effects wait for companions: what many small batches change of a series or a trace is then written once.
    package var groupWindow = Duration.milliseconds(25)
    /// For so many times as long as the effects of a group took to write, those of the next gather.
    package var groupPauseFactor = 8
    /// But no longer than this: so far what is processed may be ahead of what is shown.
    package var longestGroupWindow = Duration.milliseconds(500)
    /// At most so many rows share a transaction, as far as one submission or batch alone is not larger.
    package var groupRows = 10_000
    /// At most so many bytes of submissions share a transaction, so that its pages stay in the connection's cache.
    package var groupBytes = 16 << 20
    /// How long a statement waits for another process to let go of the database.
    package var busyTimeout = Duration.seconds(2)
    /// The pause after a failed commit of effects, doubled with each failure up to `longestBackoff`.
    package var shortestBackoff = Duration.milliseconds(50)
    /// The longest pause between two tries to commit effects.
    package var longestBackoff = Duration.seconds(5)
    /// How long after a failure it is tried whether the database can be written again, where nothing waits to be written.
    package var probePause = Duration.milliseconds(250)
    /// How many pages of 4 KiB the log may have: it grows beyond its usual 8,192 where it cannot be written back into the
    /// database file, or a long read holds it up. At the bound `submit` refuses.
    package var logPages = 262_144
    /// How long `flush` and `close` wait.
    package var flushPatience = Duration.seconds(30)
    /// How long a lookup may take; then it fails with `timeout`.
    package var queryPatience = Duration.seconds(10)
    /// How many rows one answer of a list looks at; then it ends with where to go on. A row
    /// takes 0.4 µs, with a look at its scores 1.5.
    package var walkedRows = 200_000
    /// How long one answer of a list goes on looking; the step at hand is done.
    package var walkPatience = Duration.seconds(2)
    /// How many bytes of stored spans one search for a text reads; then it ends with where to go on.
    package var scannedBytes = 128 << 20
    /// How many connections read beside the writer; an in-memory store has one for everything.
    package var readers = 4
    /// How large a database in memory may be; beyond, the oldest traces and logs that are over and processed go.
    package var memoryBytes = 256 << 20
    /// How many streams of OTLP metrics are remembered; beyond, those go that had no point for longest.
    package var streams = 100_000
    /// How long things are kept in a file; nil: for ever. A store in memory is bounded by its bytes.
    package var retention: Retention?
    /// How long after the start, or after another retention was set, is first looked for what is too old.
    package var sweepDelay = Duration.seconds(60)
    /// How often is looked for what is too old.
    package var sweepInterval = Duration.seconds(3600)
    /// How long one step of a sweep goes on deleting; inputs wait for so long, and for its commit.
    package var sweepStep = Duration.milliseconds(10)
    /// The wall clock, for the time at which a record was made.
    package var now: @Sendable () -> Timestamp = wallClock

    /// The defaults.
    package init() {}
}
