import CNightjarLua

/// The interface of plugins in the words of the Lua language server, for completion and checks in an editor. Made of the host's
/// own tables.
package enum LuaDefinitions {
    /// A definition file: it defines and runs nothing.
    package static let text: String = {
        var lines = [
            "---@meta", "", "-- What a plugin can use. Written by `nightjar types`; a change here is lost.",
        ]
        for shape in ReferenceTables.shapes { lines += [""] + members(of: shape) }
        for object in ReferenceTables.objects { lines += [""] + members(of: object) }
        lines += matches + testSpan
        lines += instances + ["", "---@class nightjar", "nightjar = {}"]
        lines += functions(ReferenceTables.calls.filter { !$0.name.contains(":") }, in: "nightjar.")
        lines += [
            "", "-- What is left of Lua's own globals.", "_G = {}", "_VERSION = \"Lua 5.4\"", "os = {}",
            "debug = {}",
        ]
        lines += functions(ReferenceTables.library, in: "")
        lines += ["", "-- What a NAME_test.lua has.", "", "---@class nightjar.Expect", "local expect = {}"]
        lines += ["", "---@class nightjar.Test", "---@field expect nightjar.Expect", "local t = {}"]
        lines += functions(ReferenceTables.testCalls, in: "", renaming: ["t.expect.": "expect."])
        return lines.joined(separator: "\n") + "\n"
    }()

    // MARK: Tables

    private static func members(of shape: ReferenceTables.Shape) -> [String] {
        let text = "---" + shape.text
        if shape.fields.isEmpty, let other = shape.base { return [text, "---@alias \(shape.name) \(other)"] }
        return [text, "---@class \(shape.name)" + (shape.base.map { ": \($0)" } ?? "")]
            + (shape.name == "nightjar.TraceMatch" ? [anyKey] : [])
            + shape.fields.map { field($0, type: $0.type) }
    }

    private static func members(of object: ReferenceTables.Object) -> [String] {
        ["---@class \(object.className)"]
            + object.values.map { field($0, type: $0.type) }
            + object.methods.map { field($0, type: bothSpellings($0.type, of: object.className)) }
    }

    private static func field(_ field: ReferenceTables.Field, type: String) -> String {
        "---@field \(field.name) \(type)" + (field.text.isEmpty ? "" : " # \(field.text)")
    }

    /// A method without a `self` can be called with a dot and with a colon.
    private static func bothSpellings(_ type: String, of object: String) -> String {
        guard !type.hasPrefix("fun(self") else { return type }
        return "(\(type))|(fun(self: \(object), \(type.dropFirst("fun(".count))))"
    }

    private static let anyKey = "---@field [string] nightjar.Condition"

    /// What the fields of each object can be matched by. A key may have a part behind a dot.
    private static var matches: [String] {
        ReferenceTables.objects.filter { $0.noun != "trace" }.flatMap { object in
            ["", "---@class \(object.className)Match", anyKey]
                + object.values.map { "---@field \($0.name)? nightjar.Condition" }
        }
    }

    /// What a test says of a span: any of its fields.
    private static var testSpan: [String] {
        let span = ReferenceTables.objects.first { $0.noun == "span" }
        return ["", "---@class nightjar.TestSpan"]
            + (span?.values ?? []).map {
                "---@field \($0.name)? \($0.type == "any" ? "any" : unlessNil($0.type))"
            }
    }

    private static func unlessNil(_ type: String) -> String {
        type.hasSuffix("?") ? String(type.dropLast()) : type
    }

    /// The classes of what calls return: `counter:add` is a method of what `counter` does.
    private static var instances: [String] {
        let makers = ReferenceTables.calls.filter { call in
            ReferenceTables.calls.contains { $0.name.hasPrefix(call.name + ":") }
        }
        return makers.flatMap { maker in
            let methods = ReferenceTables.calls.filter { $0.name.hasPrefix(maker.name + ":") }
            return ["", "---@class \(maker.result)", "local \(maker.name) = {}"] + functions(methods, in: "")
        }
    }

    // MARK: Functions

    private static func functions(
        _ calls: [ReferenceTables.Call],
        in owner: String,
        renaming renamed: [String: String] = [:]
    ) -> [String] {
        var lines: [String] = []
        var tables: Set<String> = []
        var known: Set<String> = []
        for call in calls where known.insert(call.name).inserted {
            let forms = calls.filter { $0.name == call.name }
            var name = owner + call.name
            for (prefix, other) in renamed where name.hasPrefix(prefix) {
                name = other + name.dropFirst(prefix.count)
            }
            if !owner.isEmpty, let dot = call.name.firstIndex(of: "."),
                tables.insert(String(call.name[..<dot])).inserted
            {
                lines += ["", owner + call.name[..<dot] + " = {}"]
            }
            lines += [""] + function(name, call, otherForms: forms.dropFirst())
        }
        return lines
    }

    private static func function(
        _ name: String,
        _ call: ReferenceTables.Call,
        otherForms: some Collection<ReferenceTables.Call>
    ) -> [String] {
        var lines = ["---\(call.text)"]
        guard let arguments = call.arguments else {
            return lines + ["---@type \(call.result)", "\(name) = nil"]
        }
        if let generics = call.generics { lines.append("---@generic \(generics)") }
        let events = ReferenceTables.events.filter { $0.call == call.name }
        for argument in arguments {
            let type = type(of: argument, events: events)
            lines.append("---@param \(argument.name)\(argument.isOptional ? "?" : "") \(type)")
        }
        for result in ReferenceTables.parts(Substring(call.result)) { lines.append("---@return \(result)") }
        for form in events.isEmpty ? [arguments] : events.map({ arguments.filled($0) }) {
            if !events.isEmpty { lines.append(overload(form, call.result)) }
            if let shorter = form.withoutOptionalBeforeLast { lines.append(overload(shorter, call.result)) }
        }
        for form in otherForms { lines.append(overload(form.arguments ?? [], form.result)) }
        return lines + ["function \(name)(\(arguments.map(\.name).joined(separator: ", "))) end"]
    }

    private static func overload(_ arguments: [ReferenceTables.Argument], _ result: String) -> String {
        let list = arguments.map { "\($0.name)\($0.isOptional ? "?" : ""): \($0.type)" }
        return "---@overload fun(\(list.joined(separator: ", ")))" + (result.isEmpty ? "" : ": \(result)")
    }

    /// What an argument can be, without what only the overloads say: a type here would count for every event.
    private static func type(
        of argument: ReferenceTables.Argument,
        events: [ReferenceTables.Event]
    ) -> String {
        switch argument.type {
        case "$event" where events.allSatisfy { $0.call != "scorer" }:
            events.map { "\"\($0.name)\"" }.joined(separator: "|")
        case "$event", "$match": "table"
        case "$handler": "function"
        default: argument.type
        }
    }
}

extension [ReferenceTables.Argument] {
    /// The arguments for one event.
    fileprivate func filled(_ event: ReferenceTables.Event) -> [ReferenceTables.Argument] {
        map { argument in
            let type =
                switch argument.type {
                case "$event": event.call == "scorer" ? "nightjar.ScorerOptions" : "\"\(event.name)\""
                case "$match": "\(event.match)|\(event.match)[]"
                case "$handler": "fun(\(event.parameters))" + (event.call == "process" ? ": false?" : "")
                default: argument.type
                }
            return ReferenceTables.Argument(name: argument.name, isOptional: argument.isOptional, type: type)
        }
    }

    /// The arguments without an optional one that others follow which are not: it may be left out altogether.
    fileprivate var withoutOptionalBeforeLast: [ReferenceTables.Argument]? {
        guard let place = firstIndex(where: \.isOptional),
            self[place...].contains(where: { !$0.isOptional && $0.name != "..." })
        else { return nil }
        return enumerated().filter { $0.offset != place }.map(\.element)
    }
}
