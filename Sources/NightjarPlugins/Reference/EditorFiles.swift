import NightjarSignals

/// The files that an editor needs to know what plugins can use.
package enum EditorFiles {
    /// Where the definitions lie, from the plugins folder; the loader passes over names that begin with a dot.
    package static let definitions = ".nightjar/nightjar.lua"
    /// Where the language server looks for its settings, from the folder that is open in the editor.
    package static let luarc = ".luarc.json"

    /// The settings of the Lua language server: Lua 5.4 with what the sandbox leaves of it, and the definitions. The first line is
    /// a comment, which that file may have, and holds the hash of the rest.
    package static let luarcText: String = {
        let missing = ["basic", "debug", "io", "os", "package"]
        let settings: Value = [
            "runtime.version": "Lua 5.4",
            // The definitions have what is left of these.
            "runtime.builtin": .object(
                missing.reduce(into: Value.Object()) { $0[$1] = "disable" }
            ),
            "runtime.path": ["?.lua", "?/init.lua"],
            "workspace.library": [".nightjar"],
            "workspace.checkThirdParty": false,
        ]
        let body = indented(settings)
        return mark(body) + body
    }()

    /// Whether a file is as `nightjar types` wrote it, of this or another version, and nobody has changed it since.
    package static func isOwn(_ luarc: String) -> Bool {
        guard let end = luarc.firstIndex(of: "\n") else { return false }
        let body = String(luarc[luarc.index(after: end)...])
        return luarc == mark(body) + body
    }

    private static func mark(_ body: String) -> String {
        "// Written by nightjar types (\(sha256(Array(body.utf8)).prefix(12))). Change it, and it is yours.\n"
    }

    private static func indented(_ settings: Value) -> String {
        let members = settings.object?.entries ?? []
        let lines = members.map { "  \(Value.string($0.key).json): \($0.value.json)" }
        return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
    }
}
