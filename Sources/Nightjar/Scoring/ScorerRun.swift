package import NightjarBus
import NightjarOTLP
package import NightjarPlugins
package import NightjarSignals
package import NightjarStore

/// The scorers of one script over stored traces, one trace at a time. Nothing else of the script runs, and nothing that the
/// scorers emit but their scores goes anywhere. Belongs to one thread at a time, with a stack of 8 MiB or more.
package final class ScorerRun {
    /// The scorers.
    package let scorers: [ScorerOutline]
    private let plugins: PluginSetSource
    private let run: RecordedRun
    private let clock = StoredClock()

    /// The scorers of a script that was loaded with this registry. `stored` is where they find other traces.
    package init(
        _ plugins: PluginSetSource,
        registry: MetricRegistry,
        stored: (any StoredTraces)? = nil,
        warn: @escaping @Sendable (String) -> Void
    ) throws(MetricError) {
        self.plugins = plugins
        scorers = plugins.current.scorers
        var settings = RecordedRun.Settings()
        settings.observations = .none
        settings.onlyScorers = true
        settings.stored = stored
        run = try RecordedRun(
            plugins: plugins,
            registry: registry,
            clock: clock,
            settings: settings,
            warn: warn
        )
    }

    /// What the scorers say of a trace: of each id the last verdict, in the order given.
    /// - Throws: ``RecordedRun/InputFault`` where its spans cannot be read.
    package func scores(of trace: StoredTrace) throws(RecordedRun.InputFault) -> [Score] {
        clock.turn(to: trace.target.receivedAt)
        do {
            run.add(try trace.slabs())
        } catch {
            throw RecordedRun.InputFault(description: "trace \(trace.target.id): \(error)")
        }
        run.end(trace.target.id)
        var places: [String: Int] = [:]
        var scores: [Score] = []
        for score in run.takeScores() where isOurs(score) {
            if let place = places[score.id] {
                scores[place] = score
            } else {
                places[score.id] = scores.count
                scores.append(score)
            }
        }
        return scores
    }

    /// Whether each scorer has a verdict of this very version among some scores.
    package func isScored(in scores: [Score]) -> Bool {
        scorers.allSatisfy { scorer in
            scores.contains { $0.scorerName == scorer.name && isOurs($0) }
        }
    }

    /// Whether a score is of this very version.
    package func isOurs(_ score: Score) -> Bool {
        guard let scorer = scorers.first else { return false }
        return score.metadata["plugin"]?.string == scorer.signature
            && score.metadata["pluginHash"]?.string == scorer.hash
    }

    /// How many calls of scorers have failed, of how many.
    package var calls: (all: Int, failed: Int) {
        let scorers = Set(scorers.map(\.name))
        let rules = plugins.current.ruleStatus.filter { scorers.contains($0.name) }
        return (rules.reduce(0) { $0 + $1.calls }, rules.reduce(0) { $0 + $1.errors })
    }

    /// Whether what the script keeps fills its memory, so that it is not called any more.
    package var isExhausted: Bool { plugins.current.isExhausted }

    /// What the scorers printed and logged since the last call.
    package func takeLogs() -> [Log] { run.takeLogs() }

    /// The version that a user names for this script, as ``ScoreVersion`` has it.
    package func version(_ text: String) -> ScoreVersion {
        ScoreVersion(text, of: scorers.first?.plugin ?? "", scorers: scorers.map(\.name))
    }
}

extension Score {
    /// Whether two scores of one id say the same, by the same version: then there is nothing to write.
    package func saysTheSame(as other: Score) -> Bool {
        (score, label, reason, error) == (other.score, other.label, other.reason, other.error)
            && (scorerVersion, experiment) == (other.scorerVersion, other.experiment)
            && metadata["plugin"] == other.metadata["plugin"]
            && metadata["pluginHash"] == other.metadata["pluginHash"]
    }
}
