import Glibc

/// The files that a process may have open, of which each connection is one.
enum FileLimit {
    /// The database, plugins, exporters and the system's own.
    private static let others: rlim_t = 256

    /// How many of so many connections there is room for; asks the system for more where it gives fewer.
    static func room(for connections: Int) -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return connections }
        let wanted = rlim_t(clamping: connections) + others
        if limit.rlim_cur < wanted {
            limit.rlim_cur = min(wanted, limit.rlim_max)
            // Where it refuses, what there was holds.
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        return min(connections, max(16, Int(clamping: limit.rlim_cur) - Int(others)))
    }
}
