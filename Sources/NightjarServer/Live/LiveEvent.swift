import NightjarPlugins
import NightjarSignals

/// What readers of live events may get.
enum LiveEvent {
    case signal(SignalEvent)
    case pluginError(PluginErrorNotice)

    /// The names of all kinds.
    static let names = SignalEvent.names + ["plugin_error"]

    /// The kind.
    var name: String {
        switch self {
        case .signal(let event): event.name
        case .pluginError: "plugin_error"
        }
    }

    /// The event as one JSON object (signals contract, section 2).
    var json: Value {
        switch self {
        case .signal(let event): event.json
        case .pluginError(let notice): ["type": "plugin_error", "pluginError": notice.json]
        }
    }
}

extension PluginErrorNotice {
    fileprivate var json: Value {
        var object: Value.Object = [
            "timestamp": .string(timestamp.description), "plugin": .string(plugin), "rule": .string(rule),
            "message": .string(message), "count": .int(Int64(count)), "isLimit": .bool(isLimit),
        ]
        object["traceId"] = traceID.map { .string($0.description) }
        object["traceback"] = traceback.isEmpty ? nil : .string(traceback)
        return .object(object)
    }
}

/// The facts that live events are chosen by.
enum LiveField: String, CaseIterable {
    case service, environment, agent, model, tool, workflow, user, session, status, type, name, trace
    case level, scorer, plugin
}

extension LiveEvent {
    /// What the event itself says of a field: one value, or several any of which may be meant; none where it says nothing.
    func values(of field: LiveField) -> [String?] {
        switch self {
        case .pluginError(let notice):
            switch field {
            case .plugin: [notice.plugin]
            case .name: [notice.rule]
            case .trace: [notice.traceID?.description]
            default: []
            }
        case .signal(let event):
            switch field {
            case .trace: [event.traceID?.description]
            case .plugin: []
            default: event.values(of: field)
            }
        }
    }
}

extension SignalEvent {
    fileprivate func values(of field: LiveField) -> [String?] {
        switch self {
        case .spanStarted(let span), .spanUpdated(let span), .spanEnded(let span): span.values(of: field)
        case .log(let log):
            field == .level ? [log.level.name] : log.correlation.values(of: field)
        case .metric(let metric):
            field == .name
                ? [metric.name] : metric.correlation.values(of: field) + [metric.labels[field.rawValue]]
        case .score(let score):
            switch field {
            case .scorer, .name: [score.scorerName]
            case .session: [score.sessionID, score.correlation.sessionID]
            default: score.correlation.values(of: field)
            }
        case .feedback(let feedback):
            switch field {
            case .name: [feedback.feedbackType]
            case .session: [feedback.sessionID, feedback.correlation.sessionID]
            case .user: [feedback.metadata["userId"]?.string, feedback.correlation.userID]
            default: feedback.correlation.values(of: field)
            }
        case .drop, .traceEnded: []
        }
    }
}

extension Span {
    fileprivate func values(of field: LiveField) -> [String?] {
        switch field {
        case .service: [service ?? metadata["serviceName"]?.string]
        case .environment: [environment ?? metadata["environment"]?.string]
        case .agent: [agent]
        case .model: [model, responseModel]
        case .tool: [tool]
        case .workflow: [workflow]
        case .user: [metadata["userId"]?.string]
        case .session: [metadata["sessionId"]?.string]
        case .status: [status.name]
        case .type: [type == .generic ? typeName : type.name]
        case .name: [name]
        case .trace, .level, .scorer, .plugin: []
        }
    }
}

extension Correlation {
    fileprivate func values(of field: LiveField) -> [String?] {
        switch field {
        case .service: [self.serviceName]
        case .environment: [self.environment]
        case .user: [self.userID]
        case .session: [self.sessionID]
        case .agent: names(ofType: "agent")
        case .tool: names(ofType: "tool")
        case .workflow: names(ofType: "workflow_run")
        default: []
        }
    }

    private func names(ofType type: String) -> [String?] {
        let fields = fields
        return [fields.entity, fields.parentEntity, fields.rootEntity].filter { $0.type == type }.map(\.name)
    }
}
