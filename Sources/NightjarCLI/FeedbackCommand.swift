import ArgumentParser
import NightjarSignals

/// `nightjar feedback`.
struct FeedbackCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "feedback",
        abstract: "Give feedback on what a running server stores.",
        subcommands: [Add.self]
    )

    /// `nightjar feedback add`.
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add",
            abstract: "Add feedback on a trace, a span of it, or a session.",
            discussion: "A trace that is not known yet may come later: the feedback is kept for it."
        )

        @Option(
            help: ArgumentHelp("Where it comes from: user, system, or a word of your own.", valueName: "name")
        )
        var source = "user"

        @Option(
            help: ArgumentHelp(
                "What it is: thumbs, rating, comment, or a word of your own.",
                valueName: "type"
            )
        )
        var type: String

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp("The value; what reads as a number is one.", valueName: "value")
        )
        var value: String

        @Flag(help: "Take the value as text, also where it reads as a number.")
        var text = false

        @Option(help: ArgumentHelp("Words beside the value.", valueName: "text"))
        var comment: String?

        @Option(help: ArgumentHelp("Who gave it.", valueName: "id"))
        var user: String?

        @OptionGroup var options: AnnotationOptions

        private static let names = [
            "source": "--source", "feedbackType": "--type", "value": "--value", "comment": "--comment",
            "userId": "--user",
        ]

        func run() async throws {
            var object = try options.members()
            object["source"] = .string(source)
            object["feedbackType"] = .string(type)
            object["value"] = text ? .string(value) : number ?? .string(value)
            object["comment"] = comment.map(Value.string)
            object["userId"] = user.map(Value.string)
            let input = Value.object(object)
            try AnnotationOptions.checked(Self.names) { () throws(InputErrors) in
                _ = try [FeedbackInput](json: input, needsTarget: true)
            }
            try await options.send(input, to: "api/feedback", noun: "feedback")
        }

        private var number: Value? {
            // What is no JSON is no number.
            guard let read = try? Value(json: value), let number = read.number, read.string == nil,
                number.isFinite
            else { return nil }
            return read
        }
    }
}
