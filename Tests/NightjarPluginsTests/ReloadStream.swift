import CNightjarSignals
import Foundation
import Glibc
import NightjarBus
import NightjarPlugins
import NightjarSignals
import NightjarTesting
import Synchronization
import Testing

/// Events that run through the plugins of a host on a thread of their own, one about every millisecond, and what each of
/// them counted, so that a test can tell which versions saw which events.
private final class EventStream: Sendable {
    /// What one event counted, in the order of the rules, and how many events in a row counted the same.
    struct Stretch {
        let counters: [String]
        var events: Int
    }

    private struct Record {
        var stretches: [Stretch] = []
        var slowestNanoseconds: UInt64 = 0
    }

    private let record = Mutex(Record())
    private let halt = DispatchSemaphore(value: 0)
    private let halted = DispatchSemaphore(value: 0)

    init(_ host: PluginHost, _ registry: MetricRegistry) {
        let thread = Thread { [self] in run(host, registry) }
        thread.stackSize = 16 << 20
        thread.start()
    }

    private func run(_ host: PluginHost, _ registry: MetricRegistry) {
        let session = host.session(worker: 0, reader: SpanContentReader())
        let receiver = RecordingReceiver(registry)
        defer { halted.signal() }
        // The timeout is the pace of the events.
        while halt.wait(timeout: .now() + .milliseconds(1)) == .timedOut {
            receiver.clear()
            let span = SpanBuilder().span()
            let start = DispatchTime.now().uptimeNanoseconds
            session.adopt()
            session.spanEnded(span, trace: nil, now: moment, into: receiver)
            let spent = DispatchTime.now().uptimeNanoseconds - start
            let counters = receiver.metrics.map(\.name)
            record.withLock { record in
                record.slowestNanoseconds = max(record.slowestNanoseconds, spent)
                if let last = record.stretches.indices.last, record.stretches[last].counters == counters {
                    record.stretches[last].events += 1
                } else {
                    record.stretches.append(Stretch(counters: counters, events: 1))
                }
            }
        }
    }

    /// Ends the thread; once.
    func stop() {
        halt.signal()
        halted.wait()
    }

    var stretches: [Stretch] { record.withLock { $0.stretches } }

    var count: Int { stretches.reduce(0) { $0 + $1.events } }

    /// How long the slowest event took, with the switch to new versions before it.
    var slowestNanoseconds: UInt64 { record.withLock { $0.slowestNanoseconds } }
}

/// A plugins folder with a host that follows it, while events run through its plugins.
final class ReloadStream: Sendable {
    /// The plugins folder.
    let path: String
    let registry = MetricRegistry()
    let host: PluginHost
    /// Whether the folder is a file system of its own, of two pages.
    let isSmallDisk: Bool
    private let folder: TemporaryFolder
    private let log: LineRecorder
    private let events: EventStream
    private let sentinels = Mutex(0)
    private let hasEnded = Mutex(false)

    /// Writes the files, loads them and starts the events. Without privilege, the host has no right but what the modes of
    /// files grant everyone, even where the tests run as root. A small disk needs the right to mount one.
    init(
        _ files: [String: String] = [:],
        loadTime: Duration = .seconds(2),
        isUnprivileged: Bool = false,
        onSmallDisk: Bool = false
    ) async throws {
        folder = try TemporaryFolder()
        path = folder.path("plugins")
        guard mkdir(path, 0o755) == 0, chmod(folder.path, 0o755) == 0 else { throw failure() }
        isSmallDisk = onSmallDisk && mount("tmpfs", path, "tmpfs", 0, "size=8k") == 0
        let log = LineRecorder()
        self.log = log
        var configuration = PluginConfiguration(folder: path)
        configuration.limits.loadTime = loadTime
        host = PluginHost(
            configuration,
            registry: registry,
            workers: 1,
            now: { moment },
            log: { log.add($0) }
        )
        for (name, text) in files { try writeFile(text, path + "/" + name) }
        let host = host
        try await onThread {
            // Threads have what the thread that starts them has, and this one ends here.
            if isUnprivileged { try giveUpPrivilege() }
            host.loadAll()
            host.startWatching()
        }
        events = EventStream(host, registry)
    }

    deinit { stop() }

    /// Ends the events and the host; whatever is asked later is of the time before.
    private func stop() {
        let isFirst = hasEnded.withLock { hasEnded in
            defer { hasEnded = true }
            return !hasEnded
        }
        guard isFirst else { return }
        events.stop()
        host.stop()
        if isSmallDisk { #expect(umount2(path, Int32(MNT_DETACH)) == 0) }
    }

    // MARK: What happened

    /// The log, each line after its plugin's name.
    var lines: [String] {
        log.all.map { ($0.plugin ?? "folder") + ": " + $0.message }.filter { !$0.hasPrefix("sentinel") }
    }

    func condition(of name: String) -> PluginStatus.Condition? {
        host.status.first { $0.name == name }?.condition
    }

    /// Waits until events count this, and have for a while.
    func counts(_ counters: String...) async throws {
        let event = "events to count \(counters)"
        try await wait(for: event) {
            events.stretches.last?.counters == counters && events.stretches.last?.events ?? 0 >= 5
        }
    }

    /// Waits until more events went through.
    func moreEvents() async throws {
        let seen = events.count
        try await wait(for: "more events") { events.count >= seen + 20 }
    }

    /// Waits until a line of the log starts like this.
    func says(_ start: String) async throws {
        _ = try await wait(for: "the log to say \(start)", detail: "\(self.lines)") {
            lines.first { $0.hasPrefix(start) }
        }
    }

    /// Waits until the host has looked at everything that was done so far: until it loaded a file that is written now.
    func isLookedAt() async throws {
        let number = sentinels.withLock { number in
            number += 1
            return number
        }
        let name = "sentinel\(number)"
        try write("local nothing", to: name + ".lua")
        try await wait(for: "\(name) to load") { log.all.contains { $0.plugin == name } }
    }

    /// Ends the stream. Checks what the events counted from first to last, that none was held up, what the log says of
    /// plugins, and that nothing is left open.
    func end(
        events expected: [[String]],
        lines expectedLines: [String]? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let inode = inode(of: path)
        let watches = watchCount(of: inode)
        stop()
        let (seen, slowest) = (events.stretches, events.slowestNanoseconds)
        #expect(seen.map(\.counters) == expected, "\(seen) \(lines)", sourceLocation: sourceLocation)
        #expect(slowest < 1_000_000_000, "an event took \(slowest) ns", sourceLocation: sourceLocation)
        if let expectedLines {
            #expect(lines == expectedLines, sourceLocation: sourceLocation)
        }
        #expect(watches == 1, sourceLocation: sourceLocation)
        #expect(watchCount(of: inode) == 0, sourceLocation: sourceLocation)
        #expect(openFiles(under: path) == [], sourceLocation: sourceLocation)
    }

    // MARK: What is done to the folder

    /// Writes a file in its place: emptied, written, closed.
    func write(_ text: String, to name: String) throws {
        try writeFile(text, path(name))
    }

    /// Writes a file beside and puts it in its place.
    func replace(_ name: String, with text: String) throws {
        try write(text, to: ".new")
        try rename(".new", name)
    }

    func rename(_ old: String, _ new: String) throws {
        guard Glibc.rename(path(old), path(new)) == 0 else { throw failure() }
    }

    func remove(_ name: String) throws {
        guard unlink(path(name)) == 0 else { throw failure() }
    }

    func link(_ name: String, to target: String) throws {
        guard symlink(target, path(name)) == 0 else { throw failure() }
    }

    func makeFolder(_ name: String) throws {
        guard mkdir(path(name), 0o755) == 0 else { throw failure() }
    }

    func path(_ name: String) -> String { path + "/" + name }

    /// Sets when a file was used and changed last, in seconds since 1970.
    func setTimes(of name: String, _ seconds: Int) throws {
        let times = [timespec(tv_sec: seconds, tv_nsec: 0), timespec(tv_sec: seconds, tv_nsec: 0)]
        guard utimensat(AT_FDCWD, path(name), times, 0) == 0 else { throw failure() }
    }

    /// Writes a file piece by piece, with pauses between them, on a thread of its own; the longest pause in nanoseconds.
    /// A machine that holds the thread up makes it longer than what a writer may pause.
    func writeSlowly(_ pieces: [String], to name: String, pauseMilliseconds: Int32) async throws -> UInt64 {
        let path = path(name)
        return try await onThread {
            let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard file >= 0 else { throw failure() }
            defer { close(file) }
            var longest: UInt64 = 0
            var last = DispatchTime.now().uptimeNanoseconds
            for piece in pieces {
                // The writer's slowness is what is tested.
                poll(nil, 0, pauseMilliseconds)
                guard Glibc.write(file, piece, piece.utf8.count) == piece.utf8.count else { throw failure() }
                let now = DispatchTime.now().uptimeNanoseconds
                longest = max(longest, now - last)
                last = now
            }
            return longest
        }
    }
}

/// A plugin that counts each event as its version's.
func version(_ number: Int) -> String {
    """
    local c = nightjar.counter("reload_v\(number)")
    nightjar.on("span_ended", function() c:add(1) end)

    """
}

/// How many files the scenarios with many of them use.
let manyFiles = ProcessInfo.processInfo.environment["NIGHTJAR_RELOAD_FILES"].flatMap { Int($0) } ?? 200

private func writeFile(_ text: String, _ path: String) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw failure() }
    defer { close(file) }
    guard Glibc.write(file, text, text.utf8.count) == text.utf8.count else { throw failure() }
}

private func failure() -> POSIXError { POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }

/// Runs on a thread of its own, so that what it waits for holds up no other test.
private func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws
    -> Result
{
    try await withCheckedThrowingContinuation { continuation in
        Thread { continuation.resume(with: Swift.Result { try body() }) }.start()
    }
}

/// Leaves the calling thread, and those that it starts, the rights of nobody where files are concerned.
private func giveUpPrivilege() throws {
    guard geteuid() == 0 else { return }
    // Of the thread alone, where setting the user would be of the process. The module of the C library lacks it.
    guard let symbol = dlsym(nil, "setfsuid") else { throw POSIXError(.ENOSYS) }
    let setUser = unsafeBitCast(symbol, to: (@convention(c) (uid_t) -> CInt).self)
    _ = setUser(65534)
    guard setUser(65534) == 65534 else { throw POSIXError(.EPERM) }
}

private func inode(of path: String) -> UInt64 {
    var status = stat()
    return stat(path, &status) == 0 ? UInt64(status.st_ino) : 0
}

/// How many queues of file events of this process watch a folder. Other tests have theirs.
private func watchCount(of inode: UInt64) -> Int {
    let mark = " ino:" + String(inode, radix: 16) + " "
    return descriptors().count { number in
        // Some are closed meanwhile by others.
        let text = (try? String(contentsOfFile: "/proc/self/fdinfo/\(number)", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").contains { $0.hasPrefix("inotify ") && $0.contains(mark) }
    }
}

/// The files under a folder that this process has open.
private func openFiles(under path: String) -> [String] {
    descriptors().compactMap {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
    }
    .filter { $0.hasPrefix(path) }
}

/// How many pipes and queues of file events this process has open.
func waitingDescriptorCount() -> Int {
    descriptors().compactMap {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
    }
    .count { $0.hasPrefix("pipe:") || $0.hasPrefix("anon_inode:") && $0.contains("inotify") }
}

private func descriptors() -> [String] {
    // Absent on other systems than Linux.
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
}
