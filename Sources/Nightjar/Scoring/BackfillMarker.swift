import Foundation
package import NightjarSignals

/// How far a backfill got, kept in a small file while it is not finished: the same backfill goes on there, any other begins
/// anew and takes the file over.
package struct BackfillMarker: Sendable, Equatable {
    /// What has to be the same for a backfill to go on: the script's content and everything that was asked for.
    package let task: Value
    /// The window that the first run settled on; later runs keep it.
    package let window: StoredWindow
    /// The last trace that is done; nil before the first.
    package var last: ScoringTarget?
    /// How many traces are done.
    package var done = 0
    /// How many scores were written.
    package var written = 0

    /// A marker at the beginning.
    package init(task: Value, window: StoredWindow) {
        self.task = task
        self.window = window
    }

    /// The marker in a file; nil where there is none, or it is of another task. One that cannot be read is no marker: what is
    /// done twice is written once.
    package init?(file: String, task: Value) {
        guard let data = FileManager.default.contents(atPath: file),
            let json = try? Value(jsonBytes: Array(data)),
            json["task"] == task, let limit = json["limit"]?.number
        else { return nil }
        func time(_ key: String) -> Timestamp? { json[key]?.string.flatMap { Timestamp(iso8601: $0) } }
        let window = StoredWindow(from: time("from"), to: time("to"), limit: Int(limit))
        self.init(task: task, window: window)
        if let received = time("lastReceivedAt"),
            let id = json["lastTraceId"]?.string.flatMap({ TraceID($0) })
        {
            last = ScoringTarget(id: id, receivedAt: received)
        }
        done = json["done"]?.number.map { Int($0) } ?? 0
        written = json["written"]?.number.map { Int($0) } ?? 0
    }

    /// Writes the marker to a file, whole or not at all.
    package func save(to file: String) throws {
        var object: Value.Object = ["task": task, "limit": .int(Int64(window.limit))]
        object["from"] = window.from.map { .string($0.description) }
        object["to"] = window.to.map { .string($0.description) }
        object["lastReceivedAt"] = last.map { .string($0.receivedAt.description) }
        object["lastTraceId"] = last.map { .string($0.id.description) }
        object["done"] = .int(Int64(done))
        object["written"] = .int(Int64(written))
        try Data((Value.object(object).json + "\n").utf8).write(to: URL(filePath: file), options: .atomic)
    }

    /// Removes the file of a backfill that is finished.
    package static func remove(_ file: String) {
        // One that stays costs the next backfill nothing but a look at its task.
        try? FileManager.default.removeItem(atPath: file)
    }
}
