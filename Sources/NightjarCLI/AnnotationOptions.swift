import ArgumentParser
import Foundation
import NightjarSignals

/// What scores and feedback given on the command line have in common: what they are of, and what is kept with them.
struct AnnotationOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The trace that it is of.", valueName: "id"))
    var trace: String?

    @Option(help: ArgumentHelp("The span of the trace; else it is of the whole trace.", valueName: "id"))
    var span: String?

    @Option(help: ArgumentHelp("The session that it is of, instead of a trace.", valueName: "id"))
    var session: String?

    @Option(
        help: ArgumentHelp(
            "Its identity: the same once more replaces it. (default: a fresh one)",
            valueName: "id"
        )
    )
    var id: String?

    @Option(help: ArgumentHelp("The experiment that it belongs to.", valueName: "name"))
    var experiment: String?

    @Option(
        help: ArgumentHelp(
            "What else is to be kept with it; a value that is JSON is taken as such.",
            valueName: "key=value"
        )
    )
    var metadata: [String] = []

    @OptionGroup var server: ServerOptions

    @Flag(help: "Print the server's answer, JSON.")
    var json = false

    /// The members of the input that they give.
    /// - Throws: ``Outcome/usage`` after a line that says what to write.
    func members() throws -> Value.Object {
        var object = Value.Object()
        for (key, value) in [
            ("traceId", trace), ("spanId", span), ("sessionId", session), ("id", id),
            ("experiment", experiment),
        ] {
            object[key] = value.map(Value.string)
        }
        var extra = Value.Object()
        for entry in metadata {
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let key = parts.first, !key.isEmpty else {
                complain("--metadata \(entry) has no key; write KEY=VALUE")
                throw Outcome.usage
            }
            let text = String(parts[1])
            // What is no JSON is text.
            extra[String(key)] = (try? Value(json: text)) ?? .string(text)
        }
        if !extra.isEmpty { object["metadata"] = .object(extra) }
        return object
    }

    /// Sends an input that was found good, and says what became of it.
    /// - Throws: As ``ServerConnection/post(_:_:)``.
    func send(_ input: Value, to path: String, noun: String) async throws {
        let answer = try await server.connection().post(path, input)
        if json { return print(answer.json) }
        let result = answer["results"]?.array?.first ?? .null
        let outcome =
            result["pending"] == true
            ? "kept; its trace is not known yet" : result["replaced"] == true ? "replaced" : "added"
        print("\(noun) \(result.text("id")) \(outcome)")
    }

    /// Calls what reads an input; every fault is told by the option that it concerns.
    /// - Throws: ``Outcome/usage`` after those lines.
    static func checked(
        _ options: [String: String],
        _ read: () throws(InputErrors) -> Void
    ) throws {
        let common = [
            "traceId": "--trace", "spanId": "--span", "sessionId": "--session", "id": "--id",
            "experiment": "--experiment", "metadata": "--metadata",
        ]
        do throws(InputErrors) {
            try read()
        } catch {
            for fault in error.errors {
                let option = (options[fault.path] ?? common[fault.path]).map { "\($0) " } ?? ""
                complain(option.isEmpty ? fault.description : option + fault.message)
            }
            throw Outcome.usage
        }
    }
}
