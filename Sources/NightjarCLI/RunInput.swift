import ArgumentParser
import Foundation
import Nightjar
import NightjarBus
import NightjarPlugins
import NightjarSignals

/// Plugins that run over the same events as others, with metrics of their own.
struct RunSide {
    let registry = MetricRegistry()
    /// The plugins; nil where only the built-in extraction runs.
    let plugins: PluginSetSource?
    let names: Set<String>

    /// Loads scripts.
    /// - Throws: ``Outcome/failed`` after every fault has been told.
    init(_ scripts: [String]) throws {
        plugins =
            scripts.isEmpty
            ? nil : try PluginFiles.load(scripts, registry: registry, print: { complain($0.text) }).set
        names = Set(plugins?.current.names ?? [])
    }
}

/// Where the events of a run come from; they can be played again and again.
struct RunInput {
    private enum Source {
        case bodies([(path: String, read: Data?)])
        case database(StoredEvents)
        case server(TraceServer)
    }

    private let source: Source
    private let stored: StoredOptions
    private let isQuiet: Bool
    /// Ctrl-C where it does not simply end the process.
    let interrupt: Interrupt?

    /// What a command names; whatever can only be read once is read now.
    init(_ command: RunCommand) throws {
        (stored, isQuiet) = (command.stored, command.quiet)
        if let events = try stored.database() {
            source = .database(events)
        } else if let server = try stored.traceServer() {
            source = .server(server)
        } else {
            source = .bodies(
                try command.input.flatMap(Self.files).map { path in
                    (path, path == "-" ? FileHandle.standardInput.readDataToEndOfFile() : nil)
                }
            )
        }
        interrupt = command.watch ? Interrupt() : nil
    }

    /// Plays the events into a run for each side, and ends the runs.
    func play(
        for sides: [RunSide],
        keeping observations: RecordedRun.KeptObservations
    ) throws -> [RecordedRun] {
        var settings = RecordedRun.Settings()
        settings.observations = observations
        let names = sides.reduce(into: Set<String>()) { $0.formUnion($1.names) }
        let clock = StoredClock()
        switch source {
        case .bodies(let bodies):
            let runs = try sides.map { try $0.run(settings, SystemClock()) }
            for body in bodies { try add(body, to: runs) }
            for run in runs { run.finish() }
            return runs
        case .database(let events):
            settings.stored = events.lookups(without: names)
            settings.recalls = true
            let runs = try sides.map { try $0.run(settings, clock) }
            try replay(events, into: runs, clock, without: names)
            for run in runs { run.finish() }
            return runs
        case .server(let server):
            let fetched = FetchedTraces(without: names)
            server.fetched = fetched
            settings.stored = fetched
            let runs = try sides.map { try $0.run(settings, clock) }
            try replay(server, into: runs, clock, without: names)
            return runs
        }
    }

    // MARK: - What is stored

    private func replay(
        _ events: StoredEvents,
        into runs: [RecordedRun],
        _ clock: StoredClock,
        without plugins: Set<String>
    ) throws {
        let window = try stored.window(limit: StoredWindow.usualLimit)
        let bar = ProgressBar("events", isQuiet: isQuiet)
        let outcome: ReplayOutcome
        do throws(EngineError) {
            outcome = try events.replay(
                window,
                into: runs,
                clock: clock,
                without: plugins,
                isStopped: { interrupt?.isStopped ?? false },
                progress: { bar.show($0, of: $1) }
            )
        } catch {
            bar.clear()
            complain(error.detail)
            throw Outcome.environment
        }
        bar.clear()
        for fault in outcome.faults { complain(fault) }
        if outcome.isCut { sayIsCut(outcome.traces) }
    }

    private func replay(
        _ server: TraceServer,
        into runs: [RecordedRun],
        _ clock: StoredClock,
        without plugins: Set<String>
    ) throws {
        let (traces, isCut) = try server.list(try stored.window(limit: StoredWindow.usualLimit))
        let targets = traces.map(\.target).sorted(by: ScoringTarget.isBefore)
        let bar = ProgressBar("traces", isQuiet: isQuiet)
        defer { bar.clear() }
        for (place, target) in targets.enumerated() where interrupt?.isStopped != true {
            guard let trace = try server.trace(target) else { continue }
            clock.turn(to: target.receivedAt)
            for run in runs {
                run.advance()
                do throws(RecordedRun.InputFault) {
                    try run.add(trace, without: plugins)
                } catch {
                    complain(error.description)
                }
            }
            bar.show(place + 1, of: targets.count)
        }
        bar.clear()
        if isCut { sayIsCut(targets.count) }
    }

    private func sayIsCut(_ count: Int) {
        complain("only the newest \(count) traces were read; --limit takes more, --since fewer")
    }

    // MARK: - Files

    private static func files(_ path: String) throws -> [String] {
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
    private static func recordedNames(_ folder: String) -> [String]? {
        // Another file of that name says nothing about bodies: then the names alone decide.
        guard let data = FileManager.default.contents(atPath: "\(folder)/meta.json"),
            let meta = try? Value(jsonBytes: Array(data)),
            let requests = meta["requests"]?.array
        else { return nil }
        return requests.filter { $0["signal"] == "traces" }.compactMap { $0["file"]?.string }
    }

    private func add(_ body: (path: String, read: Data?), to runs: [RecordedRun]) throws {
        guard let data = body.read ?? FileManager.default.contents(atPath: body.path) else {
            complain("\(body.path) cannot be read; is it there?")
            throw Outcome.environment
        }
        for run in runs {
            do throws(RecordedRun.InputFault) {
                try run.add(Array(data))
            } catch {
                complain("\(body.path): not an OTLP body of traces: \(error)")
                throw Outcome.failed
            }
        }
    }
}

extension RunSide {
    /// A run of the side's plugins.
    fileprivate func run(
        _ settings: RecordedRun.Settings,
        _ clock: any PipelineClock
    ) throws -> RecordedRun {
        try RecordedRun(plugins: plugins, registry: registry, clock: clock, settings: settings) {
            complain($0)
        }
    }
}
