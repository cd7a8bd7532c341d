import ArgumentParser
import NightjarSignals

/// `nightjar scores`.
struct ScoresCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scores",
        abstract: "Give scores to what a running server stores.",
        subcommands: [Add.self]
    )

    /// `nightjar scores add`.
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add",
            abstract: "Add a score to a trace, a span of it, or a session.",
            discussion: "A trace that is not known yet may come later: the score is kept for it."
        )

        @Option(help: ArgumentHelp("Who judges.", valueName: "name"))
        var scorer: String

        @Option(parsing: .unconditional, help: ArgumentHelp("The verdict, a number.", valueName: "n"))
        var score: Double?

        @Option(help: ArgumentHelp("The verdict, a category.", valueName: "name"))
        var label: String?

        @Option(help: ArgumentHelp("Why.", valueName: "text"))
        var reason: String?

        @Option(help: ArgumentHelp("Why there is no verdict: the scorer failed.", valueName: "text"))
        var error: String?

        @Option(help: ArgumentHelp("The version of the scorer.", valueName: "version"))
        var scorerVersion: String?

        @Option(
            help: ArgumentHelp(
                "What kind of judge: \(ScoreInput.annotatorKinds.joined(separator: ", ")).",
                valueName: "kind"
            )
        )
        var annotatorKind: String?

        @OptionGroup var options: AnnotationOptions

        private static let names = [
            "scorerName": "--scorer", "score": "--score", "label": "--label", "reason": "--reason",
            "error": "--error", "scorerVersion": "--scorer-version", "annotatorKind": "--annotator-kind",
        ]

        func run() async throws {
            var object = try options.members()
            object["scorerName"] = .string(scorer)
            if let score, !score.isFinite {
                complain("--score must be a finite number")
                throw Outcome.usage
            }
            object["score"] = score.map(Value.double)
            for (key, value) in [
                ("label", label), ("reason", reason), ("error", error), ("scorerVersion", scorerVersion),
                ("annotatorKind", annotatorKind),
            ] {
                object[key] = value.map(Value.string)
            }
            let input = Value.object(object)
            try AnnotationOptions.checked(Self.names) { () throws(InputErrors) in
                _ = try [ScoreInput](json: input, needsTarget: true)
            }
            try await options.send(input, to: "api/scores", noun: "score")
        }
    }
}
