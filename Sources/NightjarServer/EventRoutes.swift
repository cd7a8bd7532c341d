import HTTPTypes
import Hummingbird
import Nightjar
import NightjarSignals
import NightjarStore

/// `POST /api/events`: events of every kind as the JSON exporter writes them, JSON lines or one array, all or nothing.
struct EventRoutes {
    /// More in one request are refused.
    private static let eventLimit = 10_000

    let engine: Engine
    let bodyBytes: Int

    func add(to router: APIRouter) {
        router.post("/api/events", .takeEvents) { request, _ in
            let body = try await request.wholeBody(upTo: bodyBytes)
            let values = try withExtendedLifetime(body) {
                try JSONBounds.check(body.bytes)
                return try Self.values(Array(body.bytes))
            }
            let events = try events(values)
            let outcome: EventOutcome
            do throws(EngineError) {
                outcome = try await engine.ingest(events)
            } catch {
                throw Problem(error)
            }
            return Response.json(outcome.json, status: outcome.status)
        }
    }

    /// The elements of an array, or the lines that are not empty; each with its place.
    private static func values(_ bytes: [UInt8]) throws -> [(place: String, value: Value)] {
        let isArray = bytes.first { !isSpace($0) } == UInt8(ascii: "[")
        let values: [(place: String, value: Value)]
        if isArray {
            values =
                try parsed(bytes, "the body").array?.enumerated().map { ("[\($0.offset)]", $0.element) } ?? []
        } else {
            let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            values = try lines.enumerated().filter { !$0.element.allSatisfy(isSpace) }.map { number, line in
                ("line \(number + 1)", try parsed(Array(line), "line \(number + 1)"))
            }
        }
        guard values.count <= eventLimit else {
            throw Problem(
                .contentTooLarge,
                "\(values.count) events, at most \(eventLimit) fit; send several requests"
            )
        }
        return values
    }

    private static func parsed(_ bytes: [UInt8], _ place: String) throws -> Value {
        do throws(JSONError) {
            return try Value(jsonBytes: bytes)
        } catch {
            throw Problem(.badRequest, "\(place) is not JSON: \(error)")
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// - Throws: ``Problem`` with every fault of every event.
    private func events(_ values: [(place: String, value: Value)]) throws -> [SignalEvent] {
        var events: [SignalEvent] = []
        var faults: [InputError] = []
        let now = engine.now
        for (place, value) in values {
            do throws(InputErrors) {
                events.append(try SignalEvent(json: value, now: now, path: place))
            } catch {
                faults += error.errors
            }
        }
        guard faults.isEmpty else { throw Problem(InputErrors(faults)) }
        return events
    }
}

extension EventOutcome {
    /// 202 if an annotation waits for its trace, else 200.
    fileprivate var status: HTTPResponse.Status {
        (scores + feedback).contains { $0.pending } ? .accepted : .ok
    }

    fileprivate var json: Value {
        var object: Value.Object = ["accepted": .int(Int64(accepted)), "ignored": .int(Int64(ignored))]
        if !scores.isEmpty { object["scores"] = .array(scores.map(\.json)) }
        if !feedback.isEmpty { object["feedback"] = .array(feedback.map(\.json)) }
        return .object(object)
    }
}
