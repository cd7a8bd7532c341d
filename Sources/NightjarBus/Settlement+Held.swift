import CNightjarSignals
import NightjarSignals

/// Spans that wait though all their ancestors are known: a provider SDK's own span for a framework's span of the same request
/// beside it, a tool call for the child that tells how it went (signals contract, section 7; mapping contract, section 2,
/// rule 9, and section 10). What they wait for may come in a later request.
extension TraceState {
    /// Whether a span waits for one beside or below it.
    func mustWait(_ place: Int) -> Bool {
        if standsFor != nil { return true }
        // Within one process everything is told in its order.
        guard !parentsComeFirst else { return false }
        if entries[place].awaitsExecution { return !hasExecution(place) { _ in true } }
        guard entries[place].isProviderSDK, entries[place].type == .modelGeneration,
            entries[place].parentPlace >= 0
        else { return false }
        return outer(of: place) == nil
    }

    /// Puts a span on the list of those that wait.
    func hold(_ place: Int) {
        guard !entries[place].isHeld, standsFor == nil else { return }
        entries[place].isHeld = true
        held.append(place)
    }

    /// So many spans of a trace wait for one beside or below them, and so many are known that did not wait: each that comes is
    /// compared with them. The oldest beyond it are counted as they are.
    static let heldLimit = 1024

    /// Settles what waited for a span that has come.
    func releaseHeld(for newcomer: Int, into settled: inout [Int]) {
        guard !held.isEmpty else { return }
        let before = settled.count
        if held.count > Self.heldLimit {
            for place in held.prefix(Self.heldLimit / 2) {
                settleTree(from: place, isForced: true, into: &settled)
            }
            held.removeAll { entries[$0].isSettled }
        }
        let entry = entry(at: newcomer)
        let parent = entry.pointee.parentPlace
        if entry.pointee.isToolExecution, parent >= 0, entries[Int(parent)].isHeld {
            settleTree(from: Int(parent), into: &settled)
        } else if entry.pointee.type == .modelGeneration, !entry.pointee.isProviderSDK {
            for place in held
            where entries[place].parentPlace == parent && isSameRequest(place, newcomer) {
                settleTree(from: place, into: &settled)
            }
        }
        if settled.count > before { held.removeAll { entries[$0].isSettled } }
    }

    /// Settles what has waited though its parent has ended: senders had time to send the rest.
    func releaseOverdue(into settled: inout [Int]) {
        for place in held where isOverdue(place) { settleTree(from: place, isForced: true, into: &settled) }
        held.removeAll { entries[$0].isSettled }
    }

    /// Whether a held span settles once nothing has come for a while.
    var hasOverdue: Bool { held.contains(where: isOverdue) }

    private func isOverdue(_ place: Int) -> Bool {
        guard !entries[place].isSettled else { return false }
        let parent = Int(entries[place].parentPlace)
        return entries[place].awaitsExecution || parent < 0 || entries[parent].hasEnded
    }

    /// Whether a child that tells how a tool call went is here and is such a one.
    func hasExecution(_ place: Int, where holds: (UnsafePointer<Entry>) -> Bool) -> Bool {
        var child = entries[place].firstChild
        while child >= 0 {
            let entry = entry(at: Int(child))
            if entry.pointee.isToolExecution, holds(entry) { return true }
            child = entry.pointee.nextSibling
        }
        return false
    }

    /// So many siblings are looked at: a run may make many requests.
    private static let siblingLimit = 1024

    /// A generation of another instrumentation beside a provider SDK's own that tells of the same request.
    func sibling(of place: Int) -> Int? {
        let parent = Int(entries[place].parentPlace)
        guard parent >= 0 else { return nil }
        var at = entries[parent].firstChild
        var steps = 0
        while at >= 0, steps < Self.siblingLimit {
            steps += 1
            if Int(at) != place, isSameRequest(place, Int(at)) { return Int(at) }
            at = entries[Int(at)].nextSibling
        }
        return nil
    }

    /// Whether a span beside a provider SDK's own tells of its request: by the response's id where both name one, else by
    /// overlapping in time with the same output.
    private func isSameRequest(_ place: Int, _ other: Int) -> Bool {
        let (entry, beside) = (entry(at: place), entry(at: other))
        guard beside.pointee.type == .modelGeneration, !beside.pointee.isProviderSDK,
            !name(beside.pointee.scope).equals(name(entry.pointee.scope))
        else { return false }
        let response = entry.pointee.response == 0 ? 0 : response(of: other)
        if response != 0 { return response == entry.pointee.response }
        let (tokens, besideTokens) = (entry.pointee.outputTokens, beside.pointee.outputTokens)
        return beside.pointee.start <= entry.pointee.end && entry.pointee.start <= beside.pointee.end
            && (besideTokens == tokens || (besideTokens.isNaN && tokens.isNaN))
    }

    /// The provider SDK's own span that was counted though a framework's span of its request had yet to come; nil where there is
    /// none. It counts for one such span only.
    func countedBefore(_ place: Int) -> Int? {
        let parent = entries[place].parentPlace
        let found = countedAlone[parent]?.firstIndex { isSameRequest($0, place) }
        return found.flatMap { countedAlone[parent]?.remove(at: $0) }
    }

    private static let responseID = nj_symbol_intern("gen_ai.response.id", 18)

    /// A hash of the id of the response that a span names; 0 where it names none, or its payload was let go.
    func response(of place: Int) -> UInt64 {
        guard let slab = entries[place].slab else { return 0 }
        let row = slab.rows + entries[place].row
        let id = slab.attributes(of: row).last { $0.key == Self.responseID }?.text ?? .absent
        return id.hasBytes ? max(id.digest, 1) : 0
    }
}
