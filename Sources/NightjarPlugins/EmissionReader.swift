import CNightjarLua
import CNightjarSignals
import NightjarBus
import NightjarSignals

/// Turns what a call emitted into values and hands them on.
struct EmissionReader {
    let plugin: LoadedPlugin
    let scope: SpanScope
    let receiver: any EmissionReceiver

    /// Hands on one emission of a rule that is no metric. Scores and feedback of a call that failed stay behind.
    func deliver(_ emission: nj_emission, of rule: Rule, succeeded: Bool) {
        switch nj_emission_kind(UInt32(emission.kind)) {
        case NJ_EMIT_SCORE:
            guard succeeded, let annotation = emission.annotation?.pointee else { return }
            receiver.score(score(emission, annotation, rule))
        case NJ_EMIT_FEEDBACK:
            guard succeeded, let annotation = emission.annotation?.pointee else { return }
            receiver.feedback(feedback(emission, annotation))
        default:
            receiver.log(log(emission))
        }
    }

    private func score(_ emission: nj_emission, _ annotation: nj_annotation, _ rule: Rule) -> Score {
        let scorer = annotation.scorer_name.string ?? rule.scorer ?? plugin.name
        let experiment = annotation.experiment.string ?? rule.options.experiment
        let trace = traceID(emission)
        let span = spanID(emission)
        let session = annotation.session_id.string
        let id =
            annotation.id.string
            ?? "nj-"
            + sha256(
                Array(
                    [
                        scorer, experiment ?? "", trace?.description ?? "", span?.description ?? "",
                        trace == nil ? session ?? "" : "",
                    ].joined(separator: "\u{0}").utf8
                )
            ).prefix(32)
        var score = Score(id: id, timestamp: scope.now, scorerName: scorer, metadata: metadata(annotation))
        score.traceID = trace
        score.spanID = span
        score.sessionID = session
        score.scorerVersion = annotation.scorer_version.string ?? rule.options.version
        score.score = emission.value.isNaN ? nil : emission.value
        score.label = annotation.label.string
        score.reason = annotation.reason.string
        score.error = annotation.error.string
        score.experiment = experiment
        score.annotatorKind = annotation.annotator_kind.string ?? "code"
        score.metadata["plugin"] = .string(plugin.signature)
        score.metadata["pluginHash"] = .string(plugin.hash)
        return score
    }

    private func feedback(_ emission: nj_emission, _ annotation: nj_annotation) -> Feedback {
        let source = annotation.source.string ?? "plugin"
        let type = annotation.feedback_type.string ?? ""
        let value: Value = annotation.value_text.string.map(Value.string) ?? .double(emission.value)
        let trace = traceID(emission)
        let span = spanID(emission)
        let author = annotation.user_id.string
        let id =
            annotation.id.string
            ?? "nj-"
            + sha256(
                Array(
                    [
                        plugin.name, source, type, author ?? "", trace?.description ?? "",
                        span?.description ?? "", annotation.session_id.string ?? "",
                    ].joined(separator: "\u{0}").utf8
                )
            ).prefix(32)
        var feedback = Feedback(
            id: id,
            timestamp: scope.now,
            source: source,
            feedbackType: type,
            value: value,
            metadata: metadata(annotation)
        )
        feedback.traceID = trace
        feedback.spanID = span
        feedback.sessionID = annotation.session_id.string
        feedback.comment = annotation.comment.string
        feedback.experiment = annotation.experiment.string
        if let author { feedback.metadata["userId"] = .string(author) }
        feedback.metadata["plugin"] = .string(plugin.signature)
        return feedback
    }

    /// The target's metadata with the input's on top.
    private func metadata(_ annotation: nj_annotation) -> Value.Object {
        var metadata: Value.Object = [:]
        if !annotation.by_id, let span = scope.reference(annotation.span) {
            metadata = scope.metadata(of: span)
        }
        for (key, value) in annotation.metadata.object.entries { metadata[key] = value }
        return metadata
    }

    private func traceID(_ emission: nj_emission) -> TraceID? {
        let id = TraceID(high: emission.trace_high, low: emission.trace_low)
        return id.isValid ? id : nil
    }

    private func spanID(_ emission: nj_emission) -> SpanID? {
        emission.span_id == 0 ? nil : SpanID(value: emission.span_id)
    }

    private func log(_ emission: nj_emission) -> Log {
        let levels: [LogLevel] = [.debug, .info, .warn, .error]
        var log = Log(
            timestamp: scope.now,
            level: levels.indices.contains(Int(emission.level)) ? levels[Int(emission.level)] : .info,
            message: emission.text.string ?? "",
            data: emission.data.object
        )
        log.metadata["plugin"] = .string(plugin.name)
        if let event = scope.event {
            log.traceID = event.row.pointee.traceID
            log.spanID = SpanID(value: event.row.pointee.id)
            for (key, value) in scope.metadata(of: event).entries { log.metadata[key] = value }
        } else if let record = scope.recordAtHand {
            log.traceID = record.traceID
            log.spanID = record.spanID
        } else if let view = scope.view {
            log.traceID = view.id
        }
        return log
    }
}

extension SpanScope {
    /// Metrics are of the time of their event; of a span, that is its end.
    var eventTime: Timestamp {
        guard isAtSpan, let row = ref.span, row.pointee.end_nano != 0 else {
            return recordAtHand?.time ?? now
        }
        let end = Timestamp(unixNano: Int64(clamping: row.pointee.end_nano))
        // Not later than receipt and five minutes (signals contract, section 6): a clock that is ahead would stop gauges.
        return end <= now ? end : min(end, now.advanced(by: .seconds(300)))
    }
}

extension SignalEvent {
    /// When what is no span was made.
    fileprivate var time: Timestamp? {
        switch self {
        case .log(let log): log.timestamp
        case .metric(let metric): metric.timestamp
        case .score(let score): score.timestamp
        case .feedback(let feedback): feedback.timestamp
        default: nil
        }
    }

    fileprivate var spanID: SpanID? {
        switch self {
        case .log(let log): log.spanID
        case .metric(let metric): metric.spanID
        case .score(let score): score.spanID
        case .feedback(let feedback): feedback.spanID
        default: nil
        }
    }
}

extension nj_text {
    /// The object in JSON text of our own making; empty where there is none.
    fileprivate var object: Value.Object {
        guard isPresent else { return [:] }
        do throws(JSONError) { return try Value(jsonBytes: Array(buffer)).object ?? [:] } catch {
            // Text that is no valid UTF-8 within was escaped byte by byte: nothing else can fail here.
            return [:]
        }
    }
}

extension PluginLog {
    /// What a file printed and logged while it loaded.
    func deliver(emissionsOf instance: PluginInstance, plugin: String) {
        for emission in instance.state?.calls.emissions ?? UnsafeBufferPointer(start: nil, count: 0) {
            let levels: [LogLevel] = [.debug, .info, .warn, .error]
            let level = levels.indices.contains(Int(emission.level)) ? levels[Int(emission.level)] : .info
            write(level, plugin, printable(emission.text))
        }
    }
}

/// Text made fit for a log line: no control characters, at most 400 bytes.
func printable(_ text: nj_text) -> String {
    let room = 401
    return String(unsafeUninitializedCapacity: room) { buffer in
        buffer.withMemoryRebound(to: CChar.self) { out in
            nj_printable(out.baseAddress, room, text.bytes, Int(text.length), false)
            return out.firstIndex(of: 0) ?? 0
        }
    }
}
