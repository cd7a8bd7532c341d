import CNightjarLua

/// The reference page of the plugin interface, made of the host's own tables.
package enum PluginReference {
    /// The page, as Markdown.
    package static let markdown: String =
        [
            head, calls, events, matching, objects, tables, options, library, limits, testing,
        ].joined(separator: "\n\n") + "\n"

    private static let head = """
        # Plugin reference

        Every call, field and option of the plugin interface, version 1.

        The host writes this page from the tables that it checks plugins by (`scripts/docs --reference`), and the definitions for
        editors too (`nightjar types`). The guide is [Plugins](doc:Plugins), and [Recipes](doc:PluginRecipes) has examples. Types
        are those of the Lua language server: `string?` may be nil, `Span[]` is a list.
        """

    // MARK: Calls

    private static var calls: String {
        let all = ReferenceTables.calls
        let functions = all.filter { $0.arguments != nil && !$0.name.contains(":") }
        let values = all.filter { $0.arguments == nil }
        let makers = functions.filter { maker in all.contains { $0.name.hasPrefix(maker.name + ":") } }
        var text = "## Calls\n\nWhile the file loads, calls declare; in a call of a rule they act.\n\n"
        text += table(
            ["call", "returns", "when", "does"],
            functions.map { [code(signature($0, "nightjar.")), type($0.result), when($0), $0.text] }
        )
        for maker in makers {
            let methods = all.filter { $0.name.hasPrefix(maker.name + ":") }
            text += "\n\n### \(short(maker.result))\n\nWhat `nightjar.\(maker.name)` returns.\n\n"
            text += table(
                ["call", "returns", "when", "does"],
                methods.map { [code(signature($0, "")), type($0.result), when($0), $0.text] }
            )
        }
        text += "\n\n### Values\n\n"
        return text
            + table(
                ["name", "type", "is"],
                values.map { [code("nightjar.\($0.name)"), type($0.result), $0.text] }
            )
    }

    private static func signature(_ call: ReferenceTables.Call, _ owner: String) -> String {
        let arguments = (call.arguments ?? []).map { argument in
            let type = short(argument.type)
            let suffix = type.hasPrefix("$") ? "" : ": \(type)"
            return argument.name + (argument.isOptional ? "?" : "") + suffix
        }
        return "\(owner)\(call.name)(\(arguments.joined(separator: ", ")))"
    }

    private static func when(_ call: ReferenceTables.Call) -> String {
        switch call.when {
        case NJ_WHILE_LOADING: "while loading"
        case NJ_IN_CALLS: "in a call"
        default: "always"
        }
    }

    private static var events: String {
        """
        ## Events

        What `nightjar.on`, `nightjar.scorer` and `nightjar.process` take. A rule runs once per event, when what its span inherits
        is known, and not for spans that repeat another one; its options change that.


        """
            + table(
                ["call", "event", "the function gets", "match", "when"],
                ReferenceTables.events.map {
                    [code($0.call), code($0.name), code(short($0.parameters)), type($0.match), $0.text]
                }
            )
    }

    // MARK: Matching

    private static var matching: String {
        """
        ## Match

        A match is data, which the host compares: `{ type = "tool_call", duration_ms = { gt = 2000 } }`. All keys must hold; a list
        of matches is any of them. A key is a field of the object. A part follows behind a dot: `["attributes.refund.currency"]` is
        the attribute `refund.currency` (also `resource` and `metadata`, one flat key each), `["input.user.name"]` goes down into
        what was decoded. An unknown key is an error at loading.

        Under a key stands a text, number or boolean; a list, of which any; `nightjar.none_of(…)`; or a table of operators:


        """
            + table(
                ["operator", "operand", "holds where the value"],
                rows(of: "nightjar.Operators", isOptional: false)
            ) + """


                A list as a value, as of tags, matches where one of its items does. An absent value matches `{ exists = false }` and
                `nightjar.none_of(…)` alone.

                Traces are matched by their spans and by fields of their own:


                """
            + table(["key", "operand", "demands"], rows(of: "nightjar.TraceMatch", isOptional: false))
    }

    // MARK: Objects

    private static var objects: String {
        let head = """
            ## Objects

            An object is valid during its call, and read only but for `nightjar.process`. Kept longer, any use of it is an error;
            `copy` makes a table that may be kept. A misspelt field is an error too.
            """
        let parts = ReferenceTables.objects.map { object in
            "### \(short(object.className))\n\n"
                + table(
                    ["field", "type", "is"],
                    object.values.map { [code($0.name), type($0.type), $0.text] }
                ) + "\n\n"
                + table(
                    ["method", "type", "does"],
                    object.methods.map { [code($0.name), type($0.type), $0.text] }
                )
        }
        let both = "Methods without a `self` can be called with a dot and with a colon."
        return ([head] + parts + [both]).joined(separator: "\n\n")
    }

    private static var tables: String {
        section("## Tables within events") {
            !$0.contains("Options") && !$0.hasSuffix("Policy") && !$0.hasSuffix("Input")
                && !isShownElsewhere($0)
        }
    }

    private static var options: String {
        section("## Options and input") {
            ($0.contains("Options") || $0.hasSuffix("Policy") || $0.hasSuffix("Input"))
                && !isShownElsewhere($0)
        }
    }

    private static func isShownElsewhere(_ shape: String) -> Bool {
        shape.contains("Test") || shape.hasSuffix("Expectation") || shape == "nightjar.Operators"
            || shape == "nightjar.TraceMatch"
    }

    /// The shapes of some names, a table each.
    private static func section(_ title: String, _ isPart: (String) -> Bool) -> String {
        let parts = ReferenceTables.shapes.filter { !$0.fields.isEmpty && isPart($0.name) }.map { shape in
            let more = shape.base.map { "; also what `\(short($0))` has" } ?? ""
            return "### \(short(shape.name))\n\n\(sentence(shape.text + more))\n\n"
                + table(["field", "type", "is"], rows(of: shape.name))
        }
        return ([title] + parts).joined(separator: "\n\n")
    }

    /// A row a field; where every one may be left out, its type need not say so.
    private static func rows(of shape: String, isOptional: Bool = true) -> [[String]] {
        let fields = ReferenceTables.shapes.first { $0.name == shape }?.fields ?? []
        return fields.map { field in
            let name = !isOptional && field.type.hasSuffix("?") ? String(field.type.dropLast()) : field.type
            return [code(field.name), type(name), field.text]
        }
    }

    // MARK: Surroundings

    private static var library: String {
        """
        ## Lua's own library

        Lua 5.4: `string` (without `dump`), `table`, `math`, `utf8` and `coroutine` as they are, and the globals below. There is
        nothing else of `io`, `os`, `package` and `debug`.


        """
            + table(
                ["call", "returns", "does"],
                ReferenceTables.library.map { [code(signature($0, "")), type($0.result), $0.text] }
            )
    }

    private static var limits: String {
        let standard = PluginLimits()
        func mebibytes(_ bytes: Int) -> String { "\(bytes >> 20) MiB" }
        return """
            ## Limits

            A limit that is hit ends the call, and no `pcall` can keep it from that. What the call had emitted is dropped with it;
            its log lines are kept. Those with a key can be set by `plugins.limits` in the configuration.


            """
                + table(
                    ["what", "limit", "key"],
                    [
                        ["memory of a state", mebibytes(standard.memoryBytes), "`memory`"],
                        ["CPU time of a call", "\(standard.callTime)", "`time`"],
                        ["CPU time of loading", "\(standard.loadTime)", "`loadTime`"],
                        [
                            "steps in library calls, about a byte or an element each, for a call",
                            "\(standard.fuel)", "`fuel`",
                        ],
                        [
                            "metrics, scores, feedback and logs for an event", "\(standard.emissions)",
                            "`emissions`",
                        ],
                        [
                            "share of a worker that a rule of slow calls may take",
                            "\(Int(standard.share * 100)) %", "`share`",
                        ],
                        ["a string", mebibytes(standard.stringBytes), ""],
                        [
                            "another block of memory, like a table's array", mebibytes(standard.blockBytes),
                            "",
                        ],
                        ["a source file", "\(NJ_SOURCE_LIMIT >> 10) KiB", ""],
                        ["a data file", mebibytes(DataFile.byteLimit), ""],
                        ["metric names of a plugin", "\(PluginDeclarations.metricLimit)", ""],
                        ["plugins that react to what a plugin emitted", "3 deep", ""],
                    ]
                )
    }

    private static var testing: String {
        let shapes = ["nightjar.TestOptions", "nightjar.MetricExpectation", "nightjar.ScoreExpectation"]
        return """
            ## Tests

            What a `NAME_test.lua` has beside `nightjar`. Every `t.expect` ends the open traces first.


            """
                + table(
                    ["call", "returns", "does"],
                    ReferenceTables.testCalls.map { [code(signature($0, "")), type($0.result), $0.text] }
                ) + "\n\n`TestSpan` takes any field of a span.\n\n"
                + section("", shapes.contains).trimmingPrefix("\n\n")
    }

    // MARK: Text

    private static func table(_ head: [String], _ rows: [[String]]) -> String {
        let lines = [head, head.map { _ in "---" }] + rows
        return lines.map { "| \($0.joined(separator: " | ")) |" }.joined(separator: "\n")
    }

    private static func sentence(_ text: String) -> String {
        text.prefix(1).uppercased() + text.dropFirst() + "."
    }

    private static func type(_ type: String) -> String { type.isEmpty ? "" : code(short(type)) }

    /// A bar would end the cell, in code too.
    private static func code(_ text: String) -> String {
        "`\(text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|"))`"
    }

    private static func short(_ type: String) -> String {
        var rest = type[...]
        var text = ""
        while let dot = rest.firstRange(of: "nightjar.") {
            text += rest[..<dot.lowerBound]
            rest = rest[dot.upperBound...]
        }
        return text + rest
    }
}
