import HTTPTypes
import NIOCore
import NightjarSignals

/// Keeps one connection within its limits: does what ``ConnectionProgress`` decides, between the socket's end of the pipeline
/// and the messages'. Belongs to the connection's event loop.
final class ConnectionGuard {
    /// What is written instead of an answer, before the connection is closed.
    private struct Refusal {
        let status: HTTPResponse.Status
        let detail: String
    }

    let load: ServerLoad
    let presence: ClientPresence
    /// The largest body that is taken.
    let bodyBytes: Int
    var progress: ConnectionProgress
    /// Nothing of what comes is handed on any more.
    private(set) var isDeaf = false {
        didSet { body = nil }
    }
    /// The body that is coming, where its length is known.
    var body: IncomingBody?
    /// Nothing of what the routes answer is written any more.
    private(set) var isMute = false
    /// The context of the pipeline's end at the socket.
    var socket: ChannelHandlerContext?
    /// Whether the socket was asked for more, and whether somebody would like to.
    var isReading = false
    var wantsRead = false
    private let answers: ByteShare
    /// Whoever waits for the connection to be closed, while it lingers.
    private var closing: EventLoopPromise<Void>?
    private var isOver = false
    private var refusal: Refusal?
    private var timer: (task: Scheduled<Void>, at: NIODeadline)?
    private var pieces = 0

    init(load: ServerLoad, presence: ClientPresence, bodyBytes: Int) {
        (self.load, self.presence, self.bodyBytes) = (load, presence, bodyBytes)
        progress = ConnectionProgress(load.limits)
        answers = load.answers.open()
    }

    // MARK: - Refusing

    /// Takes nothing more from this client; it is told once everything before is answered, then the connection is closed.
    func refuse(_ status: HTTPResponse.Status, _ reason: RefusalReason, _ detail: String) {
        guard refusal == nil, !isDeaf else { return }
        load.refuse(reason)
        isDeaf = true
        refusal = Refusal(status: status, detail: detail)
        deliver()
    }

    /// Tells a refused client, where nothing is before it.
    func deliver() {
        guard let refusal, let socket, progress.isFree else { return }
        self.refusal = nil
        isMute = true
        // Nothing is asked, or it is answered already: what would be written now would answer the next request.
        guard progress.phase != .nothing, progress.phase != .body || !progress.pending.isEmpty else {
            return socket.close(promise: nil)
        }
        let bytes = Self.answer(refusal.status, refusal.detail)
        guard progress.phase == .body else {
            socket.writeAndFlush(NIOAny(IOData.byteBuffer(bytes)), promise: nil)
            return hangUp()
        }
        // A body is being collected: the end of what comes lets go of it. What closes the connection then has to wait until the
        // client, which still sends, has had its moment: it would not see the answer otherwise.
        socket.writeAndFlush(NIOAny(IOData.byteBuffer(bytes)), promise: nil)
        hangUp()
        linger()
        socket.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    }

    /// Whether a close has to wait until the client has had its moment to read; `promise` is kept then.
    func defersClose(_ promise: EventLoopPromise<Void>?) -> Bool {
        guard isMute, isDeaf, !isOver else { return false }
        if let closing { closing.futureResult.cascade(to: promise) } else { closing = promise }
        return true
    }

    /// The client has had its moment.
    func close() {
        isOver = true
        let promise = closing
        closing = nil
        socket?.close(promise: promise)
    }

    /// Says no more, and reads for a moment what the client still sends, so that it gets to see what was said.
    func hangUp() {
        guard let socket else { return }
        isDeaf = true
        let said = socket.eventLoop.makePromise(of: Void.self)
        said.futureResult.assumeIsolated().whenComplete { _ in self.linger() }
        socket.close(mode: .output, promise: said)
        socket.read()
    }

    /// Everything is said: the client has a moment to close.
    func linger() {
        progress.linger(since: .now())
        schedule()
    }

    /// An answer that no route gives, with its body.
    static func answer(_ status: HTTPResponse.Status, _ detail: String) -> ByteBuffer {
        let problem = Problem(status, detail)
        let body = problem.json.json
        let pause = status.code == 503 || status.code == 429 ? "Retry-After: 1\r\n" : ""
        return ByteBuffer(
            string:
                "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\nContent-Type: application/problem+json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\(pause)Connection: close\r\n\r\n\(body)"
        )
    }

    // MARK: - Answers

    /// Whether a large answer may be written.
    func takesAnswer(of bytes: Int) -> Bool {
        guard !answers.grow(by: bytes) else { return true }
        load.refuse(.answers)
        return false
    }

    /// A large answer finds no room: its client is told so instead.
    func refuseAnswer() {
        guard let socket else { return }
        (isDeaf, isMute) = (true, true)
        let bytes = Self.answer(
            .serviceUnavailable,
            "\(load.answers.limit) bytes of answers wait for their clients; ask again later, or for less"
        )
        socket.writeAndFlush(NIOAny(IOData.byteBuffer(bytes)), promise: nil)
        hangUp()
    }

    /// Reads on, now that a request is answered.
    func askForMore() {
        guard let socket else { return }
        isReading = true
        socket.read()
    }

    /// A large answer was taken by its client.
    func answerTaken(_ bytes: Int) { answers.shrink(by: bytes) }

    func pieceBegan() {
        pieces += 1
        moved()
    }

    func pieceTaken() {
        pieces -= 1
        moved()
    }

    /// The client takes its answer, or has to.
    func moved() {
        guard let socket else { return }
        progress.answerMoves(isPending: pieces > 0 || !socket.channel.isWritable, at: .now())
        schedule()
    }

    // MARK: - Time

    /// Looks again when something may be up.
    func schedule() {
        guard let socket, let deadline = progress.deadline else { return }
        if let timer {
            guard deadline < timer.at else { return }
            timer.task.cancel()
        }
        let task = socket.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in
            self?.timer = nil
            self?.look()
        }
        timer = (task, deadline)
    }

    private func look() {
        guard let socket else { return }
        let now = NIODeadline.now()
        switch progress.lapse(at: now) {
        case nil: break
        case .linger: return close()
        case .answer:
            load.refuse(.slowReader)
            return socket.close(promise: nil)
        case .receiving where !isReading: progress.forgive(at: now)
        case .receiving where !progress.isFree:
            load.refuse(.receiveTime)
            return socket.close(promise: nil)
        case .receiving:
            let limits = load.limits
            let time = progress.phase == .head ? limits.headTime : limits.requestTime
            refuse(.requestTimeout, .receiveTime, "the request did not come within \(time)")
        }
        schedule()
    }

    /// The connection is gone.
    func ended() {
        timer?.task.cancel()
        timer = nil
        socket = nil
        body = nil
        closing?.succeed()
        closing = nil
        answers.close()
        presence.closed()
    }
}
