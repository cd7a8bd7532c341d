import CNightjarSignals
import NightjarSignals

extension TraceState {
    /// Adds what a span says to the facets that lists filter by.
    func noteFacets(_ row: UnsafePointer<nj_span>) {
        if row.pointee.isRoot { needsTags = true }
        record.note(row, hasRoot: hasRoot)
        record.spanCount = entries.count
        record.isPartial = !hasRoot || !waiting.isEmpty
        isChanged = true
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

    /// Adds the tokens of a generation that counts.
    func noteUsage(_ span: UnsafePointer<nj_span>) {
        func sum(_ total: Double?, _ value: Double) -> Double? { value.isNaN ? total : (total ?? 0) + value }
        record.inputTokens = sum(record.inputTokens, span.pointee.input_tokens)
        record.outputTokens = sum(record.outputTokens, span.pointee.output_tokens)
        record.cost = sum(record.cost, span.pointee.cost)
        isChanged = true
    }
}

extension TraceRecord {
    /// Adds what a span says; `hasRoot`: whether the trace's root has come.
    mutating func note(_ row: UnsafePointer<nj_span>, hasRoot: Bool) {
        let start = Timestamp(unixNano: Int64(clamping: row.pointee.start_nano))
        // A span without a start says nothing of the trace's.
        let isEarliest = row.pointee.start_nano != 0 && self.start.map { start < $0 } ?? true
        if isEarliest { self.start = start }
        if row.pointee.end_nano != 0 {
            let end = Timestamp(unixNano: Int64(clamping: row.pointee.end_nano))
            self.end = max(self.end ?? end, end)
        }
        if row.pointee.spanStatus == .error { hasErrors = true }
        if row.pointee.isRoot || (isEarliest && !hasRoot) { noteRoot(row) }
        switch row.pointee.spanType {
        case .agentRun:
            if agent == nil { agent = row.pointee.agent.string }
            agents.insert(row.pointee.agent)
        case .modelGeneration:
            models.insert(row.pointee.model.hasBytes ? row.pointee.model : row.pointee.response_model)
        case .toolCall, .mcpToolCall: tools.insert(row.pointee.tool)
        case .workflowRun: if workflow == nil { workflow = row.pointee.workflow.string }
        default: break
        }
        if user == nil { user = row.pointee.user_id.string }
        if session == nil { session = row.pointee.session_id.string }
    }

    private mutating func noteRoot(_ row: UnsafePointer<nj_span>) {
        name = row.pointee.name.string ?? ""
        type = row.pointee.spanType.name
        status = row.pointee.spanStatus
        service = row.pointee.service.string ?? service
        environment = row.pointee.environment.string ?? environment
    }
}
