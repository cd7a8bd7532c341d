import NightjarBus
package import NightjarSignals
package import NightjarStore

/// What somebody wants deleted because it is old.
package struct CleanupRequest: Sendable, Equatable {
    /// What ages.
    package var signals: Set<RetainedSignal>
    /// What was received before it.
    package var before: Timestamp
    /// Whether it is only counted.
    package var isDryRun = false

    /// A request.
    package init(_ signals: Set<RetainedSignal>, before: Timestamp, isDryRun: Bool = false) {
        self.signals = signals
        self.before = before
        self.isDryRun = isDryRun
    }

    /// The names of everything that ages.
    package static var names: [String] { RetainedSignal.allCases.map(\.rawValue) }

    /// The request as `POST /api/cleanup` takes it.
    package var json: Value {
        [
            "before": .string(before.description), "dryRun": .bool(isDryRun),
            "signals": .array(signals.map(\.rawValue).sorted().map(Value.string)),
        ]
    }

    /// Reads `before`, or `olderThan` as a duration up to now; `signals`, all where there are none; `dryRun`.
    /// - Throws: ``EngineError`` `malformed` with what to write.
    package init(json: Value, now: Timestamp) throws(EngineError) {
        let before = json["before"]?.string.flatMap { Timestamp(iso8601: $0) }
        let age = json["olderThan"]?.string.flatMap { Duration(written: $0) }
        guard let time = before ?? age.map({ now.advanced(by: .zero - $0) }) else {
            throw EngineError(
                code: .malformed,
                detail: "write olderThan as a duration such as 10d, or before as an ISO 8601 instant"
            )
        }
        let dryRun = json["dryRun"] ?? .null
        guard [.null, .bool(true), .bool(false)].contains(dryRun) else {
            throw EngineError(code: .malformed, detail: "dryRun must be true or false")
        }
        let named = json["signals"] ?? .null
        guard named == .null || named.array != nil else {
            throw EngineError(
                code: .malformed,
                detail: "signals must be a list: \(Self.names.joined(separator: ", "))"
            )
        }
        let given = named.array?.map { $0.string ?? $0.json } ?? []
        self.init(try Self.signals(given), before: time, isDryRun: dryRun == .bool(true))
    }

    /// Everything that ages by its names; all of it for none.
    /// - Throws: ``EngineError`` `malformed` that names what is not known.
    package static func signals(_ names: [String]) throws(EngineError) -> Set<RetainedSignal> {
        var signals: Set<RetainedSignal> = []
        for name in names {
            guard let signal = RetainedSignal(rawValue: name) else {
                throw EngineError(
                    code: .malformed,
                    detail: "\(name) cannot be cleaned up; write \(Self.names.joined(separator: ", "))"
                )
            }
            signals.insert(signal)
        }
        return signals.isEmpty ? Set(RetainedSignal.allCases) : signals
    }
}

/// What a cleanup deleted, or would delete.
package struct CleanupOutcome: Sendable, Equatable {
    /// How much by kind: traces, logs, metrics, scores, feedback.
    package private(set) var deleted: [String: Int] = [:]
    /// By how many bytes the file became smaller.
    package private(set) var returnedBytes = 0
    /// How many bytes of the file are free to be written again.
    package private(set) var freeBytes = 0
    /// Whether there is nothing more.
    package private(set) var isDone = true

    /// Nothing.
    package init() {}

    init(_ count: SweepCount, isDone: Bool) {
        deleted = Dictionary(count.deleted.map { ($0.signal, $0.count) }) { $1 }
        (returnedBytes, freeBytes, self.isDone) = (count.returnedBytes, count.freeBytes, isDone)
    }

    /// Adds what a further call did.
    package mutating func add(_ next: CleanupOutcome) {
        deleted.merge(next.deleted) { $0 + $1 }
        returnedBytes += next.returnedBytes
        (freeBytes, isDone) = (next.freeBytes, next.isDone)
    }

    /// Adds bytes by which the file became smaller, and that are not free in it any more.
    package mutating func returned(_ bytes: Int) {
        returnedBytes += bytes
        freeBytes = 0
    }

    /// The outcome as `POST /api/cleanup` answers it.
    package var json: Value {
        var object = Value.Object()
        for name in Self.order { object[name] = .int(Int64(deleted[name] ?? 0)) }
        return [
            "deleted": .object(object), "returnedBytes": .int(Int64(returnedBytes)),
            "freeBytes": .int(Int64(freeBytes)), "isDone": .bool(isDone),
        ]
    }

    /// Reads what `json` wrote.
    package init(json: Value) {
        func count(_ value: Value?) -> Int { value?.number.flatMap { Int(exactly: $0) } ?? 0 }
        for name in Self.order { deleted[name] = count(json["deleted"]?[name]) }
        returnedBytes = count(json["returnedBytes"])
        freeBytes = count(json["freeBytes"])
        isDone = json["isDone"] != .bool(false)
    }

    /// The kinds in the order in which they are told.
    package static let order = ["traces", "logs", "metrics", "scores", "feedback"]
}

extension SQLiteStore {
    /// One call goes on for so long; whoever waits can tell how far it is.
    private static var patience: Duration { .seconds(2) }
    /// Counting what would go reads a whole table.
    private static var countingPatience: Duration { .seconds(60) }

    func cleanup(_ request: CleanupRequest, keepsScores: Bool) throws(StoreError) -> CleanupOutcome {
        let plan = SweepPlan(request.signals, before: request.before, keepsScores: keepsScores)
        guard !request.isDryRun else {
            return CleanupOutcome(try forecast(plan, atMost: Self.countingPatience), isDone: true)
        }
        let count = try sweep(plan, atMost: Self.patience)
        return CleanupOutcome(count, isDone: count.sweeps > 0)
    }
}

/// A database file that no other program has open, to be cleaned up. Belongs to one thread.
package final class DatabaseCleanup {
    private let store: SQLiteStore

    /// Opens the database for writing.
    /// - Throws: ``EngineError`` where another program has it open, or it cannot be opened.
    package init(path: String) throws(EngineError) {
        store = try SQLiteStore.alone(path)
    }

    /// Deletes for a few seconds; see ``Engine/cleanup(_:)``.
    /// - Throws: ``StoreError``.
    package func cleanup(_ request: CleanupRequest) throws -> CleanupOutcome {
        try store.cleanup(request, keepsScores: false)
    }

    /// Writes the file anew without what is free, which takes as much room beside it; a file of an earlier version can give pages
    /// back by itself afterwards. By how many bytes it became smaller.
    /// - Throws: ``StoreError``, `full` where there is no room.
    package func compact() throws -> Int { try store.compact() }

    /// Lets go of the file.
    package func close() throws { try store.close() }
}

extension SQLiteStore {
    /// Opens a database that must be nobody else's.
    /// - Throws: ``EngineError`` where it is not there, another program has it open, or it cannot be opened.
    static func alone(_ path: String) throws(EngineError) -> SQLiteStore {
        guard try isFree(path) else {
            throw EngineError(
                code: .unavailable,
                detail:
                    "\(path) is open in another program; write through its server with --server, or stop it"
            )
        }
        return try SQLiteStore(opening: .file(path), ledger: SeriesLedger(table: SeriesTable()))
    }

    private static func isFree(_ path: String) throws(EngineError) -> Bool {
        do throws(StoreError) {
            guard StoreReader.isThere(path: path) else {
                throw StoreError(code: .inputOutput, detail: "it cannot be read; is it there?")
            }
            return try !StoreReader.isOpenElsewhere(path: path)
        } catch {
            throw EngineError(code: .unavailable, detail: "\(path): \(error.detail)")
        }
    }
}
