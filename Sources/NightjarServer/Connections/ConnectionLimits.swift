/// The bounds of connections and of what is on its way through them. Those without a key of the configuration are the same
/// for everybody.
package struct ConnectionLimits: Sendable {
    /// How many may be open; more are told to come back and closed at once.
    package var connections = 1024
    /// What the header fields of a request may take together; more is answered with 431.
    package var headerBytes = 32 << 10
    /// How many header fields a request may have; more is answered with 431.
    package var headerFields = 200
    /// What the target of a request may take; more is answered with 414.
    package var targetBytes = 8 << 10
    /// How long a request's head may be on its way, from its first byte; then 408.
    package var headTime = Duration.seconds(15)
    /// How long a whole request may be on its way, from its first byte; then 408.
    package var requestTime = Duration.seconds(60)
    /// A connection on which nothing happens for so long is closed.
    package var idleTime = Duration.seconds(60)
    /// A client that takes nothing of its answer for so long is cut off.
    package var answerTime = Duration.seconds(30)
    /// How long what a refused client still sends is read and thrown away, so that it sees its answer.
    package var lingerTime = Duration.seconds(2)
    /// How many requests of one connection may wait for their answers; one more is refused behind them.
    package var pipelinedRequests = 64
    /// What may come on a connection while a request of it is being answered.
    package var aheadBytes = 256 << 10
    /// How much of a body that was refused before it had come is read to keep the connection.
    package var drainedBytes = 1 << 20
    /// What all bodies may hold together, as sent and as inflated; nil: what suits the limits of one.
    package var bodiesBytes: Int?
    /// A body may be on its way for so long before it has to make room for others.
    package var bodyPatience = Duration.seconds(2)
    /// What large answers may hold together until their clients have taken them.
    package var answersBytes = 64 << 20

    /// An answer of more is taken to be large, and its way to the client is watched in pieces of this size.
    static let answerPiece = 128 << 10

    /// The defaults.
    package init() {}
}
