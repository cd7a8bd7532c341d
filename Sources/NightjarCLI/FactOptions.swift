import ArgumentParser
import Foundation

/// The facts that lists of traces and live events are chosen by alike.
struct FactOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Of a service.", valueName: "name"))
    var service: [String] = []

    @Option(help: ArgumentHelp("Of an environment.", valueName: "name"))
    var environment: [String] = []

    @Option(help: ArgumentHelp("Of an agent.", valueName: "name"))
    var agent: [String] = []

    @Option(help: ArgumentHelp("Of a model.", valueName: "name"))
    var model: [String] = []

    @Option(help: ArgumentHelp("Of a tool.", valueName: "name"))
    var tool: [String] = []

    @Option(help: ArgumentHelp("Of a workflow.", valueName: "name"))
    var workflow: [String] = []

    @Option(help: ArgumentHelp("Of a user.", valueName: "id"))
    var user: [String] = []

    @Option(help: ArgumentHelp("Of a session.", valueName: "id"))
    var session: [String] = []

    @Option(help: ArgumentHelp("running, ok or error.", valueName: "status"))
    var status: [String] = []

    @Option(help: ArgumentHelp("Of a span type, like agent_run or tool_call.", valueName: "type"))
    var type: [String] = []

    @Option(help: ArgumentHelp("Of a name.", valueName: "name"))
    var name: [String] = []

    @Option(help: ArgumentHelp("Of a scorer.", valueName: "name"))
    var scorer: [String] = []

    /// The parameters of the server's API.
    var query: [URLQueryItem] {
        let facts = [
            ("service", service), ("environment", environment), ("agent", agent), ("model", model),
            ("tool", tool), ("workflow", workflow), ("user", user), ("session", session),
            ("status", status), ("type", type), ("name", name), ("scorer", scorer),
        ]
        return facts.flatMap { key, values in values.map { URLQueryItem(name: key, value: $0) } }
    }
}
