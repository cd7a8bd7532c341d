public import NightjarSignals

extension RecordedTrace {
    /// Spans deeper than this hang in the tree form beside their ancestor of this depth: nesting without end serves nobody, and
    /// whoever reads it recurses.
    package static let treeDepthLimit = 64

    /// The trace as `GET /api/traces/{id}` gives it, spans in a flat list by start time.
    public var json: Value { json(spans: contents.spans.map(\.json)) }

    /// The same with nested spans: `spans` holds the roots, each span its `children`.
    public var tree: Value {
        var nested = [[Value]](repeating: [], count: contents.spans.count)
        var roots: [Value] = []
        // For each span the ancestor-or-self that the span's children are listed under.
        var hosts = [Int](repeating: -1, count: contents.spans.count)
        for (index, depth) in contents.walk {
            hosts[index] = depth < Self.treeDepthLimit - 1 ? index : hosts[Int(contents.parents[index])]
        }
        // Backwards every span comes after its whole family, and its children come last first.
        for (index, depth) in contents.walk.reversed() {
            guard var object = contents.spans[index].json.object else { continue }
            if !nested[index].isEmpty { object["children"] = .array(nested[index].reversed()) }
            nested[index] = []
            if depth == 0 {
                roots.append(.object(object))
            } else {
                nested[hosts[Int(contents.parents[index])]].append(.object(object))
            }
        }
        return json(spans: roots.reversed())
    }

    private func json(spans: [Value]) -> Value {
        [
            "traceId": .string(traceID.description),
            "spans": .array(spans),
            "scores": .array(scores.map(\.json)),
            "feedback": .array(feedback.map(\.json)),
            "logs": .array(logs.map(\.json)),
            "status": .string(status.name),
            "isPartial": .bool(isPartial),
        ]
    }

    /// Reads what `json` wrote; `status` and `isPartial` follow from the spans again.
    /// - Throws: `InputErrors` with the place of everything that is wrong, like `spans[2].startTime`.
    public init(json: Value, annotator: Annotator? = nil) throws(InputErrors) {
        var reader = ObjectReader(json, path: "")
        let traceID = reader.traceID("traceId")
        let spans = reader.list("spans") { value, path throws(InputErrors) in
            let span = try Span(json: value, path: path)
            guard traceID == nil || span.traceID == traceID else {
                throw InputErrors([InputError(path: "\(path).traceId", message: "is not the trace's own id")])
            }
            return span
        }
        let scores = reader.list("scores") { value, path throws(InputErrors) in
            try Score(json: value, path: path)
        }
        let feedback = reader.list("feedback") { value, path throws(InputErrors) in
            try Feedback(json: value, path: path)
        }
        let logs = reader.list("logs") { value, path throws(InputErrors) in
            try Log(json: value, path: path)
        }
        try reader.finish()
        guard let id = traceID ?? spans.first?.traceID,
            let trace = RecordedTrace(
                traceID: id,
                spans: spans,
                scores: scores,
                feedback: feedback,
                logs: logs,
                annotator: annotator
            )
        else { throw InputErrors([InputError(path: "spans", message: "must hold at least one span")]) }
        self = trace
    }
}
