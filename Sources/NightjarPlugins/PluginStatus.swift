package import NightjarSignals

/// What is known of one plugin: for the API, the page and the command line.
package struct PluginStatus: Sendable, Equatable {
    /// How a plugin is.
    package enum Condition: String, Sendable {
        /// Its newest file is running.
        case running
        /// Its newest file does not load; an earlier version is running.
        case stale
        /// No version of it loads, or its memory is full.
        case failed
        /// It was switched off.
        case disabled
    }

    /// One rule or scorer.
    package struct Rule: Sendable, Equatable {
        /// The scorer's name, else the event.
        package let name: String
        /// What tells it from the other rules of its plugin: the name, with #2 and so on behind it where an earlier rule has the
        /// same one.
        package let label: String
        /// The event it is called for.
        package let event: String
        /// Its match as JSON.
        package let match: String?
        /// Where it was declared, as FILE:LINE.
        package let place: String
        /// How often an event matched.
        package let matches: Int
        /// How often it was called.
        package let calls: Int
        /// How many of the calls failed.
        package let errors: Int
        /// The mean CPU time of a call; nil before the first one was timed.
        package let meanMicroseconds: Double?
        /// The time that 99 of 100 calls stay under; nil before one was timed.
        package let p99Microseconds: Double?
        /// What share of one core its calls took since it was loaded; nil before one was timed.
        package let share: Double?
        /// The CPU time of all its calls in seconds, estimated from those that were timed.
        package let callSeconds: Double
        /// Whether it is left out because it failed too often.
        package let isCircuitOpen: Bool
    }

    /// What a rule has counted over all versions of its plugin since the process started; none of it ever falls.
    package struct Totals: Sendable, Equatable {
        /// How often an event matched.
        package var matches = 0
        /// How often it was called.
        package var calls = 0
        /// How many of the calls failed.
        package var errors = 0
        /// The CPU time of the calls in nanoseconds, estimated from those that were timed.
        package var nanoseconds = 0

        /// Nothing counted.
        package init() {}
    }

    /// An error of a call, with its repeats.
    package struct Failure: Sendable, Equatable {
        /// The rule.
        package let rule: String
        /// What happened, with file and line.
        package let message: String
        /// Where the script was, innermost first.
        package let traceback: String
        /// Whether a limit was hit.
        package let isLimit: Bool
        /// The trace of the last time.
        package var traceID: TraceID?
        /// The last time.
        package var lastSeen: Timestamp
        /// How often.
        package var count: Int
    }

    /// Its name.
    package var name: String
    /// The name it gives itself.
    package var displayName: String?
    /// What it says it does.
    package var description: String?
    /// The running version, as the plugin states it.
    package var version: String?
    /// The hash of the running content.
    package var hash: String?
    /// Which load of the plugin is running, from 1; 0 where none is.
    package var generation: Int
    /// When the running version went live.
    package var since: Timestamp?
    /// How it is.
    package var condition: Condition
    /// Whether an earlier content than the file's is running.
    package var isPinned: Bool
    /// Its rules and scorers.
    package var rules: [Rule]
    /// What its rules have counted over all versions, by their labels.
    package var totals: [String: Totals]
    /// The metrics that it declares.
    package var metrics: [String]
    /// Memory of all its states, as last seen.
    package var memoryBytes: Int
    /// Its last errors, the oldest first.
    package var failures: [Failure]
    /// Why the newest file does not load; nil where it does.
    package var loadFault: PluginFault?
    /// When its file was last loaded, with whatever outcome.
    package var lastLoad: Timestamp?
    /// How often it was loaded since the process started, by what came of it.
    package var loads: Loads

    /// How often a plugin was loaded.
    package struct Loads: Sendable, Equatable {
        /// A new version was made.
        package var succeeded = 0
        /// What was running stayed.
        package var failed = 0

        /// Never loaded.
        package init() {}
    }
}
