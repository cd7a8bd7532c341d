import Glibc
import Synchronization

/// Calls back when something below a path may have changed: by the kernel's file events, and once a second whatever they say,
/// because links into other folders and some file systems have none. The path is watched, not the folder that it named first.
final class FolderWatch: Sendable {
    /// How long after a change to wait for more of them.
    private static let debounceMilliseconds: Int32 = 50
    /// A file that is still being written is left alone for so long after its last change.
    private static let quietMilliseconds: Int32 = 200
    private static let pollMilliseconds: Int32 = 1000
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

    /// Starts calling `body`, on a thread with a large stack; one call at a time.
    func start(_ body: @escaping @Sendable () -> Bool) {
        state.withLock { state in
            guard state.thread == nil, !state.isStopped else { return }
            var ends: [Int32] = [-1, -1]
            guard pipe(&ends) == 0 else { return }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            state.wake = ends
            let path = path
            let wake = ends[0]
            state.thread = startThread { [self] in
                Loop(path: path, wake: wake).run { turn.withLock { _ in body() } }
            }
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
        let path: String
        let wake: Int32
        private var events: Int32 = -1
        private var lastCall: Int64 = 0

        init(path: String, wake: Int32) {
            self.path = path
            self.wake = wake
        }

        func run(_ call: () -> Bool) {
            var copy = self
            copy.loop(call)
        }

        private mutating func loop(_ call: () -> Bool) {
            defer { if events >= 0 { close(events) } }
            while true {
                watchAgain()
                switch wait(milliseconds: FolderWatch.pollMilliseconds) {
                case .stopped: return
                case .changed(let isOpen): guard settle(isOpen) else { return }
                case .quiet: break
                }
                let gap = FolderWatch.shortestGapNanoseconds - (monotonicNow() - lastCall)
                if lastCall != 0, gap > 0, case .stopped = pause(milliseconds: Int32(gap / 1_000_000)) {
                    return
                }
                // Only what loads something counts: a poll must not hold up the save that comes after it.
                if call() { lastCall = monotonicNow() }
            }
        }

        /// Waits until the folder is at rest; false where the watch has ended.
        private mutating func settle(_ wasOpen: Bool) -> Bool {
            var isOpen = wasOpen
            let started = monotonicNow()
            // A writer that never rests must not hold everything up for ever.
            while monotonicNow() - started < 2_000_000_000 {
                let quiet = isOpen ? FolderWatch.quietMilliseconds : FolderWatch.debounceMilliseconds
                switch wait(milliseconds: quiet) {
                case .stopped: return false
                case .quiet: return true
                case .changed(let still): isOpen = still
                }
            }
            return true
        }

        private enum Outcome {
            case stopped, quiet
            case changed(isOpen: Bool)
        }

        private func pause(milliseconds: Int32) -> Outcome {
            var waiting = pollfd(fd: wake, events: Int16(POLLIN), revents: 0)
            return poll(&waiting, 1, milliseconds) > 0 ? .stopped : .quiet
        }

        private func wait(milliseconds: Int32) -> Outcome {
            var waiting = [
                pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
                pollfd(fd: events, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&waiting, 2, milliseconds)
            guard ready > 0 else { return .quiet }
            if waiting[0].revents != 0 { return .stopped }
            return .changed(isOpen: drain())
        }

        /// Reads all events; whether the last one of them left a file open for writing.
        private func drain() -> Bool {
            var isOpen = false
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = buffer.withUnsafeMutableBytes { read(events, $0.baseAddress, $0.count) }
                guard count > 0 else { return isOpen }
                var at = 0
                while at + MemoryLayout<inotify_event>.size <= count {
                    let event = buffer.withUnsafeBytes {
                        $0.loadUnaligned(fromByteOffset: at, as: inotify_event.self)
                    }
                    isOpen = event.mask & UInt32(IN_MODIFY) != 0
                    at += MemoryLayout<inotify_event>.size + Int(event.len)
                }
            }
        }

        /// Watches the folder that the path names now, its folders, and the folder it lies in.
        private mutating func watchAgain() {
            // Kept from turn to turn: what happens between a scan and the next wait must not be missed.
            if events < 0 { events = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC)) }
            guard events >= 0 else { return }
            let mask =
                UInt32(IN_CLOSE_WRITE) | UInt32(IN_MODIFY) | UInt32(IN_MOVED_TO) | UInt32(IN_MOVED_FROM)
                | UInt32(IN_CREATE) | UInt32(IN_DELETE) | UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF)
            inotify_add_watch(events, path, mask)
            if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
                let parent = String(path[..<slash])
                inotify_add_watch(events, parent, UInt32(IN_CREATE) | UInt32(IN_MOVED_TO) | UInt32(IN_DELETE))
            }
            guard let folder = opendir(path) else { return }
            defer { closedir(folder) }
            while let entry = readdir(folder) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                guard PluginSource.isName(name) else { continue }
                inotify_add_watch(events, path + "/" + name, mask | UInt32(IN_ONLYDIR))
            }
        }
    }
}
