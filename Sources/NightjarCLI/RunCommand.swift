import ArgumentParser
import Foundation
import Nightjar
import NightjarBus
import NightjarPlugins
import NightjarSignals

/// `nightjar run`.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run plugins over recorded or stored events; nothing is stored.",
        discussion: """
            Prints what the plugins emit. Without a script it prints what the built-in metrics make of the events. They come \
            from one of:
              --input   bodies of OTLP/HTTP requests (protobuf or JSON, gzip or not) or events as JSON lines; a folder means \
            all of them in the order of their names, - standard input
              --db      the traces of a database file with their logs, scores and feedback, in the order of receipt
              --server  the traces of a running server, one after the other
            What the plugins named said when they ran live is left out: they say it anew.
            """
    )

    @Argument(help: "Plugin files (NAME.lua).")
    var scripts: [String] = []

    @Option(help: "A recorded body, or a folder of them; may be given several times.")
    var input: [String] = []

    @OptionGroup var stored: StoredOptions

    @Option(help: "Run another version too, and print what differs in metrics and scores.")
    var compare: String?

    @Flag(help: "Run again whenever a script or one of its data files is saved; Ctrl-C ends it.")
    var watch = false

    @Flag(help: "Print one JSON event a line instead of tables.")
    var json = false

    @Flag(help: "Show no progress.")
    var quiet = false

    func run() throws {
        try check()
        let input = try RunInput(self)
        guard watch else { return try once(input).done() }
        try follow(input)
    }

    private func check() throws {
        let sources = [!input.isEmpty, stored.db != nil, stored.server != nil].count { $0 }
        let fault: String? =
            if sources == 0 {
                "nothing to run over: give --input FILE with a recorded OTLP body, --db FILE or --server URL"
            } else if sources > 1 {
                "give one of --input, --db and --server"
            } else if scripts.isEmpty, watch || compare != nil {
                "give the script that is to be \(watch ? "watched" : "compared")"
            } else if stored.since != nil, stored.db == nil, stored.server == nil {
                "--since is for --db and --server"
            } else {
                nil
            }
        guard let fault else { return }
        complain(fault)
        throw Outcome.usage
    }

    /// What one run left: the plugins that ran, for whoever watches their files, and whether it went well.
    private struct Ran {
        let sets: [PluginSetSource]
        let failure: ExitCode?

        func done() throws {
            if let failure { throw failure }
        }
    }

    /// Runs the newest versions of the scripts, and prints.
    private func once(_ input: RunInput) throws -> Ran {
        var sides: [RunSide] = []
        do {
            if let compare { sides.append(try RunSide([compare])) }
            sides.append(try RunSide(scripts))
        } catch let failure as ExitCode {
            return Ran(sets: sides.compactMap(\.plugins), failure: failure)
        }
        let runs = try input.play(for: sides, keeping: keptObservations)
        if compare != nil, runs.count == 2 {
            let difference = RunDifference(RunComparison(old: runs[0], new: runs[1]))
            print(json ? difference.jsonLines : difference.tables, terminator: "")
        } else if let run = runs.last {
            let report = RunReport(run: run, showsBuiltIn: scripts.isEmpty)
            print(json ? report.jsonLines : report.tables, terminator: "")
        }
        return Ran(sets: sides.compactMap(\.plugins), failure: nil)
    }

    /// Only lines show each observation; there may be very many.
    private var keptObservations: RecordedRun.KeptObservations {
        guard json, compare == nil else { return .none }
        return scripts.isEmpty ? .all : .ofPlugins
    }

    /// Runs again after each save, until Ctrl-C.
    private func follow(_ input: RunInput) throws {
        let saved = DispatchSemaphore(value: 0)
        let watched = ScriptWatch(scripts + [compare].compactMap(\.self))
        input.interrupt?.wake(saved)
        watched.start { saved.signal() }
        defer { watched.stop() }
        while input.interrupt?.isStopped == false {
            let began = ContinuousClock.now
            watched.follow(try once(input).sets)
            separate(ContinuousClock.now - began)
            saved.wait()
            // Saves during a run are one reason for the next.
            while saved.wait(timeout: .now()) == .success {}
        }
    }

    /// Between runs: not among the JSON lines.
    private func separate(_ time: Duration) {
        let seconds = Double(time.nanoseconds / 1_000_000) / 1000
        let line = "--- ran in \(seconds) s; runs again when a script is saved, Ctrl-C ends it\n"
        if json { FileHandle.standardError.write(Data(line.utf8)) } else { print(line, terminator: "") }
        fflush(nil)
    }
}
