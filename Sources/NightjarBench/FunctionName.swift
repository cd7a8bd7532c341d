/// A function's name as a picture can show it.
package enum FunctionName {
    /// What every thread and task begins with, and what stands between a call and what it calls.
    private static let passed = [
        "start_thread", "clone", "_dispatch", "__swift_run_job", "jobInvoke", "swift_job_run", "swift::",
        "swift_task_",
        "partial apply", "reabstraction thunk", "thunk for", "__NSThread", "Thread.", "NSThread",
        "entry_SYSCALL", "do_syscall",
        "x64_sys_call", "__x64_sys", "_start", "main", "__libc_start", "merged ", "outlined ", "[unknown]",
        "asm_", "Dispatch", "SerializedDatabase.sync", "luaD_",
        "DatabaseWriter.writeWithout", "lua_callk", "lua_pcallk", "GroupWriter.start", "Worker.init",
        "Result.init", "__libc_p", "closure",
    ]

    /// What stands before a name that the name is clear without.
    private static let prefixes = [
        "specialized ", "generic specialization of ", "static ", "dispatch thunk of ", "@objc ",
        "suspend resume partial function for ", "await resume partial function for ",
    ]

    /// A short form of a demangled name; nil for what says nothing.
    package static func short(_ demangled: String) -> String? {
        var name = demangled[...]
        var before = name.count + 1
        while name.count < before {
            before = name.count
            for prefix in prefixes where name.hasPrefix(prefix) { name = name.dropFirst(prefix.count) }
            if ["closure #", "implicit closure #", "defer #"].contains(where: name.hasPrefix),
                let end = name.firstRange(of: " in ")
            {
                name = name[end.upperBound...]
            }
            if name.hasPrefix("protocol witness for "), let end = name.firstRange(of: " in conformance ") {
                name = name[..<end.lowerBound].dropFirst(21)
            }
        }
        if let bracket = name.firstIndex(where: { $0 == "(" || $0 == "<" }), bracket > name.startIndex {
            name = name[..<bracket]
        }
        guard !name.isEmpty, !passed.contains(where: name.hasPrefix) else { return nil }
        return String(name)
    }
}
