import Hummingbird
import Nightjar
import NightjarBus
import NightjarSignals
import NightjarStore

/// Scores that a program brings in for what was stored before, and takes back.
extension AnnotationRoutes {
    /// More in one request are refused.
    private static let scoreLimit = 1000

    /// `POST /api/scores?backfill=true`: whole scores as `GET /api/traces/{id}` gives them, with id, timestamp and target. They
    /// are stored as they are, all or none, and not counted; no rule and no exporter is told.
    func backfill(_ request: Request) async throws -> Response {
        let json = try await request.jsonBody(upTo: bodyBytes)
        let items = json.array ?? [json]
        guard items.count <= Self.scoreLimit else {
            throw Problem(
                .contentTooLarge,
                "\(items.count) scores, at most \(Self.scoreLimit) fit; send several requests"
            )
        }
        var scores: [Score] = []
        var faults: [InputError] = []
        for (place, item) in items.enumerated() {
            do throws(InputErrors) {
                let score = try Score(json: item, path: "[\(place)]")
                scores.append(score)
                guard score.traceID == nil, score.sessionID == nil else { continue }
                faults.append(
                    InputError(path: "[\(place)].traceId", message: "is required where no sessionId is given")
                )
            } catch {
                faults += error.errors
            }
        }
        guard faults.isEmpty else { throw Problem(InputErrors(faults)) }
        do throws(EngineError) {
            let receipts = try await engine.backfill(scores)
            return .json(["results": .array(receipts.map(\.json))])
        } catch {
            throw Problem(error)
        }
    }

    /// `POST /api/scores/undo`: takes back what a version of a plugin wrote; what it replaced holds again.
    func undo(_ request: Request) async throws -> Response {
        let json = try await request.jsonBody(upTo: bodyBytes)
        let named = json["scorers"]?.array ?? []
        let scorers = named.compactMap(\.string).filter { !$0.isEmpty }
        guard !scorers.isEmpty, scorers.count == named.count, let plugin = json["plugin"]?.string,
            !plugin.isEmpty
        else {
            throw Problem(.badRequest, "name the scorers as a list, and the plugin as NAME@VERSION")
        }
        guard engine.store != nil else { throw Problem.nothingStored }
        let given = json["hash"] ?? .null
        let hash = given.string ?? ""
        guard given == .null || given == "" || hash.utf8.count >= ScoreVersion.shortestHash else {
            throw Problem(.badRequest, "hash needs \(ScoreVersion.shortestHash) digits or more")
        }
        let count = try await engine.undo(ScoreVersion(scorers: scorers, plugin: plugin, hash: hash))
        return .json([
            "deleted": .int(Int64(count.deleted)), "restored": .int(Int64(count.restored)),
            "forgotten": .int(Int64(count.forgotten)),
        ])
    }
}
