import NightjarBus
import NightjarOTLP
package import NightjarSignals

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
        let events =
            request.logs.map(SignalEvent.log) + scores.map(SignalEvent.score)
            + feedback.map(SignalEvent.feedback)
        if !events.isEmpty { _ = try await ingest(events) }
        return IngestOutcome(
            accepted: request.logs.count + request.evaluations.count + request.feedback.count,
            rejected: request.rejected,
            message: request.rejectedMessage
        )
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
