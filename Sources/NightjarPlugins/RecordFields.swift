import CNightjarLua
import NightjarSignals

/// What scripts and matches read of events that are no spans.
enum RecordFields {
    /// A field of an event; nil where it has none or the field is absent.
    static func value(_ field: nj_record_field, of event: SignalEvent) -> Value? {
        switch event {
        case .log(let log): value(field, of: log)
        case .metric(let metric): value(field, of: metric)
        case .score(let score): value(field, of: score)
        case .feedback(let feedback): value(field, of: feedback)
        case .drop(let drop): value(field, of: drop)
        case .spanStarted, .spanUpdated, .spanEnded, .traceEnded: nil
        }
    }

    private static func value(_ field: nj_record_field, of log: Log) -> Value? {
        switch field {
        case NJ_R_TIMESTAMP: .double(log.timestamp.seconds)
        case NJ_R_LEVEL: .string(log.level.name)
        case NJ_R_MESSAGE: .string(log.message)
        case NJ_R_DATA: .object(log.data)
        case NJ_R_TRACE_ID: text(log.traceID)
        case NJ_R_SPAN_ID: text(log.spanID)
        case NJ_R_METADATA: .object(log.metadata)
        case NJ_R_TAGS: .array((log.tags.isEmpty ? log.correlation.tags : log.tags).map(Value.string))
        default: fact(field, of: log.correlation)
        }
    }

    private static func value(_ field: nj_record_field, of metric: Metric) -> Value? {
        switch field {
        case NJ_R_TIMESTAMP: .double(metric.timestamp.seconds)
        case NJ_R_NAME: .string(metric.name)
        case NJ_R_METRIC_TYPE: .string(metric.type.rawValue)
        case NJ_R_VALUE: .double(metric.value)
        case NJ_R_LABELS: .object(labels(metric))
        case NJ_R_TRACE_ID: text(metric.traceID)
        case NJ_R_SPAN_ID: text(metric.spanID)
        case NJ_R_METADATA: .object(metric.metadata)
        default: fact(field, of: metric.correlation)
        }
    }

    private static func labels(_ metric: Metric) -> Value.Object {
        var labels = Value.Object()
        for (name, value) in metric.labels { labels[name] = .string(value) }
        return labels
    }

    private static func value(_ field: nj_record_field, of score: Score) -> Value? {
        switch field {
        case NJ_R_ID: .string(score.id)
        case NJ_R_TIMESTAMP: .double(score.timestamp.seconds)
        case NJ_R_TRACE_ID: text(score.traceID)
        case NJ_R_SPAN_ID: text(score.spanID)
        case NJ_R_SESSION_ID: text(score.sessionID ?? score.correlation.sessionID)
        case NJ_R_SCORER_NAME: .string(score.scorerName)
        case NJ_R_SCORER_VERSION: text(score.scorerVersion)
        case NJ_R_SCORE: score.score.map { .double($0) }
        case NJ_R_LABEL: text(score.label)
        case NJ_R_REASON: text(score.reason)
        case NJ_R_ERROR: text(score.error)
        case NJ_R_EXPERIMENT: text(score.experiment ?? score.correlation.experiment)
        case NJ_R_ANNOTATOR_KIND: text(score.annotatorKind)
        case NJ_R_METADATA: .object(score.metadata)
        default: fact(field, of: score.correlation)
        }
    }

    private static func value(_ field: nj_record_field, of feedback: Feedback) -> Value? {
        switch field {
        case NJ_R_ID: .string(feedback.id)
        case NJ_R_TIMESTAMP: .double(feedback.timestamp.seconds)
        case NJ_R_TRACE_ID: text(feedback.traceID)
        case NJ_R_SPAN_ID: text(feedback.spanID)
        case NJ_R_SESSION_ID: text(feedback.sessionID ?? feedback.correlation.sessionID)
        case NJ_R_SOURCE: .string(feedback.source)
        case NJ_R_FEEDBACK_TYPE: .string(feedback.feedbackType)
        case NJ_R_VALUE: feedback.value
        case NJ_R_COMMENT: text(feedback.comment)
        case NJ_R_USER_ID: text(feedback.metadata["userId"]?.string ?? feedback.correlation.userID)
        case NJ_R_EXPERIMENT: text(feedback.experiment ?? feedback.correlation.experiment)
        case NJ_R_METADATA: .object(feedback.metadata)
        default: fact(field, of: feedback.correlation)
        }
    }

    private static func value(_ field: nj_record_field, of drop: Drop) -> Value? {
        switch field {
        case NJ_R_TIMESTAMP: .double(drop.timestamp.seconds)
        case NJ_R_SIGNAL: .string(drop.signal.rawValue)
        case NJ_R_REASON: .string(drop.reason)
        case NJ_R_COUNT_LOST: .int(Int64(drop.count))
        case NJ_R_EXPORTER: text(drop.exporter)
        case NJ_R_DETAIL: text(drop.detail)
        default: nil
        }
    }

    private static func fact(_ field: nj_record_field, of correlation: Correlation) -> Value? {
        switch field {
        case NJ_R_TAGS: .array(correlation.tags.map(Value.string))
        case NJ_R_ENTITY_TYPE: text(correlation.entity.type)
        case NJ_R_ENTITY_ID: text(correlation.entity.id)
        case NJ_R_ENTITY_NAME: text(correlation.entity.name)
        case NJ_R_PARENT_ENTITY_TYPE: text(correlation.parentEntity.type)
        case NJ_R_PARENT_ENTITY_ID: text(correlation.parentEntity.id)
        case NJ_R_PARENT_ENTITY_NAME: text(correlation.parentEntity.name)
        case NJ_R_ROOT_ENTITY_TYPE: text(correlation.rootEntity.type)
        case NJ_R_ROOT_ENTITY_ID: text(correlation.rootEntity.id)
        case NJ_R_ROOT_ENTITY_NAME: text(correlation.rootEntity.name)
        case NJ_R_USER_ID: text(correlation.userID)
        case NJ_R_ORGANIZATION_ID: text(correlation.organizationID)
        case NJ_R_RESOURCE_ID: text(correlation.resourceID)
        case NJ_R_RUN_ID: text(correlation.runID)
        case NJ_R_SESSION_ID: text(correlation.sessionID)
        case NJ_R_THREAD_ID: text(correlation.threadID)
        case NJ_R_REQUEST_ID: text(correlation.requestID)
        case NJ_R_EXPERIMENT: text(correlation.experiment)
        case NJ_R_ENVIRONMENT: text(correlation.environment)
        case NJ_R_SOURCE: text(correlation.source)
        case NJ_R_SERVICE: text(correlation.serviceName)
        default: nil
        }
    }

    private static func text(_ text: (some CustomStringConvertible)?) -> Value? {
        text.map { .string($0.description) }
    }
}
