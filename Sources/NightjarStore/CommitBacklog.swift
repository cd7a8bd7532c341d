import NightjarBus
import NightjarSignals

/// What waits to be committed, and what to commit next; decides, but does nothing.
struct CommitBacklog {
    /// A batch of effects that waits.
    struct Batch {
        let effects: Effects
        let completion: @Sendable () -> Void
        let rows: Int
        let bytes: Int
    }

    /// What shares a transaction.
    struct Group {
        var submissions: [Submission] = []
        var batches: [Batch] = []
        /// What the submissions weigh in the queue.
        var bytes = 0

        /// Whether one part of it may fail while another would not.
        var isMixed: Bool { submissions.count > 1 || (submissions.count == 1 && !batches.isEmpty) }
    }

    /// What the writer does next.
    enum Action {
        case commit(Group)
        /// Something failed and nothing is there to try again with: try to write at all.
        case probe
        case wait(Duration)
        case stop
    }

    private let settings: StoreSettings
    private var submissions = Queue<(submission: Submission, rows: Int, bytes: Int)>()
    private var batches = Queue<Batch>()
    private var batchRows = 0
    private var windowEnd: ContinuousClock.Instant?
    /// Effects that come before are not written before.
    private var pauseEnd: ContinuousClock.Instant?
    private var failures = 0
    /// When it is tried whether the database can be written again; nil while it can.
    private var probeAt: ContinuousClock.Instant?

    /// Whether the last commit of effects failed and is to be tried again.
    var isFailing: Bool { failures > 0 }
    /// What waits or is being committed.
    private(set) var queuedBytes = 0
    /// What the effects that wait or are being committed weigh.
    private(set) var queuedEffectBytes = 0
    private(set) var submitted = 0
    private(set) var answered = 0
    private(set) var handedOver = 0
    private(set) var stored = 0
    /// Somebody waits for everything to be done: effects do not wait for companions then.
    var isFlushing = false { didSet { if isFlushing { windowEnd = nil } } }
    private(set) var isClosing = false

    init(_ settings: StoreSettings) {
        self.settings = settings
    }

    var queuedSubmissions: Int { submitted - answered }
    var queuedBatches: Int { handedOver - stored }
    var hasRoomForEffects: Bool {
        queuedBatches < settings.queuedEffects && queuedEffectBytes < settings.effectBytes
    }

    /// Queues a submission.
    mutating func add(_ submission: Submission) throws(StoreError) {
        guard !isClosing else { throw StoreError(code: .closed, detail: "the store is closed") }
        let bytes = submission.weight
        // One that is larger than the queue alone is taken by an empty queue, or it would never be.
        guard queuedBytes == 0 || queuedBytes + bytes <= settings.queueBytes else {
            throw StoreError(code: .overloaded, detail: "\(queuedBytes) bytes wait for the disk")
        }
        guard queuedBatches <= settings.queuedEffects, queuedEffectBytes <= settings.effectBytes else {
            throw StoreError(
                code: .overloaded,
                detail: "\(queuedBatches) batches of effects, \(queuedEffectBytes) bytes, wait for the disk"
            )
        }
        submissions.append((submission, submission.rows, bytes))
        queuedBytes += bytes
        submitted += 1
    }

    /// Queues effects; whether they are taken, which they are until the store closes.
    mutating func add(
        _ effects: Effects,
        at now: ContinuousClock.Instant,
        _ completion: @escaping @Sendable () -> Void
    ) -> Bool {
        guard !isClosing else { return false }
        if batches.isEmpty, windowEnd == nil {
            windowEnd = max(now + settings.groupWindow, pauseEnd ?? now)
        }
        let batch = Batch(
            effects: effects,
            completion: completion,
            rows: effects.rows,
            bytes: effects.weight
        )
        batches.append(batch)
        queuedEffectBytes += batch.bytes
        batchRows += batch.rows
        handedOver += 1
        return true
    }

    /// What to do at this time.
    mutating func next(at now: ContinuousClock.Instant) -> Action {
        // Effects wait out their window even beside inputs: what many small batches change of a series or a trace is then
        // written once.
        let isWanted = isDue(now) || isClosing || isFlushing || isFilling
        let mustTakeBatches = !batches.isEmpty && isWanted && (failures == 0 || isDue(now))
        guard !submissions.isEmpty || mustTakeBatches else {
            if isClosing && batches.isEmpty { return .stop }
            // Effects that wait to be tried again are a try themselves.
            if batches.isEmpty, let probeAt { return now >= probeAt ? .probe : .wait(probeAt - now) }
            guard !batches.isEmpty, let windowEnd else { return .wait(.seconds(3600)) }
            return .wait(windowEnd - now)
        }
        return .commit(take(batchesToo: mustTakeBatches))
    }

    /// Whether what waits fills a group, or half of the room that there is.
    private var isFilling: Bool {
        batchRows >= settings.groupRows || batches.count * 2 >= settings.queuedEffects
            || queuedEffectBytes * 2 >= settings.effectBytes
    }

    /// Takes note of a commit; `time` is what its effects took. Under load they are most of the work, and most of that is the
    /// same however many share a group: rows of series, windows and traces that each of them changes. So the next group
    /// gathers for some times as long as this one took.
    mutating func committed(_ group: Group, at now: ContinuousClock.Instant, effectsTook time: Duration) {
        settle(group)
        stored += group.batches.count
        queuedEffectBytes -= group.batches.reduce(0) { $0 + $1.bytes }
        if !isFailing || !group.batches.isEmpty { probeAt = nil }
        guard !group.batches.isEmpty else { return }
        failures = 0
        let pauseEnd = now + min(time * settings.groupPauseFactor, settings.longestGroupWindow)
        self.pauseEnd = pauseEnd
        windowEnd = batches.isEmpty ? nil : pauseEnd
    }

    /// Takes note of a failure: submissions are answered with it, batches go back to the front for after a pause.
    /// A store that closes gives its batches up: they are processed again after the next start.
    mutating func failed(_ group: Group, at now: ContinuousClock.Instant) {
        settle(group)
        probeAfterPause(now)
        guard !group.batches.isEmpty else { return }
        if isClosing {
            stored += group.batches.count + batches.count
            batches = Queue()
            (batchRows, queuedEffectBytes) = (0, 0)
            return
        }
        batches.prepend(group.batches)
        batchRows += group.batches.reduce(0) { $0 + $1.rows }
        let pause = settings.shortestBackoff * (1 << min(failures, 20))
        failures += 1
        windowEnd = now + min(pause, settings.longestBackoff)
    }

    /// Has it tried after a pause whether the database can be written.
    mutating func probeAfterPause(_ now: ContinuousClock.Instant) { probeAt = now + settings.probePause }

    /// Takes note of a try that went well.
    mutating func probed() { probeAt = nil }

    /// Takes nothing more; what waits is tried at once.
    mutating func close() {
        isClosing = true
        windowEnd = nil
    }

    private func isDue(_ now: ContinuousClock.Instant) -> Bool { windowEnd.map { now >= $0 } ?? true }

    private mutating func settle(_ group: Group) {
        queuedBytes -= group.bytes
        answered += group.submissions.count
    }

    /// Effects may fill half a group before inputs come, so that neither starves the other.
    private mutating func take(batchesToo: Bool) -> Group {
        var group = Group()
        var rows = 0
        func fits(_ added: Int, _ limit: Int) -> Bool { rows == 0 || rows + added <= limit }
        let half = settings.groupRows / 2
        while batchesToo, let batch = batches.first,
            fits(batch.rows, submissions.isEmpty ? settings.groupRows : half)
        {
            group.batches.append(batch)
            rows += batch.rows
            batchRows -= batch.rows
            batches.removeFirst()
        }
        while let (submission, added, bytes) = submissions.first,
            group.submissions.isEmpty
                || (fits(added, settings.groupRows) && group.bytes + bytes <= settings.groupBytes)
        {
            group.submissions.append(submission)
            group.bytes += bytes
            rows += added
            submissions.removeFirst()
        }
        return group
    }
}

/// First in, first out, with constant cost at both ends.
struct Queue<Element> {
    private var elements: [Element?] = []
    private var head = 0

    var isEmpty: Bool { head == elements.count }
    var count: Int { elements.count - head }
    var first: Element? { isEmpty ? nil : elements[head] }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func removeFirst() {
        elements[head] = nil
        head += 1
        // Moving the rest down when half is gone costs one move an element.
        if head * 2 >= elements.count {
            elements.removeFirst(head)
            head = 0
        }
    }

    mutating func prepend(_ others: [Element]) {
        elements.replaceSubrange(0..<head, with: others.map(Optional.some))
        head = 0
    }
}

extension Submission {
    fileprivate var rows: Int {
        chunks.count + scores.count + feedback.count + deletions.count + plugins.count + undos.count
    }

    /// About how many bytes the submission holds; the texts of annotations are counted, the small change is guessed.
    fileprivate var weight: Int {
        let annotation = 512
        return 256 + heldBytes + (deletions.count + undos.count) * 64
            + chunks.reduce(0) { $0 + $1.payload.count + 64 }
            + plugins.reduce(0) { $0 + $1.weight }
            + scores.reduce(0) {
                $0 + annotation + ($1.reason?.utf8.count ?? 0) + ($1.error?.utf8.count ?? 0)
                    + weigh($1.metadata) + weigh($1.correlation)
            }
            + feedback.reduce(0) {
                $0 + annotation + ($1.comment?.utf8.count ?? 0) + ($1.value.string?.utf8.count ?? 0)
                    + weigh($1.metadata) + weigh($1.correlation)
            }
    }
}

extension PluginChange {
    fileprivate var weight: Int {
        switch self {
        case .keep(let record): 256 + (record.state?.count ?? 0)
        case .forget: 64
        case .content(let content): 256 + content.packed.count
        }
    }
}

extension Effects {
    /// About how many rows of a group are theirs alone: what a group does to a series or a partition is written once.
    fileprivate var rows: Int {
        traces.count + scores.count + feedback.count + counts.count + logs.count + rewrites.count
            + correlations.count + streams.count + seriesRemovals.count + logCorrelations.count
            + (progress.isEmpty && deltas.isEmpty ? 0 : 1)
    }
}

extension Effects {
    /// About how many bytes the effects hold; texts are counted, the rest is guessed by its rows.
    fileprivate var weight: Int {
        (rows + progress.count + deltas.count) * 256
            + logs.reduce(0) { $0 + SignalEvent.log($1).approximateBytes }
            + rewrites.reduce(0) { $0 + ($1.payload?.count ?? 0) }
            + streams.reduce(0) { $0 + $1.state.count }
    }
}

private func weigh(_ correlation: Correlation) -> Int {
    guard !correlation.isEmpty else { return 0 }
    let fields = correlation.fields
    return Correlation.texts.reduce(0) { $0 + (fields[keyPath: $1.path]?.utf8.count ?? 0) }
        + fields.tags.reduce(0) { $0 + $1.utf8.count }
}

private func weigh(_ object: Value.Object) -> Int {
    object.entries.reduce(0) { $0 + $1.key.utf8.count + weigh($1.value) }
}

private func weigh(_ value: Value) -> Int {
    switch value {
    case .string(let text): text.utf8.count
    case .bytes(let bytes): bytes.count
    case .array(let values): values.reduce(16) { $0 + weigh($1) }
    case .object(let object): 16 + weigh(object)
    default: 16
    }
}
