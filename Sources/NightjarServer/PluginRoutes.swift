import HTTPTypes
import Hummingbird
import Nightjar
import NightjarPlugins
import NightjarSignals

/// What there is to know about plugins, and control of them.
struct PluginRoutes {
    let engine: Engine
    /// Loads have a queue of their own: they take seconds, and reads must not wait for them.
    private let loads = ReadQueue()

    init(engine: Engine) { self.engine = engine }

    private static let controls:
        [(name: String, about: String, action: @Sendable (PluginHost, String) throws -> Void)] = [
            ("reload", "loads its file again", { try $0.reload($1) }),
            ("disable", "stops it, and keeps it stopped over a restart", { try $0.disable($1) }),
            ("enable", "runs it again", { try $0.enable($1) }),
            ("rollback", "goes back to the content before, and stays there", { try $0.rollBack($1) }),
        ]

    func add(to router: APIRouter) {
        router.get("/api/plugins", .listPlugins) { _, _ in
            Response.json(["plugins": .array(engine.plugins?.status.map(\.json) ?? [])])
        }
        router.get("/api/plugins/{name}/source", .getPluginSource) { request, context in
            try source(of: context.parameters.require("name"), accept: request.headers[.accept])
        }
        for control in Self.controls {
            router.post("/api/plugins/{name}/\(control.name)", .control(control.name, control.about)) {
                _,
                context in
                try await perform(control.action, on: context.parameters.require("name"))
            }
        }
    }

    private func source(of name: String, accept: String?) throws -> Response {
        let host = try host()
        guard let source = host.source(of: name) else {
            let isKnown = host.status.contains { $0.name == name }
            throw isKnown
                ? Problem(.notFound, "no version of plugin \(name) has loaded, so none runs")
                : Problem(PluginControlError.unknown(name))
        }
        guard Self.prefersText(accept) else { return .json(source.json) }
        return .bytes(source.text, type: "text/plain; charset=utf-8")
    }

    /// Does what was asked, on a thread that may block; the plugin as it is then.
    private func perform(
        _ action: @escaping @Sendable (PluginHost, String) throws -> Void,
        on name: String
    ) async throws -> Response {
        let host = try host()
        do {
            try await loads.run { try action(host, name) }
        } catch let error as PluginControlError {
            throw Problem(error)
        }
        // Its file may be gone by now.
        guard let status = host.status.first(where: { $0.name == name }) else {
            throw Problem(PluginControlError.unknown(name))
        }
        return .json(status.json)
    }

    private func host() throws -> PluginHost {
        guard let host = engine.plugins else {
            throw Problem(.notFound, "there are no plugins: the server runs without a folder of them")
        }
        return host
    }

    /// Whether a client would rather have text than JSON.
    private static func prefersText(_ accept: String?) -> Bool {
        var text = 0.0
        var json = 0.0
        for range in (accept ?? "*/*").lowercased().split(separator: ",") {
            let parts = range.split(separator: ";").map { $0.filter { !$0.isWhitespace } }
            let quality =
                parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            switch parts.first {
            case "text/plain", "text/*": text = max(text, quality)
            case "application/json", "application/*": json = max(json, quality)
            default: break
            }
        }
        return text > json
    }
}

extension Problem {
    /// Why a plugin cannot be controlled as asked.
    init(_ error: PluginControlError) {
        switch error {
        case .unknown: self.init(.notFound, error.description)
        case .noEarlierContent, .disabledByConfiguration: self.init(.conflict, error.description)
        case .fault(let fault):
            self.init(.unprocessableContent, error.description)
            if let place = fault.detail.prefixMatch(of: /[^:\s]+:\d+/) {
                let message = fault.detail[place.range.upperBound...].drop { $0 == ":" || $0 == " " }
                faults = [Fault(path: String(place.output), message: String(message))]
            }
        }
    }
}
