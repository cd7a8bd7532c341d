import Logging
import NightjarBus
import NightjarOTLP
package import NightjarSignals
import NightjarStore

extension Engine {
    /// Takes a body of OTLP logs: lines, and verdicts and feedback that come as records. Returns when it is on disk.
    /// - Throws: ``EngineError``; nothing of the body was taken then.
    package func ingestLogs(
        _ body: Payload,
        encoding: BodyEncoding
    ) async throws(EngineError) -> IngestOutcome {
        let request: LogRequest
        do throws(OTLPError) {
            request = try LogRequest.decode(body, encoding: encoding.otlp, receivedAt: clock.now())
        } catch {
            throw EngineError(error)
        }
        let scores = request.evaluations.map(\.score).filter { isAnnotatable($0.traceID) }
        let feedback = request.feedback.filter { isAnnotatable($0.traceID) }
        let spans = try await reported(in: request)
        let events =
            request.logs.map(SignalEvent.log) + spans.map(SignalEvent.spanEnded)
            + scores.map(SignalEvent.score) + feedback.map(SignalEvent.feedback)
        if !events.isEmpty { _ = try await ingest(events, receivedEdge) }
        return IngestOutcome(
            accepted: request.logs.count + request.evaluations.count + request.feedback.count,
            rejected: request.rejected,
            message: request.rejectedMessage
        )
    }

    /// The spans of which only log lines tell, as far as is known: those of a trace that sends its own tell nothing.
    private func reported(in request: LogRequest) async throws(EngineError) -> [Span] {
        let named = Set(request.reported.compactMap(\.namedTrace))
        var known: Set<TraceID> = []
        if let store, !named.isEmpty {
            do {
                known = try await reads.run { try named.filter { try store.trace($0) != nil } }
            } catch {
                throw EngineError(code: .unavailable, detail: "\(error)")
            }
        }
        return request.reported.filter { $0.namedTrace.map(known.contains) != true }.map(\.span)
    }

    /// Takes a body of OTLP metrics. Returns when it is on disk (or accepted, where nothing is stored).
    /// - Throws: ``EngineError``; nothing of the body was taken then.
    package func ingestMetrics(
        _ body: Payload,
        encoding: BodyEncoding
    ) async throws(EngineError) -> IngestOutcome {
        try checkRoom()
        var payload: Payload
        let request: ReceivedRequest
        do throws(OTLPError) {
            payload = try MetricRequest.protobuf(body, encoding: encoding.otlp)
            if let redacted = try payloads.redactedMetrics(payload) { payload = redacted }
            request = try ReceivedRequest(payload, receivedAt: clock.now(), filter: edge.filter)
        } catch {
            throw EngineError(error)
        }
        if !request.points.isEmpty { try await accept(request, payload) }
        return IngestOutcome(
            accepted: request.points.count,
            rejected: request.rejected,
            message: request.message
        )
    }

    private func accept(_ request: ReceivedRequest, _ body: Payload) async throws(EngineError) {
        guard let store else { return dispatch(request, sequence: 0) }
        let chunk = JournalChunk(
            eventsOf: nil,
            count: request.points.count,
            payload: ReceivedRequest.journalled(body)
        )
        _ = try await submit(to: store) { completion in
            Submission(chunks: [chunk], receivedAt: request.receivedAt) { [self] result in
                // On the writer's thread, in the order of the journal: a stream's points stay in their order.
                if case .success(let receipt) = result {
                    dispatch(request, sequence: receipt.sequences.last ?? 0)
                }
                completion(result)
            }
        }
    }

    /// Hands a request to the worker of partition 0, where everything without a trace goes.
    private func dispatch(_ request: ReceivedRequest, sequence: Int64) {
        workers[0].enqueue(.received(request, sequence: sequence))
    }

    /// Takes a request again that was not processed before a stop.
    func replay(_ body: Payload, of chunk: StoredChunk) {
        do throws(OTLPError) {
            let request = try ReceivedRequest(body, receivedAt: chunk.receivedAt, filter: edge.filter)
            dispatch(request, sequence: chunk.sequence)
        } catch {
            logger.error("chunk \(chunk.sequence) of the journal cannot be read and is left out: \(error)")
        }
    }

    /// A verdict on a trace that is sampled out is taken and goes nowhere: its sender cannot know.
    private func isAnnotatable(_ trace: TraceID?) -> Bool {
        do throws(EngineError) {
            try refuseSampledOut(trace)
            return true
        } catch {
            return error.code != .sampledOut
        }
    }
}

extension Evaluation {
    /// The verdict as a score on the bus.
    var score: Score {
        var score = input.score(id: input.scorerID, timestamp: timestamp, targetMetadata: [:])
        score.correlation = correlation
        return score
    }
}

extension EngineError {
    /// What a body that cannot be decoded means for whoever sent it.
    init(_ error: OTLPError) {
        self.init(code: error.code == .tooLarge ? .tooLarge : .malformed, detail: "\(error)")
    }
}

extension BodyEncoding {
    var otlp: TraceRequest.Encoding { self == .json ? .json : .protobuf }
}
