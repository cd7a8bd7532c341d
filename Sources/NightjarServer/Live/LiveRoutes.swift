import HTTPTypes
import Hummingbird
import NIOCore
import Nightjar

/// `GET /api/live`: events as they pass, as server-sent events.
struct LiveRoutes {
    /// Ends an answer in the middle: then its connection is closed.
    private struct Cut: Error {}

    /// Where an answer is written to.
    private struct Target: @unchecked Sendable {
        // Unchecked: one task uses it, while the one that made it waits for that one's end.
        let writer: any ResponseBodyWriter
    }

    let feed: LiveFeed
    let engine: Engine
    let settings: LiveSettings

    func add(to router: APIRouter) {
        router.get("/api/live", .watch) { request, _ in
            let filter = try LiveFilter(request.uri.queryParameters)
            let seat = try feed.join(filter, after: Self.lastID(of: request))
            return Response(
                status: .ok,
                headers: Self.headers,
                body: ResponseBody { writer in
                    // Also where the reader leaves or the server stops in the middle.
                    defer { seat.leave() }
                    try await serve(seat.reader, request, &writer)
                }
            )
        }
    }

    private static func lastID(of request: Request) -> String? {
        let name = HTTPField.Name("Last-Event-ID")
        return name.flatMap { request.headers[$0] }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private static var headers: HTTPFields {
        var headers: HTTPFields = [.contentType: "text/event-stream", .cacheControl: "no-cache"]
        // A proxy that gathers what it passes on would hold events back.
        if let buffering = HTTPField.Name("X-Accel-Buffering") { headers[buffering] = "no" }
        return headers
    }

    /// Writes until there is a last event, the reader leaves, or it takes its last event too slowly.
    private func serve(
        _ reader: LiveReader,
        _ request: Request,
        _ writer: inout any ResponseBodyWriter
    ) async throws {
        try await writer.write(ByteBuffer(string: "retry: 1000\n: live\n\n"))
        let target = Target(writer: writer)
        try await request.body.consumeWithCancellationOnInboundClose { _ in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await Self.write(reader, to: target.writer) }
                group.addTask {
                    while true {
                        // Cancelled with the group; time is what a heartbeat goes by.
                        try await Task.sleep(for: settings.heartbeat)
                        reader.beat()
                    }
                }
                group.addTask {
                    await reader.untilEnd()
                    // Cancelled when the last event is written before.
                    try await Task.sleep(for: settings.patience)
                    engine.live.drop(.stalled)
                    throw Cut()
                }
                try await group.next()
                group.cancelAll()
            }
        }
    }

    private static func write(_ reader: LiveReader, to writer: any ResponseBodyWriter) async throws {
        var writer = writer
        while let portion = await reader.next() {
            switch portion {
            case .nothing: continue
            case .bytes(let buffer): try await writer.write(buffer)
            case .last(let buffer):
                try await writer.write(buffer)
                return try await writer.finish(nil)
            }
        }
        throw Cut()
    }
}
