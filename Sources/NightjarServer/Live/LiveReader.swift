import NIOCore
import Nightjar
import Synchronization

/// What waits for one reader of live events: a queue that is bounded by events and by bytes. Whoever fills it never waits: where
/// there is no room the reader gets no more, but for a last event that says so.
final class LiveReader: Sendable {
    /// What there is to write.
    enum Portion {
        case nothing
        case bytes(ByteBuffer)
        /// Nothing comes after it.
        case last(ByteBuffer)
    }

    private enum End {
        case tooSlow(lost: Int)
        case serverStops
    }

    private struct Entry {
        let frame: LiveFrame
        /// Nil for what is no event.
        let number: UInt64?
    }

    private struct State {
        var entries: [Entry] = []
        var bytes = 0
        var isBeatDue = false
        var end: End?
        /// Whether it has left, or its last event was taken.
        var isOver = false
    }

    /// So much goes out in one write; one event may be larger.
    private static let portionBytes = 64 << 10

    let filter: LiveFilter
    private let run: String
    private let settings: LiveSettings
    private let counts: LiveCounts
    private let state = Mutex(State())
    private let (wakes, waker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private let (ends, ender) = AsyncStream.makeStream(of: Void.self)

    init(_ filter: LiveFilter, run: String, _ settings: LiveSettings, _ counts: LiveCounts) {
        self.filter = filter
        self.run = run
        self.settings = settings
        self.counts = counts
    }

    // MARK: From the outside

    /// Queues an event, or where it has no number, something else that is to be said.
    func offer(_ frame: LiveFrame, number: UInt64?) {
        let (wakes, ends) = state.withLock { state -> (Bool, Bool) in
            guard !state.isOver else { return (false, false) }
            switch state.end {
            case .serverStops: return (false, false)
            case .tooSlow(let lost):
                state.end = .tooSlow(lost: lost + 1)
                counts.lose()
                return (false, false)
            case nil: break
            }
            let size = frame.bytes.count
            let hasRoom =
                state.entries.count < settings.queueEvents
                && (state.bytes + size <= settings.queueBytes || state.entries.isEmpty)
            guard hasRoom else {
                drop(&state)
                return (true, true)
            }
            state.entries.append(Entry(frame: frame, number: number))
            state.bytes += size
            counts.queue(bytes: size, events: state.entries.count, bytes: state.bytes)
            return (state.entries.count == 1, false)
        }
        if wakes { waker.yield() }
        if ends { ender.finish() }
    }

    private func drop(_ state: inout State) {
        state.end = .tooSlow(lost: state.entries.count + 1)
        counts.lose()
        forget(&state, .lost)
        counts.drop(.tooSlow)
    }

    private func forget(_ state: inout State, _ outcome: LiveCounts.Outcome) {
        counts.leave(events: state.entries.count, bytes: state.bytes, outcome)
        (state.entries, state.bytes) = ([], 0)
    }

    /// Sees to it that the reader hears something, if nothing waits for it.
    func beat() {
        state.withLock { $0.isBeatDue = true }
        waker.yield()
    }

    /// The server stops: what waits is still written, then a last event.
    func stop() {
        state.withLock { if $0.end == nil { $0.end = .serverStops } }
        waker.yield()
        ender.finish()
    }

    /// The reader is gone: what waits for it is forgotten.
    func leave() {
        state.withLock { state in
            state.isOver = true
            forget(&state, .abandoned)
        }
        waker.finish()
        ender.finish()
    }

    // MARK: For the one that writes

    /// The next portion, as soon as there is one; nil when the reader is gone or the task is cancelled. Called by one task.
    func next() async -> Portion? {
        var iterator = wakes.makeAsyncIterator()
        while !Task.isCancelled {
            switch take() {
            case .nothing: if await iterator.next() == nil { return nil }
            case let portion: return portion
            }
        }
        return nil
    }

    /// Returns when only the last event is left to write, or the task is cancelled.
    func untilEnd() async { for await _ in ends {} }

    private func take() -> Portion {
        state.withLock { state in
            guard !state.isOver else { return .nothing }
            if state.entries.isEmpty, let end = state.end {
                state.isOver = true
                return .last(last(end))
            }
            guard !state.entries.isEmpty else {
                guard state.isBeatDue else { return .nothing }
                state.isBeatDue = false
                return .bytes(ByteBuffer(string: ": still here\n\n"))
            }
            state.isBeatDue = false
            return .bytes(portion(&state))
        }
    }

    private func portion(_ state: inout State) -> ByteBuffer {
        var (count, size) = (0, 0)
        while count < state.entries.count {
            let next = state.entries[count].frame.bytes.count
            if count > 0, size + next > Self.portionBytes { break }
            (count, size) = (count + 1, size + next)
        }
        // Room for the ids too.
        var buffer = ByteBufferAllocator().buffer(capacity: size + count * 32)
        for entry in state.entries[..<count] { write(entry, to: &buffer) }
        state.entries.removeFirst(count)
        state.bytes -= size
        counts.leave(events: count, bytes: size, .sent)
        return buffer
    }

    private func write(_ entry: Entry, to buffer: inout ByteBuffer) {
        buffer.writeBytes(entry.frame.bytes)
        if let number = entry.number { buffer.writeString("id: \(LiveID(run: run, number: number))\n") }
        buffer.writeString("\n")
    }

    private func last(_ end: End) -> ByteBuffer {
        let frame =
            switch end {
            case .tooSlow(let lost): LiveFrame.dropped(lost: lost, settings)
            case .serverStops: LiveFrame.bye
            }
        var buffer = ByteBuffer(bytes: frame.bytes)
        buffer.writeString("\n")
        return buffer
    }
}
