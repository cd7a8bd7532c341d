import Synchronization

/// Bounds the bytes that many connections hold together. What finds no room is refused, except where nothing is held: one
/// that is larger than the bound would never be taken otherwise. Safe to use from any thread.
final class ByteBudget: Sendable {
    /// What one connection holds of it.
    private struct Share {
        var bytes = 0
        /// When it began to come; nil while nothing comes.
        var since: ContinuousClock.Instant?
        let cutOff: @Sendable () -> Void
    }

    private struct State {
        var bytes = 0
        var shares: [Int: Share] = [:]
        var next = 0
    }

    /// The bound.
    let limit: Int
    /// What is coming for longer is cut off when another finds no room: slow senders must not keep the others out.
    private let patience: Duration
    private let state = Mutex(State())

    init(limit: Int, patience: Duration = .seconds(3600)) {
        (self.limit, self.patience) = (limit, patience)
    }

    /// What is held now.
    var bytes: Int { state.withLock { $0.bytes } }

    /// A share of nothing; `cutOff` is called, on any thread, when it has to make room.
    func open(cutOff: @escaping @Sendable () -> Void = {}) -> ByteShare {
        let id = state.withLock { state in
            defer { state.next += 1 }
            state.shares[state.next] = Share(cutOff: cutOff)
            return state.next
        }
        return ByteShare(budget: self, id: id)
    }

    fileprivate func grow(_ id: Int, by count: Int, isComing: Bool) -> Bool {
        let now = isComing ? ContinuousClock.now : nil
        while true {
            let (hasRoom, victim) = state.withLock { state in take(id, count, now, &state) }
            guard let victim else { return hasRoom }
            victim()
        }
    }

    /// Takes room, or else the room of who is slowest.
    private func take(
        _ id: Int,
        _ count: Int,
        _ now: ContinuousClock.Instant?,
        _ state: inout State
    ) -> (hasRoom: Bool, victim: (@Sendable () -> Void)?) {
        guard var share = state.shares[id] else { return (false, nil) }
        let others = state.bytes - share.bytes
        if state.bytes + count <= limit || others == 0 {
            share.bytes += count
            if let now, share.since == nil { share.since = now }
            state.shares[id] = share
            state.bytes += count
            return (true, nil)
        }
        let start = ContinuousClock.now - patience
        let slow = state.shares.filter {
            $0.key != id && $0.value.bytes > 0 && ($0.value.since ?? .now) < start
        }
        guard let slowest = slow.min(by: { ($0.value.since ?? .now) < ($1.value.since ?? .now) }) else {
            return (false, nil)
        }
        state.bytes -= slowest.value.bytes
        state.shares[slowest.key] = nil
        return (false, slowest.value.cutOff)
    }

    fileprivate func shrink(_ id: Int, by count: Int) {
        state.withLock { state in
            guard let share = state.shares[id] else { return }
            let freed = min(count, share.bytes)
            state.shares[id]?.bytes -= freed
            state.bytes -= freed
        }
    }

    fileprivate func arrived(_ id: Int) {
        state.withLock { $0.shares[id]?.since = nil }
    }

    fileprivate func close(_ id: Int) {
        state.withLock { state in
            guard let share = state.shares.removeValue(forKey: id) else { return }
            state.bytes -= share.bytes
        }
    }
}

/// What one connection holds of a budget. Safe to use from any thread.
final class ByteShare: Sendable {
    private let budget: ByteBudget
    private let id: Int

    fileprivate init(budget: ByteBudget, id: Int) { (self.budget, self.id) = (budget, id) }

    deinit { budget.close(id) }

    /// Takes more; false where there is no room. `isComing`: more of it is to come from the client.
    func grow(by count: Int, isComing: Bool = false) -> Bool {
        budget.grow(id, by: count, isComing: isComing)
    }

    /// Gives some back.
    func shrink(by count: Int) { budget.shrink(id, by: count) }

    /// What was coming is here: it is not cut off any more.
    func arrived() { budget.arrived(id) }

    /// Gives everything back; nothing can be taken after it.
    func close() { budget.close(id) }
}
