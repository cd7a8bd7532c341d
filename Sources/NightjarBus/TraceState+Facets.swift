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
        if record.agent == nil, span.spanType == .agentRun { record.agent = span.agent.string }
        if record.workflow == nil, span.spanType == .workflowRun { record.workflow = span.workflow.string }
        if record.user == nil { record.user = span.user_id.string }
        if record.session == nil { record.session = span.session_id.string }
        record.spanCount = entries.count
        record.isPartial = !hasRoot || !missing.isEmpty
        isChanged = true
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
