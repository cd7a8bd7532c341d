/// How much is held for those who read events live, and how long they are waited for.
package struct LiveSettings: Sendable {
    /// So many may read at a time; more are refused. With the bytes of a queue it bounds what they hold together.
    package var readers = 32
    /// The most events that wait for one reader; beyond it the reader gets no more.
    package var queueEvents = 4096
    /// The most bytes that wait for one reader; one event may be larger.
    package var queueBytes = 2 << 20
    /// How often a reader hears something, so that neither it nor what lies between takes the silence for an end.
    package var heartbeat = Duration.seconds(15)
    /// How long a reader has to take its last event.
    package var patience = Duration.seconds(5)

    /// The defaults.
    package init() {}
}
