import NightjarStore

/// How the event path is doing: queue depths with their bounds, and what was refused.
package struct EngineStatus: Sendable {
    /// How full a queue is.
    package struct Depth: Sendable {
        /// What waits, in bytes.
        package let bytes: Int
        /// How much may.
        package let limit: Int
    }

    /// Inputs that wait for their commit.
    package let journal: Depth
    /// How many they are.
    package let submissions: Int
    /// Effects that wait for their commit.
    package let effects: Depth
    /// How many batches they are.
    package let effectBatches: Int
    /// What each worker has before it.
    package let workers: [Depth]
    /// For how long the oldest input waits that is not processed, in seconds; 0 where none does.
    package let lagSeconds: Double
    /// How many queries run, and how many wait.
    package let reads: (running: Int, waiting: Int)
    /// Requests and connections that were refused, by reason.
    package let refused: [String: Int]
}

extension Engine {
    /// How the event path is doing now.
    package var status: EngineStatus {
        let stored = store?.status ?? StoreStatus()
        let limit = configuration.queueBytes
        let now = ContinuousClock.now
        let oldest = workers.compactMap(\.behindSince).min()
        return EngineStatus(
            journal: .init(bytes: stored.queuedBytes, limit: limit),
            submissions: stored.queuedSubmissions,
            effects: .init(bytes: stored.queuedEffectBytes, limit: limit),
            effectBatches: stored.queuedEffects,
            workers: workers.map { .init(bytes: $0.queuedBytes, limit: limit) },
            lagSeconds: oldest.map { ($0.duration(to: now)) / .seconds(1) } ?? 0,
            reads: reads.depth,
            refused: counts.refused
        )
    }

    /// Counts a request or connection that was refused or cut off, by a reason of which there are few.
    package func countRefusal(_ reason: String) { counts.refuse(reason) }
}
