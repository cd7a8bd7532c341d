import NightjarBus
import NightjarSignals

/// How records lie in their tables; each list of columns is in the order of its binds and reads.
enum Columns {
    static let trace = """
        trace_id, sort_time, first_received, last_received, is_open, revision, pending, is_partial, name, type, \
        status, has_errors, start_time, end_time, span_count, input_tokens, output_tokens, cost, service, \
        environment, agent, workflow, user_id, session_id, sampled_out, models, tools, agents, tags
        """
    static let chunk = "seq, trace_id, partition, received_at, span_count, payload"
    static let events = "seq, trace_id, partition, received_at, event_count, payload"
    static let plugin = "name, disabled, pin_hash, pin_mark, state, state_version, state_hash"

    /// `?` for each column of a list.
    static func marks(_ columns: String) -> String { list(columns).map { _ in "?" }.joined(separator: ", ") }

    /// `column = excluded.column` for each column of a list but the first, which is the key.
    static func replacements(_ columns: String) -> String {
        list(columns).dropFirst().map { "\($0) = excluded.\($0)" }.joined(separator: ", ")
    }

    static func list(_ columns: String) -> [Substring] {
        columns.split { $0 == "," || $0 == " " || $0 == "\n" }
    }
}

extension PreparedStatement {
    func bind(_ trace: TraceRecord) {
        bind(1, trace.id)
        bind(2, trace.start ?? trace.firstReceived)
        bind(3, trace.firstReceived)
        bind(4, trace.lastReceived)
        bind(5, trace.isOpen)
        bind(6, trace.revision)
        if trace.pending.isEmpty { bindNull(7) } else { bind(7, packed(trace.pending)) }
        bind(8, trace.isPartial)
        bind(9, trace.name)
        bind(10, trace.type)
        bind(11, Int64(trace.status.rawValue))
        bind(12, trace.hasErrors)
        bind(13, trace.start)
        bind(14, trace.end)
        bind(15, trace.spanCount)
        bind(16, trace.inputTokens)
        bind(17, trace.outputTokens)
        bind(18, trace.cost)
        bind(19, trace.service)
        bind(20, trace.environment)
        bind(21, trace.agent)
        bind(22, trace.workflow)
        bind(23, trace.user)
        bind(24, trace.session)
        bind(25, trace.isSampledOut)
        bind(26, trace.models)
        bind(27, trace.tools)
        // One alone is the first, which has a column of its own.
        let isAlone = trace.agent.map(trace.agents.isOnly) ?? false
        bind(28, isAlone ? FacetSet() : trace.agents)
        bind(29, trace.tags)
    }

    /// A trace read with `Columns.trace`; column 1 is only for sorting.
    func trace() throws(StoreError) -> TraceRecord {
        var trace = TraceRecord(id: traceID(0), receivedAt: time(2))
        trace.lastReceived = time(3)
        trace.isOpen = bool(4)
        trace.revision = int(5)
        trace.pending = optional(6, bytes).map(unpacked) ?? []
        trace.isPartial = bool(7)
        trace.name = text(8)
        trace.type = text(9)
        guard let status = UInt8(exactly: int64(10)).flatMap(SpanStatus.init(rawValue:)) else {
            throw StoreError(code: .corrupt, detail: "trace \(trace.id) has a status that does not exist")
        }
        trace.status = status
        trace.hasErrors = bool(11)
        trace.start = optional(12, time)
        trace.end = optional(13, time)
        trace.spanCount = int(14)
        trace.inputTokens = optional(15, double)
        trace.outputTokens = optional(16, double)
        trace.cost = optional(17, double)
        trace.service = optional(18, text)
        trace.environment = optional(19, text)
        trace.agent = optional(20, text)
        trace.workflow = optional(21, text)
        trace.user = optional(22, text)
        trace.session = optional(23, text)
        trace.isSampledOut = bool(24)
        trace.models = facets(25)
        trace.tools = facets(26)
        trace.agents = isNull(27) ? FacetSet([trace.agent].compactMap(\.self)) : facets(27)
        trace.tags = facets(28)
        return trace
    }

    func bind(_ score: Score) {
        bind(1, score.id)
        bind(2, score.timestamp)
        bind(3, score.traceID)
        bind(4, score.spanID)
        bind(5, score.sessionID)
        bind(6, score.scorerName)
        bind(7, score.scorerVersion)
        bind(8, score.score)
        bind(9, score.label)
        bind(10, score.reason)
        bind(11, score.error)
        bind(12, score.experiment)
        bind(13, score.annotatorKind)
        bind(14, score.metadata)
        bind(score.correlation, behind: SignalTable.scores.ownCount)
    }

    /// A score read with `SignalTable.scores`.
    func score() -> Score {
        var score = Score(id: text(0), timestamp: time(1), scorerName: text(5), metadata: object(13))
        score.traceID = optional(2, traceID)
        score.spanID = optional(3, spanID)
        score.sessionID = optional(4, text)
        score.scorerVersion = optional(6, text)
        score.score = optional(7, double)
        score.label = optional(8, text)
        score.reason = optional(9, text)
        score.error = optional(10, text)
        score.experiment = optional(11, text)
        score.annotatorKind = optional(12, text)
        score.correlation = correlation(at: SignalTable.scores.ownCount)
        return score
    }

    func bind(_ feedback: Feedback) {
        bind(1, feedback.id)
        bind(2, feedback.timestamp)
        bind(3, feedback.traceID)
        bind(4, feedback.spanID)
        bind(5, feedback.sessionID)
        bind(6, feedback.source)
        bind(7, feedback.feedbackType)
        switch feedback.value {
        case .int(let value): bind(8, value)
        case .double(let value): bind(8, value)
        case .string(let value): bind(8, value)
        default: bind(8, Array(feedback.value.json.utf8))
        }
        bind(9, feedback.comment)
        bind(10, feedback.experiment)
        bind(11, feedback.metadata)
        bind(feedback.correlation, behind: SignalTable.feedback.ownCount)
    }

    /// Feedback read with `SignalTable.feedback`.
    func feedback() throws -> Feedback {
        var feedback = Feedback(
            id: text(0),
            timestamp: time(1),
            source: text(5),
            feedbackType: text(6),
            value: try value(7),
            metadata: object(10)
        )
        feedback.traceID = optional(2, traceID)
        feedback.spanID = optional(3, spanID)
        feedback.sessionID = optional(4, text)
        feedback.comment = optional(8, text)
        feedback.experiment = optional(9, text)
        feedback.correlation = correlation(at: SignalTable.feedback.ownCount)
        return feedback
    }

    func bind(_ log: Log) {
        bind(1, log.timestamp)
        bind(2, log.level.rawValue)
        bind(3, log.message)
        bind(4, log.data)
        bind(5, log.traceID)
        bind(6, log.spanID)
        bind(7, log.metadata)
        bind(8, list: log.tags)
        bind(log.correlation, behind: SignalTable.logs.ownCount)
    }

    /// A log line read with `SignalTable.logs`.
    func log() -> Log {
        var log = Log(
            timestamp: time(0),
            level: LogLevel(rawValue: int(1)) ?? .info,
            message: text(2),
            data: object(3),
            metadata: object(6)
        )
        log.traceID = optional(4, traceID)
        log.spanID = optional(5, spanID)
        log.tags = list(7)
        log.correlation = correlation(at: SignalTable.logs.ownCount)
        return log
    }

    /// A chunk read with `Columns.chunk` or `Columns.events`.
    func chunk(_ kind: ChunkKind) -> StoredChunk {
        var chunk = JournalChunk(eventsOf: optional(1, traceID), count: int(4), payload: bytes(5))
        chunk.kind = kind
        chunk.partition = int(2)
        return StoredChunk(sequence: int64(0), receivedAt: time(3), chunk: chunk)
    }
}

extension PreparedStatement {
    private func bind(_ index: Int32, _ facets: FacetSet) {
        if facets.isEmpty { bindNull(index) } else { bind(index, facets.joined) }
    }

    private func facets(_ column: Int32) -> FacetSet {
        isNull(column) ? FacetSet() : FacetSet(joined: text(column))
    }
}

/// The ids as 8 big-endian bytes each.
private func packed(_ ids: [SpanID]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(ids.count * 8)
    for id in ids { withUnsafeBytes(of: id.value.bigEndian) { bytes += $0 } }
    return bytes
}

private func unpacked(_ bytes: [UInt8]) -> [SpanID] {
    stride(from: 0, to: bytes.count / 8 * 8, by: 8).map { start in
        SpanID(value: bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) })
    }
}
