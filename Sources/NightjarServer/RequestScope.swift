import Hummingbird
import NightjarSignals
import NightjarStore
import Synchronization

/// What the handling of one request may use of what all share, known to everything that handles it. Safe to use from any thread.
final class RequestScope: ReadClient {
    /// That of the request which is being handled.
    static var current: RequestScope? { ReadWatch.client as? RequestScope }

    /// The most bytes of an inflated body.
    let inflatedBytes: Int
    let load: ServerLoad
    private let presence: ClientPresence?
    private let number: Int
    private let taken = Mutex(0)

    init(load: ServerLoad, inflatedBytes: Int) {
        (self.load, self.inflatedBytes) = (load, inflatedBytes)
        presence = ClientPresence.current
        number = presence?.begin() ?? 0
    }

    /// Whether the body was thrown away for lack of room.
    var isBodyRefused: Bool { presence?.isRefused(number) ?? false }

    /// The body, where it came as a whole; given once.
    func takeBody() -> Payload? { presence?.takeBody(of: number) }

    /// Whether nobody waits for the answer any more.
    var isAbandoned: Bool { presence?.isGone ?? false }

    /// Takes room for bytes that a body grew by when it was inflated; false where there is none.
    func grow(by bytes: Int) -> Bool {
        guard let presence else { return true }
        guard presence.bodies.grow(by: bytes) else {
            load.refuse(.bodies)
            return false
        }
        taken.withLock { $0 += bytes }
        return true
    }

    /// The request is answered.
    func end() {
        presence?.bodies.shrink(by: taken.withLock { $0 })
    }
}

/// Gives each request its scope.
struct ScopeMiddleware: RouterMiddleware {
    let load: ServerLoad
    let inflatedBytes: Int

    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        let scope = RequestScope(load: load, inflatedBytes: inflatedBytes)
        defer { scope.end() }
        // One value for both: two of them nested, in one function, end in a crash where the compiler has optimised it.
        return try await ReadWatch.$client.withValue(scope) { try await next(request, context) }
    }
}

/// Bounds what a body of JSON becomes in memory.
enum JSONBounds {
    /// A tree takes some 100 bytes a value: 10,000 events of 50 values each, in 50 MB.
    private static let values = 500_000

    /// - Throws: ``Problem`` 413 for more values than that, told by the punctuation outside of texts.
    static func check(_ bytes: UnsafeRawBufferPointer) throws {
        var count = 0
        var isText = false
        var isEscaped = false
        for byte in bytes {
            if isText {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isText = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isText = true
            case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "{"): count += 1
            default: break
            }
        }
        guard count <= values else {
            throw Problem(
                .contentTooLarge,
                "the body has \(count) values, at most \(values) fit; send several requests"
            )
        }
    }
}
