import CNightjarSignals
import NightjarSignals

/// The rules by which a span's inherited facts become final: which run it belongs to, and whether it repeats a request that
/// another span counts (signals contract, section 7; mapping contract, section 2, rules 4, 5 and 9).
extension TraceState {
    /// Whether a copy of a span tells of its start though its end is known: such a one opens nothing and replaces nothing.
    func knowsEnd(of copy: UnsafePointer<nj_span>) -> Bool {
        guard !copy.pointee.hasEnded, let place = place(of: copy.pointee.id) else { return false }
        return entries[place].hasEnded
    }

    /// Takes a span in that ``completed(_:_:by:)`` gave.
    func take(_ span: CompletedSpan) -> (place: Int, isKnown: Bool) {
        let taken = take(span.reference.slab, span.reference.index)
        if taken.isKnown { entries[taken.place].mergedDigest = span.digest }
        return taken
    }

    /// Takes a span in, or a later copy of one; returns its place, and whether it was known.
    func take(_ slab: Slab, _ index: Int) -> (place: Int, isKnown: Bool) {
        let row = slab.rows + index
        if let place = place(of: row.pointee.id) {
            entries[place].slab = slab
            entries[place].row = index
            note(row, at: place, scope: slab.context(of: row).scope_name)
            return (place, true)
        }
        let place = append(
            Entry(
                id: row.pointee.id,
                parent: row.pointee.parent_id,
                slab: slab,
                row: index,
                receivedAt: slab.receivedAt
            )
        )
        note(row, at: place, scope: slab.context(of: row).scope_name)
        unsettled += 1
        link(place)
        return (place, false)
    }

    /// Copies what later decisions need from a row: the last copy of a span is the one that holds.
    private func note(_ pointer: UnsafePointer<nj_span>, at place: Int, scope: nj_text) {
        // One access, not one for each field.
        let entries = entries
        let type = pointer.pointee.spanType
        let wasMCP = entries[place].type == .mcpToolCall
        entries[place].type = wasMCP && type == .toolCall ? .mcpToolCall : type
        entries[place].status = pointer.pointee.spanStatus
        entries[place].start = pointer.pointee.start_nano
        entries[place].end = pointer.pointee.end_nano
        entries[place].hasEnded = pointer.pointee.hasEnded
        entries[place].outputTokens = pointer.pointee.output_tokens
        entries[place].convention = pointer.pointee.convention
        entries[place].isProviderSDK = isProviderSDK(scope)
        entries[place].isToolExecution = pointer.pointee.name.equals("claude_code.tool.execution")
        if scope.equals(TraceID.standInScope) { standsFor = id.standIn }
        switch type {
        case .modelGeneration:
            entries[place].scope = keep(scope)
            if entries[place].isProviderSDK { entries[place].response = response(of: place) }
        case .toolCall, .mcpToolCall:
            entries[place].tool = keep(pointer.pointee.tool)
            entries[place].awaitsExecution =
                pointer.pointee.name.equals("claude_code.tool") && pointer.pointee.spanStatus != .error
            if hasFailedExecution(place) { entries[place].status = .error }
        case .agentRun: entries[place].agent = keep(pointer.pointee.agent)
        case .workflowRun: entries[place].workflow = keep(pointer.pointee.workflow)
        default: break
        }
        guard entries[place].parent == 0 else { return }
        hasRoot = true
        hasRootEnded = hasRootEnded || entries[place].hasEnded
    }

    /// Connects a new span with its parent and its children.
    private func link(_ place: Int) {
        let entry = (id: entries[place].id, parent: entries[place].parent)
        if entry.parent == 0 {
            // A root hangs under nothing.
        } else if entry.parent != entry.id, let parent = self.place(of: entry.parent) {
            adopt(child: place, parent: parent)
        } else if entry.parent != entry.id {
            entries[place].nextWaiting = waiting.put(place, for: entry.parent)
        }
        guard !waiting.isEmpty, var child = waiting.take(entry.id) else { return }
        while child >= 0 {
            let next = entries[Int(child)].nextWaiting
            adopt(child: Int(child), parent: place)
            child = next
        }
    }

    private func adopt(child: Int, parent: Int) {
        entries[child].parentPlace = Int32(parent)
        entries[child].nextSibling = entries[parent].firstChild
        entries[parent].firstChild = Int32(child)
    }

    /// Settles a span whose ancestors are all known, and everything below it; appends the places to `settled`. Spans that wait
    /// for one beside or below them are held, with what is below them; `isForced`: all but the first.
    func settleTree(from place: Int, isForced: Bool = false, into settled: inout [Int]) {
        guard !entries[place].isSettled, areAncestorsKnown(place) else { return }
        var queue = [place]
        var at = 0
        while at < queue.count {
            let current = queue[at]
            at += 1
            if !entries[current].isSettled {
                if !(isForced && current == place), mustWait(current) {
                    hold(current)
                    continue
                }
                settle(current, into: &settled)
            }
            var child = entries[current].firstChild
            while child >= 0 {
                if !entries[Int(child)].isSettled { queue.append(Int(child)) }
                child = entries[Int(child)].nextSibling
            }
        }
    }

    /// Settles everything that was received before `limit` with what is known: nobody waits any longer.
    func settleRest(receivedBefore limit: Timestamp, into settled: inout [Int]) {
        // Parents before children, so that facts are passed on; each chain is walked up once, cycles end at a seen span.
        for start in firstWaiting..<entries.count where !entries[start].isSettled {
            // In the order received: none of those behind is older.
            if entries[start].receivedAt > limit { break }
            var chain: [Int] = []
            var at = start
            while at >= 0, !entries[at].isSettled, !chain.contains(at), chain.count < 1024 {
                chain.append(at)
                at = Int(entries[at].parentPlace)
            }
            for place in chain.reversed() { settle(place, into: &settled) }
        }
    }

    private func areAncestorsKnown(_ place: Int) -> Bool {
        let parent = Int(entries[place].parentPlace)
        return parent < 0 ? entries[place].parent == 0 || parentsComeFirst : entries[parent].isSettled
    }

    func settle(_ place: Int, into settled: inout [Int]) {
        let entries = entries
        entries[place].isSettled = true
        unsettled -= 1
        let parent = Int(entries[place].parentPlace)
        if parent >= 0, parent != place {
            if entries[place].type != .agentRun { entries[place].agent = entries[parent].agent }
            if entries[place].type != .workflowRun { entries[place].workflow = entries[parent].workflow }
        }
        if entries[place].type.isTool, hasFailedExecution(place) { entries[place].status = .error }
        if let outer = outer(of: place) {
            entries[place].duplicateOf = entries[outer].id
            if entries[place].type == .mcpToolCall, entries[outer].type == .toolCall {
                entries[outer].type = .mcpToolCall
            }
        } else if entries[place].isProviderSDK, entries[place].type == .modelGeneration {
            var beside = countedAlone.removeValue(forKey: entries[place].parentPlace) ?? []
            beside.append(place)
            if beside.count > Self.heldLimit { beside.removeFirst(Self.heldLimit / 2) }
            countedAlone[entries[place].parentPlace] = beside
        }
        settled.append(place)
    }

    /// Whether a tool call's execution, a child that says so, has failed though the call itself does not say it.
    private func hasFailedExecution(_ place: Int) -> Bool {
        hasExecution(place) { $0.pointee.status == .error }
    }

    /// So far is looked for the span that counts instead: two reports of one request lie close, and cost stays linear.
    private static let nearby = 64

    /// The place of the span that counts instead of this one, nil where it counts itself.
    func outer(of place: Int) -> Int? {
        let entry = entry(at: place)
        let type = entry.pointee.type
        guard type == .modelGeneration || type.isTool else { return nil }
        var at = Int(entry.pointee.parentPlace)
        var steps = 0
        while at >= 0, steps < Self.nearby {
            let ancestor = self.entry(at: at)
            let above = ancestor.pointee.type
            if type == .modelGeneration, above == .modelGeneration { return outermost(at) }
            if type.isTool, above.isTool {
                return namesSameTool(name(entry.pointee.tool), name(ancestor.pointee.tool))
                    ? outermost(at) : nil
            }
            // A run or a call in between makes it another request.
            if above == .agentRun || above == .workflowRun || above.isTool || above == .modelGeneration {
                break
            }
            at = Int(ancestor.pointee.parentPlace)
            steps += 1
        }
        guard type == .modelGeneration else { return nil }
        if entry.pointee.isProviderSDK { return sibling(of: place) }
        return countedAlone.isEmpty ? nil : countedBefore(place)
    }

    private func outermost(_ place: Int) -> Int {
        let outer = entries[place].duplicateOf
        return outer == 0 ? place : self.place(of: outer) ?? place
    }
}

/// Whether a scope is that of a provider's own SDK, which traces the same request as a framework above or beside it.
private func isProviderSDK(_ scope: nj_text) -> Bool {
    scope.hasPrefix("com.anthropic.sdk")
}

/// Whether two tool names mean one tool: equal, or one is the other behind a server's prefix.
private func namesSameTool(_ inner: nj_text, _ outer: nj_text) -> Bool {
    guard inner.hasBytes, outer.hasBytes else { return true }
    if inner.equals(outer) { return true }
    let (long, short) = inner.length > outer.length ? (inner, outer) : (outer, inner)
    let cut = Int(long.length - short.length)
    guard cut > 0, long.dropFirst(cut).equals(short) else { return false }
    switch long.buffer[cut - 1] {
    case UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "/"):
        return true
    default: return false
    }
}
