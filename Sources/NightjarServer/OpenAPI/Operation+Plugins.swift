import HTTPTypes
import NightjarSignals

/// What is about plugins.
extension Operation {
    static let listPlugins = Operation(
        id: "listPlugins",
        group: "Plugins",
        about: "which plugins run, how they fare and what they cost",
        answers: [.json(Schema.object(["plugins": Schema.list(Schema.named("Plugin"))])), badParameter]
    )

    static let getPluginSource = Operation(
        id: "getPluginSource",
        group: "Plugins",
        about: "the text that runs",
        answers: [
            Answer(
                status: .ok,
                about: "as JSON, or the text alone where Accept prefers that",
                content: [("application/json", Schema.named("PluginSource")), ("text/plain", Schema.text)]
            ), badParameter, .problem(.notFound, "there is no such plugin, or no version of it has loaded"),
        ]
    )

    /// Reload, disable, enable or roll back.
    static func control(_ verb: String, _ about: String) -> Operation {
        Operation(
            id: "\(verb)Plugin",
            group: "Plugins",
            about: about,
            answers: [
                .json(Schema.named("Plugin"), .ok, "the plugin as it is now"), badParameter,
                .problem(.notFound, "there is no such plugin"),
                .problem(.conflict, "it cannot be done in the plugin's state"),
                .problem(.unprocessableContent, "the file does not load; `errors` names the line"),
                .problem(.serviceUnavailable, "too many loads wait"),
            ]
        )
    }
}
