import Foundation
import Hummingbird
import Nightjar
import NightjarSignals
import NightjarStore

/// `GET /api/status`: how the server is doing.
struct LoadRoutes {
    let engine: Engine
    let load: ServerLoad
    private let startedAt: Timestamp

    init(engine: Engine, load: ServerLoad) {
        (self.engine, self.load) = (engine, load)
        startedAt = engine.now
    }

    func add(to router: APIRouter) {
        router.get("/api/status", .status) { _, _ in Response.json(.object(status)) }
    }

    private var status: Value.Object {
        let engineStatus = engine.status
        var refused: Value.Object = [:]
        for (reason, count) in engineStatus.refused.sorted(by: { $0.key < $1.key }) {
            refused[reason] = .int(Int64(count))
        }
        var object: Value.Object = [
            "status": .string(engine.fault == nil ? "ok" : "failing"),
            "versions": [
                "nightjar": .string(NightjarVersion.text), "sqlite": .string(SQLiteStore.libraryVersion),
            ],
            "startedAt": .string(startedAt.description),
            "uptimeSeconds": .int((engine.now.unixNano - startedAt.unixNano) / 1_000_000_000),
            "lagSeconds": .double(engineStatus.lagSeconds),
            "queues": .object(queues(engineStatus)),
            "connections": [
                "open": .int(Int64(load.connections)), "limit": .int(Int64(load.limits.connections)),
            ],
            "refused": .object(refused),
            "database": .object(database),
        ]
        object["fault"] = engine.fault.map { .string($0) }
        if let bytes = residentBytes { object["residentBytes"] = .int(bytes) }
        return object
    }

    private func queues(_ status: EngineStatus) -> Value.Object {
        func depth(_ bytes: Int, _ limit: Int) -> Value.Object {
            ["bytes": .int(Int64(bytes)), "limitBytes": .int(Int64(limit))]
        }
        func depth(_ queue: EngineStatus.Depth) -> Value.Object { depth(queue.bytes, queue.limit) }
        var journal = depth(status.journal)
        journal["requests"] = .int(Int64(status.submissions))
        var effects = depth(status.effects)
        effects["batches"] = .int(Int64(status.effectBatches))
        return [
            "bodies": .object(depth(load.bodies.bytes, load.bodies.limit)),
            "answers": .object(depth(load.answers.bytes, load.answers.limit)),
            "journal": .object(journal),
            "workers": .array(status.workers.map { .object(depth($0)) }),
            "effects": .object(effects),
            "queries": [
                "running": .int(Int64(status.reads.running)), "waiting": .int(Int64(status.reads.waiting)),
                "limit": .int(Int64(ReadQueue.waitingLimit)),
            ],
        ]
    }

    /// The files of the database and the room on their disk; nothing where nothing is in a file.
    private var database: Value.Object {
        guard case .file(let path) = engine.configuration.store else {
            return ["path": .string(engine.configuration.databaseDescription)]
        }
        var object: Value.Object = ["path": .string(path)]
        for (name, suffix) in [("bytes", ""), ("walBytes", "-wal")] {
            // A file that cannot be looked at is left out.
            let attributes = try? FileManager.default.attributesOfItem(atPath: path + suffix)
            object[name] = (attributes?[.size] as? Int).map { .int(Int64($0)) }
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        // As above.
        let disk = try? FileManager.default.attributesOfFileSystem(forPath: folder)
        object["freeDiskBytes"] = (disk?[.systemFreeSize] as? NSNumber).map { .int($0.int64Value) }
        return object
    }

    /// What the process holds in memory; nil where the system does not tell.
    private var residentBytes: Int64? {
        let text = FileManager.default.contents(atPath: "/proc/self/statm").map {
            String(decoding: $0, as: UTF8.self)
        }
        let pages = text?.split(separator: " ").dropFirst().first.flatMap { Int64($0) }
        return pages.map { $0 * Int64(sysconf(Int32(_SC_PAGESIZE))) }
    }
}
