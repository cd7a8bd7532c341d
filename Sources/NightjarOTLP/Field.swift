/// What an attribute of a known key says. The keys of each, by precedence, are in ``AttributeKeys``.
enum Field: UInt8, CaseIterable {
    // Which convention a span follows: `otlp-mapping.md` section 1, first table.
    case mastraType, openInferenceKind, langfuseType, langsmithKind, mlflowType, traceloopKind, claudeType
    case vercelOperation, operation, mcpMethod, llmRequestType, logfireType
    case requestModel, system

    // Values with a list of precedence: section 1, second table.
    case provider, model, responseModel
    case inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, reasoningTokens
    case agent, tool, workflow, session, user, environment
    case errorType, errorMessage, finishReason, cost
    case secondsToFirstToken, firstTokenInstant, millisecondsToFirstToken, latencyToFirstToken

    // Values that hold in one convention only.
    case agentID, graphNode, entityName, functionID, vercelTool, workflowID
    case pydanticAgent, pydanticModel
    case bareModel, bareTool, bareInputTokens, bareOutputTokens, bareCacheReadTokens, bareCacheWriteTokens
    case bareCost, bareSession, bareUser
    case success, bareError, toolStatus, langfuseLevel, stopReason
    case langChainAgent, langGraphNode
    case verdict

    // What spans of our own say beside their attributes; of some also the attribute of the signals contract, section 4.
    case nativeType, nativeAgent, nativeModel, nativeResponseModel, nativeProvider, nativeTool, nativeWorkflow
    case nativeService, nativeEnvironment, nativeFinishReason, nativeEntityName
    case nativeMillisecondsToFirstToken, nativeFirstTokenInstant, nativeUsage
    case nativeMetadata, nativeError, nativeEnded, nativeIsEvent, nativeAdded

    // Values that are JSON text.
    case langfuseUsage, langfuseCost, mlflowUsage, langsmithUsage, inputDetails, outputDetails, metadata

    /// The form of value that a field takes; anything else is as good as absent.
    enum Form {
        /// Text of at least one byte.
        case text
        /// Text of at least one byte, a number or a truth value.
        case scalar
        /// A finite number of at least 0, or text that is one.
        case number
        /// Text or a list, neither of them empty.
        case list
        /// Text that names a provider: no framework.
        case provider
        /// Text, also of no byte.
        case anyText
        /// Any value.
        case any
    }

    /// The form of value that the field takes.
    var form: Form {
        switch self {
        case .inputTokens, .outputTokens, .cacheReadTokens, .cacheWriteTokens, .reasoningTokens, .cost,
            .secondsToFirstToken, .millisecondsToFirstToken, .latencyToFirstToken, .bareInputTokens,
            .bareOutputTokens, .bareCacheReadTokens, .bareCacheWriteTokens, .bareCost:
            .number
        case .provider: .provider
        case .nativeMillisecondsToFirstToken: .number
        case .nativeType, .nativeAgent, .nativeModel, .nativeResponseModel, .nativeProvider, .nativeTool,
            .nativeWorkflow, .nativeService, .nativeEnvironment, .nativeFinishReason, .nativeEntityName:
            .anyText
        case .nativeFirstTokenInstant, .nativeUsage, .nativeMetadata, .nativeError, .nativeEnded,
            .nativeIsEvent, .nativeAdded:
            .any
        case .finishReason: .list
        case .session, .user, .bareSession, .bareUser, .success, .bareError, .workflowID: .scalar
        default: .text
        }
    }
}
