import ArgumentParser
import Foundation
import Nightjar
import NightjarBus
import NightjarPlugins
import NightjarSignals

/// `nightjar score`.
struct ScoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score",
        abstract: "Run the scorers of a plugin over stored traces.",
        discussion: """
            Without --dry-run, --compare or --against the scores are written, as if the plugin had run when the traces came; \
            they are not counted in metrics. Ctrl-C ends it: the same command goes on where it stopped, and run again it \
            writes nothing twice. How far it got is kept in a small file beside the database (FILE.backfill-NAME.json), with \
            --server in this folder; it goes when the backfill is done.
            """
    )

    /// What verdicts are measured against.
    enum Measure: String, ExpressibleByArgument, CaseIterable {
        /// What people said of the traces.
        case feedback
    }

    @Argument(help: "The plugin file (NAME.lua); of its rules only the scorers run.")
    var script: String

    @OptionGroup var stored: StoredOptions

    @Option(help: "Only traces that match: a table as in a scorer's match, or JSON.")
    var match: String?

    @Flag(help: "Print the distribution of the scores and examples; write nothing.")
    var dryRun = false

    @Option(help: "Set another version of the plugin beside it; write nothing.")
    var compare: String?

    @Option(help: "Measure the scores against the feedback of people; write nothing.")
    var against: Measure?

    @Flag(help: "Leave out traces that every scorer of this version has scored.")
    var missing = false

    @Option(help: "Take back what a version of the plugin wrote (1.2.0, NAME@1.2.0 or its content's hash).")
    var undo: String?

    @Option(help: "Keep the progress of a backfill in this file.")
    var progress: String?

    @Flag(help: "Print one JSON object a line instead of tables.")
    var json = false

    @Flag(help: "Show no progress.")
    var quiet = false

    func run() throws {
        try check()
        let side = try RunSide([script])
        let names = Set([script, compare].compactMap(\.self).map(pluginName))
        let place = try ScorePlace(stored, without: names, writes: undo != nil || !isMeasuring)
        let scorers = try scorers(side, script, place)
        if let undo { return try takeBack(scorers.version(undo), place) }
        if isMeasuring { return try measure(scorers, place) }
        try backfill(scorers, place)
    }

    private var isMeasuring: Bool { dryRun || compare != nil || against != nil }

    private func check() throws {
        let fault: String? =
            if (stored.db == nil) == (stored.server == nil) {
                "say where the traces are: give --db FILE or --server URL"
            } else if undo != nil, isMeasuring || missing || match != nil {
                "--undo goes with --db or --server alone"
            } else {
                nil
            }
        guard let fault else { return }
        complain(fault)
        throw Outcome.usage
    }

    private func pluginName(_ path: String) -> String {
        let base = path.split(separator: "/").last.map(String.init) ?? path
        return base.hasSuffix(".lua") ? String(base.dropLast(4)) : base
    }

    private func scorers(_ side: RunSide, _ script: String, _ place: ScorePlace) throws -> ScorerRun {
        guard let plugins = side.plugins, !plugins.current.scorers.isEmpty else {
            complain(
                "\(script) declares no scorer; write nightjar.scorer(NAME, { on = \"trace_ended\" }, ...)"
            )
            throw Outcome.failed
        }
        return try place.run(plugins, side.registry)
    }

    private func scoring(_ place: ScorePlace, _ interrupt: Interrupt, _ bar: ProgressBar) throws
        -> StoredScoring
    {
        var scoring = StoredScoring(place.source)
        scoring.missingOnly = missing
        scoring.isStopped = { interrupt.isStopped }
        scoring.progress = { bar.show($0, of: $1) }
        guard let match else { return scoring }
        do throws(PluginFault) {
            scoring.filter = try TraceFilter(match)
            return scoring
        } catch {
            complain("--match: \(error.detail)")
            throw Outcome.usage
        }
    }

    // MARK: - Measuring

    private func measure(_ scorers: ScorerRun, _ place: ScorePlace) throws {
        let bar = ProgressBar("traces", isQuiet: quiet)
        let other = try compare.map { try self.scorers(try RunSide([$0]), $0, place) }
        let runs = [scorers] + [other].compactMap(\.self)
        let scoring = try scoring(place, Interrupt(), bar)
        var verdicts = runs.map { _ in [Verdict]() }
        var pairs = FeedbackPairs()
        let window = try stored.window(limit: StoredWindow.usualLimit)
        let outcome = try told(bar) {
            try scoring.run(window, by: runs) { index, trace, _ in
                let said = trace.scores.compactMap(Verdict.init)
                verdicts[index] += said
                tellLogs(runs[index], bar)
                guard index == 0 else { return }
                pairs.add(said, trace.feedback)
                if json, dryRun {
                    print(trace.scores.map { ScoreReport.line("score", $0.json) }.joined(), terminator: "")
                }
            }
        }
        bar.clear()
        let report = ScoreReport(scorers.scorers, outcome: outcome)
        print(json ? "" : report.heading, terminator: "")
        if dryRun || (compare == nil && against == nil) {
            let summaries = report.summaries(verdicts[0])
            print(json ? report.jsonLines(summaries) : report.tables(summaries), terminator: "")
        }
        if let other, verdicts.count == 2 {
            let comparisons = report.comparisons(old: verdicts[1], of: other.scorers, new: verdicts[0])
            print(json ? report.jsonLines(comparisons) : report.tables(comparisons), terminator: "")
        }
        if against != nil {
            print(json ? report.jsonLines(pairs.agreements) : report.tables(pairs), terminator: "")
        }
        try conclude(outcome, runs)
    }

    // MARK: - Writing

    /// More than there ever are.
    private static let allTraces = 1_000_000_000

    private func backfill(_ scorers: ScorerRun, _ place: ScorePlace) throws {
        let bar = ProgressBar("traces", isQuiet: quiet)
        let interrupt = Interrupt()
        let scoring = try scoring(place, interrupt, bar)
        var window = try stored.window(limit: Self.allTraces)
        // What comes from now on is scored when it comes, or by the next backfill.
        window.to = SystemClock().now()
        let outcome = try told(bar) {
            try place.writing { sink in
                try Backfill(into: sink, markerFile: markerFile(scorers))
                    .run(scoring, window, by: scorers, task: task(scorers))
            }
        }
        bar.clear()
        tellLogs(scorers, bar)
        let report = ScoreReport(scorers.scorers, outcome: outcome)
        print(json ? report.backfillLine : report.backfill, terminator: "")
        try conclude(outcome, [scorers], "; the same command goes on")
    }

    /// What has to be the same for a backfill to go on.
    private func task(_ scorers: ScorerRun) -> Value {
        var task = Value.Object()
        task["plugin"] = scorers.scorers.first.map { .string($0.signature) }
        task["hash"] = scorers.scorers.first.map { .string($0.hash) }
        task["traces"] = (stored.db ?? stored.server).map(Value.string)
        task["since"] = stored.since.map(Value.string)
        task["limit"] = stored.limit.map { .int(Int64($0)) }
        task["match"] = match.map(Value.string)
        task["missing"] = .bool(missing)
        return .object(task)
    }

    private func markerFile(_ scorers: ScorerRun) -> String {
        let name = scorers.scorers.first?.plugin ?? ""
        return progress ?? stored.db.map { "\($0).backfill-\(name).json" } ?? "nightjar.backfill-\(name).json"
    }

    private func takeBack(_ version: ScoreVersion, _ place: ScorePlace) throws {
        let count = try told(nil) { try place.writing { try $0.undo(version) } }
        if json {
            let undo: Value = [
                "deleted": .int(Int64(count.deleted)), "restored": .int(Int64(count.restored)),
                "forgotten": .int(Int64(count.forgotten)),
            ]
            return print(ScoreReport.line("undo", undo), terminator: "")
        }
        print(
            "\(count.deleted) scores of \(version.plugin) deleted, \(count.restored) set back to what they were before"
        )
        if count.forgotten > 0 { print("\(count.forgotten) that had been replaced since left the history") }
    }

    // MARK: - Ends

    /// What the body gives; what goes wrong in it is told in one line.
    private func told<Result>(_ bar: ProgressBar?, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let code as ExitCode {
            bar?.clear()
            throw code
        } catch {
            bar?.clear()
            complain("\(error)")
            throw Outcome.environment
        }
    }

    private func tellLogs(_ run: ScorerRun, _ bar: ProgressBar) {
        let logs = run.takeLogs()
        guard !logs.isEmpty, !json else { return }
        bar.clear()
        for log in logs { complain("\(log.level.name): \(log.message)") }
    }

    /// Tells what was left out and what failed; `cure` is what helps where it was stopped.
    private func conclude(_ outcome: ScoringOutcome, _ runs: [ScorerRun], _ cure: String = "") throws {
        if outcome.isCut {
            complain("only the newest \(outcome.traces) traces were looked at; --limit takes more")
        }
        for fault in outcome.faults { complain(fault) }
        let calls = runs.map(\.calls)
        let failed = calls.reduce(0) { $0 + $1.failed }
        if failed > 0 {
            complain("\(failed) of \(calls.reduce(0) { $0 + $1.all }) calls of scorers failed")
        }
        let full = runs.filter(\.isExhausted)
        for run in full { complain("\(run.scorers[0].plugin): what it keeps fills its memory") }
        if !outcome.isFinished {
            let done = outcome.resumed + outcome.looked + outcome.leftOut
            complain("stopped after \(done) of \(outcome.traces) traces\(full.isEmpty ? cure : "")")
        }
        if failed > 0 || !outcome.faults.isEmpty || !outcome.isFinished { throw Outcome.failed }
    }
}
