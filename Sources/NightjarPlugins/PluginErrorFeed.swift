package import NightjarSignals
import Synchronization

/// An error of a plugin at the moment it happens.
package struct PluginErrorNotice: Sendable {
    /// The plugin.
    package let plugin: String
    /// The rule; `load` where the file does not load.
    package let rule: String
    /// What happened, with file and line.
    package let message: String
    /// Where the script was, innermost first; empty where it was not running.
    package let traceback: String
    /// Whether a limit was hit.
    package let isLimit: Bool
    /// The trace at hand.
    package let traceID: TraceID?
    /// When.
    package let timestamp: Timestamp
    /// How often it has happened now.
    package let count: Int
}

extension PluginErrorNotice {
    /// That a plugin does not load.
    init(_ fault: PluginFault, at time: Timestamp) {
        self.init(
            plugin: fault.plugin,
            rule: "load",
            message: fault.detail,
            traceback: fault.traceback,
            isLimit: fault.code == .limit,
            traceID: nil,
            timestamp: time,
            count: 1
        )
    }
}

/// Tells one listener of plugins' errors as they happen. Safe to use from any thread.
package final class PluginErrorFeed: Sendable {
    private let isHeard = Atomic<Bool>(false)
    private let listener = Mutex<(@Sendable (PluginErrorNotice) -> Void)?>(nil)

    /// From now on `listener` is called, on the thread on which an error happens: it must be quick and must not block. Nil ends
    /// it.
    package func listen(_ listener: (@Sendable (PluginErrorNotice) -> Void)?) {
        self.listener.withLock { $0 = listener }
        isHeard.store(listener != nil, ordering: .releasing)
    }

    /// Tells of an error, where someone listens.
    func tell(_ notice: @autoclosure () -> PluginErrorNotice) {
        guard isHeard.load(ordering: .acquiring), let listener = listener.withLock({ $0 }) else { return }
        listener(notice())
    }
}
