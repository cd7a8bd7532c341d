import ArgumentParser
import Foundation
import Logging
import Nightjar
import NightjarBus
import NightjarPlugins
import NightjarSignals

/// `nightjar run`.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run plugins over recorded events, with no server.",
        discussion: """
            Reads bodies of OTLP/HTTP requests as files (protobuf or JSON, gzip or not; a folder means all of them in the order \
            of their names; - means standard input) and prints what the plugins emit. Without a script it prints what the \
            built-in metrics make of them.
            """
    )

    @Argument(help: "Plugin files (NAME.lua).")
    var scripts: [String] = []

    @Option(help: "A recorded body, or a folder of them; may be given several times.")
    var input: [String] = []

    @Flag(help: "Print one JSON event a line instead of tables.")
    var json = false

    func run() throws {
        guard !input.isEmpty else {
            complain("nothing to run over: give --input FILE, with a recorded OTLP body")
            throw Outcome.usage
        }
        let registry = MetricRegistry()
        let plugins =
            scripts.isEmpty
            ? nil : try PluginFiles.load(scripts, registry: registry, print: { complain($0.text) }).set
        let run = try RecordedRun(plugins: plugins, registry: registry) { complain($0) }
        for path in try input.flatMap(files) { try add(path, to: run) }
        run.finish()
        let report = RunReport(run: run, showsBuiltIn: scripts.isEmpty)
        print(json ? report.jsonLines : report.tables, terminator: "")
    }

    private func files(_ path: String) throws -> [String] {
        var isFolder: ObjCBool = false
        guard path != "-", FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
            isFolder.boolValue
        else { return [path] }
        let names =
            try recordedNames(path) ?? (FileManager.default.contentsOfDirectory(atPath: path).sorted())
        let bodies = names.filter { name in
            [".pb", ".pb.gz", ".json.gz"].contains { name.hasSuffix($0) }
                || (name.hasSuffix(".json") && name.first?.isNumber == true)
        }
        guard !bodies.isEmpty else {
            complain("\(path) holds no recorded bodies; they are named like 001.pb, 001.pb.gz or 001.json")
            throw Outcome.usage
        }
        return bodies.map { "\(path)/\($0)" }
    }

    /// The bodies of traces that a recording's `meta.json` names, in the order sent; nil where there is none.
    private func recordedNames(_ folder: String) -> [String]? {
        // Another file of that name says nothing about bodies: then the names alone decide.
        guard let data = FileManager.default.contents(atPath: "\(folder)/meta.json"),
            let meta = try? Value(jsonBytes: Array(data)),
            let requests = meta["requests"]?.array
        else { return nil }
        return requests.filter { $0["signal"] == "traces" }.compactMap { $0["file"]?.string }
    }

    private func add(_ path: String, to run: RecordedRun) throws {
        let data: Data
        if path == "-" {
            data = FileHandle.standardInput.readDataToEndOfFile()
        } else if let read = FileManager.default.contents(atPath: path) {
            data = read
        } else {
            complain("\(path) cannot be read; is it there?")
            throw Outcome.environment
        }
        do throws(RecordedRun.InputFault) {
            try run.add(Array(data))
        } catch {
            complain("\(path): not an OTLP body of traces: \(error)")
            throw Outcome.failed
        }
    }
}
