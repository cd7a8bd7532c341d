import ArgumentParser
import Foundation
import NightjarPlugins

/// `nightjar types`.
struct TypesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "types",
        abstract: "Write what an editor needs to complete and check plugins.",
        discussion: """
            Writes the definitions for the Lua language server (.nightjar/nightjar.lua) and its settings (.luarc.json) into the \
            folder of plugins. Settings that are yours are left alone. Open that folder in the editor.
            """
    )

    @Argument(help: "The folder of plugins.")
    var folder = "plugins"

    @Flag(help: "Print the reference page as Markdown instead.")
    var reference = false

    func run() throws {
        if reference {
            print(PluginReference.markdown, terminator: "")
            return
        }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue
        else {
            complain("\(folder) is not there; give the folder of plugins")
            throw Outcome.environment
        }
        let definitions = "\(folder)/\(EditorFiles.definitions)"
        try write(LuaDefinitions.text, to: definitions)
        print("written: \(definitions)")
        let luarc = "\(folder)/\(EditorFiles.luarc)"
        guard isFree(luarc) else {
            complain(
                "\(luarc) is yours and stays as it is; "
                    + "let workspace.library have \"\((EditorFiles.definitions as NSString).deletingLastPathComponent)\""
            )
            return
        }
        try write(EditorFiles.luarcText, to: luarc)
        print("written: \(luarc)")
    }

    /// Whether nothing is lost when the settings are written: there are none, or they are as they were written here.
    private func isFree(_ path: String) -> Bool {
        // Also a link that leads nowhere is something that someone put there.
        guard (try? FileManager.default.attributesOfItem(atPath: path)) != nil else { return true }
        guard let data = FileManager.default.contents(atPath: path) else { return false }
        return EditorFiles.isOwn(String(decoding: data, as: UTF8.self))
    }

    private func write(_ text: String, to path: String) throws {
        let file = URL(fileURLWithPath: path)
        do {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try Data(text.utf8).write(to: file, options: .atomic)
        } catch {
            complain("\(path) cannot be written: \(error.localizedDescription)")
            throw Outcome.environment
        }
    }
}
