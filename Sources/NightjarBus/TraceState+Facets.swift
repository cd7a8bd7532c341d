import CNightjarSignals
import NightjarSignals

extension TraceState {
    /// Adds what a span says to the facets that lists filter by.
    func noteFacets(_ row: UnsafePointer<nj_span>?, place: Int) {
        guard let span = row?.pointee else { return }
        let start = Timestamp(unixNano: Int64(clamping: span.start_nano))
        // A span without a start says nothing of the trace's.
        let isEarliest = span.start_nano != 0 && record.start.map { start < $0 } ?? true
        if isEarliest { record.start = start }
        if span.end_nano != 0 {
            let end = Timestamp(unixNano: Int64(clamping: span.end_nano))
            record.end = max(record.end ?? end, end)
        }
        if span.spanStatus == .error { record.hasErrors = true }
        if span.isRoot || (isEarliest && !hasRoot) { noteRoot(span) }
        noteNames(span)
        if record.workflow == nil, span.spanType == .workflowRun { record.workflow = span.workflow.string }
        if record.user == nil { record.user = span.user_id.string }
        if record.session == nil { record.session = span.session_id.string }
        record.spanCount = entries.count
        record.isPartial = !hasRoot || !missing.isEmpty
        isChanged = true
    }

    private func noteNames(_ span: borrowing nj_span) {
        switch span.spanType {
        case .agentRun:
            if record.agent == nil { record.agent = span.agent.string }
            record.agents.insert(span.agent)
        case .modelGeneration:
            record.models.insert(span.model.hasBytes ? span.model : span.response_model)
        case .toolCall, .mcpToolCall: record.tools.insert(span.tool)
        default: break
        }
        if span.isRoot { needsTags = true }
    }

    /// Adds the tags of the root, where one has come since the last call.
    package func noteTags(_ reader: some SpanReader) {
        guard needsTags else { return }
        needsTags = false
        guard let root = rootPlace, let span = reference(root) else {
            return
        }
        for tag in reader.tags(span) where record.tags.insert(tag) { isChanged = true }
    }

    private func noteRoot(_ span: nj_span) {
        record.name = span.name.string ?? ""
        record.type = span.spanType.name
        record.status = span.spanStatus
        record.service = span.service.string ?? record.service
        record.environment = span.environment.string ?? record.environment
    }

    /// Adds the tokens of a generation that counts.
    func noteUsage(_ span: nj_span) {
        func sum(_ total: Double?, _ value: Double) -> Double? { value.isNaN ? total : (total ?? 0) + value }
        record.inputTokens = sum(record.inputTokens, span.input_tokens)
        record.outputTokens = sum(record.outputTokens, span.output_tokens)
        record.cost = sum(record.cost, span.cost)
        isChanged = true
    }
}
