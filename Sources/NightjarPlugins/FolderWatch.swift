import Glibc
import Synchronization

/// Calls back when something below a path may have changed: by the kernel's file events, and once a second whatever they say,
/// because links into other folders and some file systems have none. The path is watched, not the folder that it named first.
final class FolderWatch: Sendable {
    /// How long after a change to wait for more of them.
    private static let debounceMilliseconds: Int32 = 50
    private static let pollMilliseconds: Int32 = 1000
    /// How long changes may follow one another before they are looked at all the same.
    private static let patienceNanoseconds: Int64 = 2_000_000_000
    /// A plugin that is saved in a loop is loaded at most twice a second.
    private static let shortestGapNanoseconds: Int64 = 500_000_000

    private struct State {
        var thread: pthread_t?
        var isStopped = false
        /// Both ends of the pipe that ends the thread's waiting.
        var wake: [Int32] = []
    }

    private let path: String
    private let state = Mutex(State())
    private let turn = Mutex(())

    init(path: String) { self.path = path }

    /// Starts calling `body`, on a thread with a large stack; one call at a time. What it is given names the plugins whose
    /// files are being written, or were while it looked: to be asked after the folder was read. It answers whether it
    /// loaded anything.
    func start(_ body: @escaping @Sendable (_ unsettled: () -> Set<String>) -> Bool) {
        state.withLock { state in
            guard state.thread == nil, !state.isStopped else { return }
            var ends: [Int32] = [-1, -1]
            guard pipe(&ends) == 0 else { return }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            let path = path
            let wake = ends[0]
            state.thread = startThread { [self] in
                Loop(path: path, wake: wake).run { unsettled in turn.withLock { _ in body(unsettled) } }
            }
            if state.thread == nil { for end in ends { close(end) } } else { state.wake = ends }
        }
    }

    /// Runs a body while no call is under way.
    func serialised(_ body: () -> Void) { turn.withLock { _ in body() } }

    /// Ends the thread and waits for it.
    func stop() {
        let (thread, wake) = state.withLock { state -> (pthread_t?, [Int32]) in
            state.isStopped = true
            defer { state.thread = nil }
            return (state.thread, state.wake)
        }
        guard let thread else { return }
        // Closing the far end is what the thread sees.
        close(wake[1])
        pthread_join(thread, nil)
        close(wake[0])
    }

    /// The thread's own: waits, gathers changes, calls.
    private struct Loop {
        private let wake: Int32
        private var events: FolderEvents
        private var lastCall: Int64 = 0
        /// Whether something changed while the folder was being read.
        private var isBehind = false

        init(path: String, wake: Int32) {
            events = FolderEvents(path: path)
            self.wake = wake
        }

        func run(_ call: (() -> Set<String>) -> Bool) {
            var copy = self
            copy.loop(call)
        }

        private mutating func loop(_ call: (() -> Set<String>) -> Bool) {
            defer { events.stop() }
            while true {
                events.watch()
                switch wait(milliseconds: FolderWatch.pollMilliseconds) {
                case .stopped: return
                case .changed: guard settle() else { return }
                case .quiet: break
                }
                let gap = FolderWatch.shortestGapNanoseconds - (monotonicNow() - lastCall)
                if lastCall != 0, gap > 0, hasStopped(within: Int32(gap / 1_000_000)) { return }
                var written: Set<String> = []
                _ = events.take(written: &written)
                // Only what loads something counts: a poll must not hold up the save that comes after it.
                if call({ unsettled() }) { lastCall = monotonicNow() }
            }
        }

        /// The plugins that are being written, or were since the events were taken last.
        private mutating func unsettled() -> Set<String> {
            var written: Set<String> = []
            if events.take(written: &written) { isBehind = true }
            return written.union(events.unsettled)
        }

        /// Waits until the folder is at rest; false where the watch has ended.
        private mutating func settle() -> Bool {
            let started = monotonicNow()
            // Changes that never cease must not hold everything up for ever.
            while monotonicNow() - started < FolderWatch.patienceNanoseconds {
                // What is written in a folder is heard only once that is watched.
                if events.isOutdated { events.watch() }
                switch wait(milliseconds: FolderWatch.debounceMilliseconds) {
                case .stopped: return false
                case .quiet: return true
                case .changed: break
                }
            }
            return true
        }

        private enum Outcome { case stopped, changed, quiet }

        private func hasStopped(within milliseconds: Int32) -> Bool {
            var waiting = pollfd(fd: wake, events: Int16(POLLIN), revents: 0)
            return poll(&waiting, 1, milliseconds) > 0
        }

        /// Waits for a change that a look at the folder should follow: not for each piece of a file that is being written.
        private mutating func wait(milliseconds: Int32) -> Outcome {
            let end = monotonicNow() + Int64(milliseconds) * 1_000_000
            while true {
                let now = monotonicNow()
                if events.rest(at: now) || isBehind {
                    isBehind = false
                    return .changed
                }
                guard now < end else { return .quiet }
                let left = min(end, events.nextRest ?? end) - now
                var waiting = [
                    pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: events.descriptor, events: Int16(POLLIN), revents: 0),
                ]
                guard poll(&waiting, 2, Int32((left + 999_999) / 1_000_000)) > 0 else { continue }
                if waiting[0].revents != 0 { return .stopped }
                var written: Set<String> = []
                if events.take(written: &written) { return .changed }
            }
        }
    }
}
