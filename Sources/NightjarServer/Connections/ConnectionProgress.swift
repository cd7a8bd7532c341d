import NIOCore

/// Where the requests and answers of one connection are; decides, but does nothing.
struct ConnectionProgress {
    /// What is coming.
    enum Phase {
        case nothing
        case head
        case body
    }

    /// A request whose answer has not ended.
    struct Pending {
        let number: Int
        /// No other is taken after it.
        var isLast: Bool
        /// The client waits for a word before it sends the body.
        var awaitsGo: Bool
        /// Its client does not know that connections stay open.
        let keepsAlive: Bool
        /// What is still to come of the body; nil where that is not known.
        var bodyLeft: Int?
        /// What is held of it.
        var heldBytes = 0
        /// The rest of the body is thrown away.
        var isRefused = false
    }

    /// What the time of a connection being up means.
    enum Lapse {
        case receiving
        case answer
        case linger
    }

    private let limits: ConnectionLimits
    private(set) var phase = Phase.nothing
    private(set) var pending = CircularBuffer<Pending>(initialCapacity: 1)
    private(set) var hasAnswerBegun = false
    /// Whether the line with the target is here, of a head that is coming.
    private(set) var hasTarget = false
    private var receivingSince = NIODeadline.uptimeNanoseconds(0)
    private var count = 0
    private var aheadBytes = 0
    private var stalledSince: NIODeadline?
    private(set) var lingeringSince: NIODeadline?

    init(_ limits: ConnectionLimits) { self.limits = limits }

    /// Whether a request is here as a whole and not answered: nothing more is read until it is.
    var isAnswering: Bool { phase != .body && !pending.isEmpty }

    /// Whether what is coming waits for earlier requests to be answered.
    private var waitsItsTurn: Bool { pending.count > (phase == .body ? 1 : 0) }

    /// Whether a refusal can be written now: nothing is before it.
    var isFree: Bool { !waitsItsTurn && !(hasAnswerBegun && phase == .body) }

    /// Bytes came; false: more than may come ahead.
    mutating func came(_ bytes: Int, hasLine: @autoclosure () -> Bool, at now: NIODeadline) -> Bool {
        if isAnswering { aheadBytes += bytes }
        if phase == .nothing {
            phase = .head
            receivingSince = now
            hasTarget = false
        }
        guard aheadBytes <= limits.aheadBytes else { return false }
        if phase == .head, !hasTarget { hasTarget = hasLine() }
        return true
    }

    /// A head comes; several may come in one piece.
    mutating func headComes(at now: NIODeadline) {
        guard phase == .nothing else { return }
        phase = .head
        receivingSince = now
    }

    /// A head came; nil: too many wait.
    mutating func headCame(
        isLast: Bool,
        awaitsGo: Bool,
        keepsAlive: Bool,
        bodyLeft: Int?
    ) -> Pending? {
        guard pending.count < limits.pipelinedRequests else { return nil }
        phase = .body
        let request = Pending(
            number: count,
            isLast: isLast,
            awaitsGo: awaitsGo,
            keepsAlive: keepsAlive,
            bodyLeft: bodyLeft
        )
        count += 1
        pending.append(request)
        return request
    }

    /// A piece of a body came; the request that it belongs to, nil where that is answered already.
    mutating func bodyCame(_ bytes: Int) -> Pending? {
        guard !pending.isEmpty, phase == .body else { return nil }
        let last = pending.index(before: pending.endIndex)
        pending[last].bodyLeft? -= bytes
        pending[last].awaitsGo = false
        return pending[last]
    }

    /// The piece is held, or the rest of the body is thrown away for lack of room.
    mutating func bodyHeld(_ bytes: Int, hasRoom: Bool) {
        guard !pending.isEmpty else { return }
        let last = pending.index(before: pending.endIndex)
        if hasRoom { pending[last].heldBytes += bytes } else { pending[last].isRefused = true }
    }

    mutating func endCame() { phase = .nothing }

    /// An answer begins. Whether its client is to be told that the connection ends with it.
    mutating func answerBegan() -> Bool {
        hasAnswerBegun = true
        guard let request = pending.first else { return true }
        // The rest of a body that nobody will read: small ones are read away, large ones end the connection.
        if pending.count == 1, phase == .body,
            request.awaitsGo || (request.bodyLeft ?? .max) > limits.drainedBytes
        {
            pending[pending.startIndex].isLast = true
        }
        return pending.first?.isLast ?? true
    }

    /// An answer ended; the request that it was to, and whether the connection is to be closed by whoever asks.
    mutating func answerEnded(at now: NIODeadline) -> (request: Pending, mustClose: Bool)? {
        let hasWaited = waitsItsTurn
        guard let request = pending.popFirst() else { return nil }
        hasAnswerBegun = false
        aheadBytes = 0
        // What waited its turn has its time from now on.
        if hasWaited, !waitsItsTurn { receivingSince = now }
        return (request, request.isLast && phase == .body && pending.isEmpty)
    }

    /// Whether a client is to be told to send its body: it waits for that, and it is its turn.
    mutating func takeGo(upTo bodyBytes: Int) -> Bool {
        guard pending.count == 1, phase == .body, let request = pending.first, request.awaitsGo,
            request.bodyLeft ?? 0 <= bodyBytes
        else { return false }
        pending[pending.startIndex].awaitsGo = false
        return true
    }

    /// The client takes its answer, or does not.
    mutating func answerMoves(isPending: Bool, at now: NIODeadline) { stalledSince = isPending ? now : nil }

    mutating func linger(since now: NIODeadline) { lingeringSince = lingeringSince ?? now }

    /// We did not read, so that the client is not to blame.
    mutating func forgive(at now: NIODeadline) { receivingSince = now }

    /// When to look again; nil: nothing is under way.
    var deadline: NIODeadline? {
        if let lingeringSince { return lingeringSince + TimeAmount(limits.lingerTime) }
        let answer = stalledSince.map { $0 + TimeAmount(limits.answerTime) }
        guard phase != .nothing, !waitsItsTurn else { return answer }
        let receiving = receivingSince + TimeAmount(phase == .head ? limits.headTime : limits.requestTime)
        return answer.map { min($0, receiving) } ?? receiving
    }

    /// What is up at this time.
    func lapse(at now: NIODeadline) -> Lapse? {
        guard let deadline, deadline <= now else { return nil }
        if let lingeringSince, lingeringSince + TimeAmount(limits.lingerTime) <= now { return .linger }
        if let stalledSince, stalledSince + TimeAmount(limits.answerTime) <= now { return .answer }
        return .receiving
    }
}
