import HTTPTypes
import Hummingbird
import Nightjar
import NightjarBus
import NightjarSignals
import NightjarStore

/// Metrics over time.
struct MetricRoutes {
    let engine: Engine

    func add(to router: APIRouter) {
        router.get("/api/metrics/query", .queryMetric) { request, _ in
            let query = try MetricQuery(request.uri.queryParameters)
            do {
                guard let answer = try await engine.metric(query) else { throw Problem.nothingStored }
                return Response.json(answer.json)
            } catch let error as MetricQueryError {
                throw Problem(error.isUnknownMetric ? .notFound : .badRequest, error.description)
            } catch let error as StoreError where error.code == .timeout {
                throw Problem(.serviceUnavailable, error.detail)
            }
        }
    }
}

extension MetricQuery {
    private static let filterPrefix = "filter."

    /// Reads the parameters of `GET /api/metrics/query`; one that is not known or not valid is refused by name.
    init(_ parameters: some Sequence<(key: Substring, value: Substring)>) throws {
        self.init(name: "", aggregation: .sum)
        var hasAggregation = false
        for (key, value) in parameters {
            if key == "agg" { hasAggregation = true }
            try set(String(key), String(value))
        }
        guard !name.isEmpty else { throw Problem(.badRequest, "name is missing: the metric to query") }
        guard hasAggregation else {
            throw Problem(.badRequest, "agg is missing; use one of \(Self.aggregations)")
        }
    }

    private mutating func set(_ key: String, _ value: String) throws {
        switch key {
        case "name": name = value
        case "agg":
            guard let known = MetricAggregation(rawValue: value) else {
                throw Problem(.badRequest, "agg \(value) is not known; use one of \(Self.aggregations)")
            }
            aggregation = known
        case "groupBy":
            for label in value.split(separator: ",").map(String.init) where !groupBy.contains(label) {
                groupBy.append(label)
            }
        case "from": from = try Timestamp(parameter: key, value)
        case "to": to = try Timestamp(parameter: key, value)
        case "step": stepSeconds = try Self.step(value)
        case "compare":
            guard ["previous", "none"].contains(value) else {
                throw Problem(.badRequest, "compare must be previous or none")
            }
            compares = value == "previous"
        case "limit":
            guard let number = Int(value), (1...Self.largestGroupLimit).contains(number) else {
                throw Problem(.badRequest, "limit must be a number from 1 to \(Self.largestGroupLimit)")
            }
            groupLimit = number
        default:
            guard key.hasPrefix(Self.filterPrefix), key.count > Self.filterPrefix.count else {
                throw Problem(
                    .badRequest,
                    "\(key) is no parameter of a query; labels are filtered by \(Self.filterPrefix)LABEL"
                )
            }
            filters[String(key.dropFirst(Self.filterPrefix.count)), default: []].insert(value)
        }
    }

    private static let aggregations = MetricAggregation.allCases.map(\.rawValue).joined(separator: ", ")

    /// Whole seconds, or a duration as configuration writes it.
    private static func step(_ value: String) throws -> Int {
        if let seconds = Int(value) { return seconds }
        guard let duration = Duration(written: value), duration.components.attoseconds == 0 else {
            throw Problem(.badRequest, "step \(value) is no duration; write 10s, 5m, 1h or 1d")
        }
        return Int(duration.components.seconds)
    }
}
