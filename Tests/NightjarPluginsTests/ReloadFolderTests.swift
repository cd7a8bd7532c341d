import Foundation
import Glibc
import NightjarBus
import NightjarPlugins
import NightjarTesting
import Testing

/// What may lie in a plugins folder or become of it, while events run.
@Suite(.serialized) struct ReloadFolderTests {
    private static let first = "a: loaded, generation 1"
    private static let second = "a: loaded, generation 2"

    @Test func `a link to another plugin is followed to none, with a line that says so`() async throws {
        let stream = try await ReloadStream()
        try await stream.counts()
        try stream.write(version(1), to: "real.lua")
        try stream.link("link.lua", to: "real.lua")
        try stream.link("again.lua", to: "link.lua")
        try await stream.says("link: ")
        try await stream.says("again: ")
        try await stream.counts("reload_v1")
        let double = "is a link to what runs as real.lua already"
        #expect(
            Set(stream.lines) == [
                "real: loaded, generation 1", "link: does not load: link.lua: \(double)",
                "again: does not load: again.lua: \(double)",
            ]
        )
        #expect(stream.lines.count == 3)
        stream.end(events: [[], ["reload_v1"]])
    }

    @Test func `a link that leaves the folder is refused, and what it leads to is not told`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        try stream.link("passwd.lua", to: "/etc/passwd")
        try await stream.says("passwd: ")
        try await stream.isLookedAt()
        stream.end(
            events: [["reload_v1"]],
            lines: [
                Self.first,
                "passwd: does not load: passwd.lua: is a link that leads out of the plugins folder",
            ]
        )
    }

    @Test func `a mounted configuration whose folder is exchanged behind the link is seen`() async throws {
        let stream = try await ReloadStream()
        try await stream.counts()
        for number in 1...2 {
            try stream.makeFolder("..v\(number)")
            try stream.write(version(number), to: "..v\(number)/a.lua")
        }
        try stream.link("..data", to: "..v1")
        try stream.link("a.lua", to: "..data/a.lua")
        try await stream.counts("reload_v1")
        try stream.link("..data_tmp", to: "..v2")
        try stream.rename("..data_tmp", "..data")
        try FileManager.default.removeItem(atPath: stream.path("..v1"))
        try await stream.counts("reload_v2")
        stream.end(events: [[], ["reload_v1"], ["reload_v2"]], lines: [Self.first, Self.second])
    }

    @Test func `folders that lead back to themselves are no plugins and end no look`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        try stream.makeFolder("sub")
        try stream.write(version(3), to: "sub/s.lua")
        try stream.link("sub/up", to: "..")
        try stream.link("loop", to: ".")
        try await stream.isLookedAt()
        try stream.replace("a.lua", with: version(2))
        try await stream.counts("reload_v2")
        stream.end(events: [["reload_v1"], ["reload_v2"]], lines: [Self.first, Self.second])
    }

    @Test func `many files that are touched at once load nothing anew`() async throws {
        let stream = try await ReloadStream(many(mark: "a", and: version(1)))
        try await stream.counts("reload_v1")
        for number in 1...manyFiles {
            // Opened for writing and closed as it is.
            close(open(stream.path("p\(number).lua"), O_WRONLY | O_CLOEXEC))
            try stream.setTimes(of: "p\(number).lua", 1_700_000_000 + number)
        }
        try await stream.isLookedAt()
        #expect(stream.lines.count == manyFiles + 1)
        #expect(stream.host.status.allSatisfy { $0.generation == 1 && $0.condition == .running })
        stream.end(events: [["reload_v1"]])
    }

    @Test func `many files that are replaced at once are exchanged once each while events go on`()
        async throws
    {
        let stream = try await ReloadStream(many(mark: "a", and: version(1)))
        try await stream.counts("reload_v1")
        for number in 1...manyFiles { try stream.replace("p\(number).lua", with: idle(number, "b")) }
        try await wait(for: "all new versions", limit: .seconds(120)) {
            stream.host.status.count { $0.generation == 2 } == manyFiles
        }
        try await stream.moreEvents()
        // Each old state said that it goes: none is left.
        let lines = stream.lines
        #expect(lines.count { $0.contains("on_unload failed") && $0.contains("bye a") } == manyFiles)
        #expect(lines.count { $0.contains("loaded, generation 2") } == manyFiles)
        #expect(lines.count == 3 * manyFiles + 1)
        stream.end(events: [["reload_v1"]])
    }

    private func many(mark: String, and text: String) -> [String: String] {
        var files = ["a.lua": text]
        for number in 1...manyFiles { files["p\(number).lua"] = idle(number, mark) }
        return files
    }

    private func idle(_ number: Int, _ mark: String) -> String {
        """
        nightjar.on("span_ended", function() end) -- \(number)
        nightjar.on_unload(function() error("bye \(mark)") end)
        """
    }

    @Test func `what editors and tools leave behind is no plugin`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        for name in [
            "a.lua.bak", "a.lua.orig", "a.lua.rej", ".a.lua.un~", "._a.lua", "a.lua.swp", "a.lua.part",
            "a (copy).lua.tmp", ".hidden.lua", "_a.lua", "a_test.lua",
        ] { try stream.write(version(3), to: name) }
        try await stream.isLookedAt()
        try await stream.moreEvents()
        stream.end(events: [["reload_v1"]], lines: [Self.first])
    }

    @Test func `names with line ends, escapes, odd bytes or 255 of them are no plugins and not in the log`()
        async throws
    {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        var names = [
            "a\nlevel=error.lua", "b\u{1B}[2J.lua", "-rf.lua", "..lua", "q\".lua",
            String(repeating: "d", count: 251) + ".lua",
        ].map { Array($0.utf8) }
        names.append(Array("c".utf8) + [0xFF] + Array(".lua".utf8))
        for name in names {
            let path = Array((stream.path + "/").utf8) + name + [0]
            let file = path.map { CChar(bitPattern: $0) }.withUnsafeBufferPointer { path in
                path.baseAddress.map { open($0, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644) } ?? -1
            }
            try #require(file >= 0)
            let text = version(3)
            #expect(Glibc.write(file, text, text.utf8.count) == text.utf8.count)
            close(file)
        }
        try await stream.isLookedAt()
        try await stream.moreEvents()
        stream.end(events: [["reload_v1"]], lines: [Self.first])
    }

    @Test func `an unreadable file leaves its old version running, and other files load`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)], isUnprivileged: true)
        try await stream.counts("reload_v1")
        #expect(chmod(stream.path("a.lua"), 0) == 0)
        let refused = "a: does not load: a.lua: cannot be read: Permission denied; the running version stays"
        try await stream.says(refused)
        #expect(stream.condition(of: "a") == .stale)
        try stream.write(version(3), to: "b.lua")
        try await stream.counts("reload_v1", "reload_v3")
        #expect(chmod(stream.path("a.lua"), 0o644) == 0)
        let back = "a: its file holds what runs again"
        try await stream.says(back)
        #expect(stream.condition(of: "a") == .running)
        stream.end(
            events: [["reload_v1"], ["reload_v1", "reload_v3"]],
            lines: [Self.first, refused, "b: loaded, generation 1", back]
        )
    }

    @Test(arguments: [0o444, 0o111] as [mode_t])
    func `a folder that may not be read for a while leaves everything running`(_ mode: mode_t) async throws {
        let pack = version(3)
        let stream = try await ReloadStream(["a.lua": version(1)], isUnprivileged: true)
        try stream.makeFolder("pack")
        try stream.write(pack, to: "pack/init.lua")
        try await stream.counts("reload_v1", "reload_v3")
        #expect(chmod(stream.path, mode) == 0)
        let refused = "folder: the plugins folder cannot be read: Permission denied; what runs goes on"
        try await stream.says(refused)
        // A second look says nothing.
        stream.host.loadAll()
        try await stream.moreEvents()
        #expect(stream.condition(of: "a") == .running)
        #expect(chmod(stream.path, 0o755) == 0)
        try stream.write(version(2), to: "a.lua")
        try await stream.counts("reload_v2", "reload_v3")
        #expect(stream.lines.count { $0 == refused } <= 2)
        #expect(
            stream.lines.filter { $0 != refused } == [Self.first, "pack: loaded, generation 1", Self.second]
        )
        stream.end(events: [["reload_v1"], ["reload_v1", "reload_v3"], ["reload_v2", "reload_v3"]])
    }

    @Test func `a folder deleted and created again unloads its plugins, then loads what is in the new one`()
        async throws
    {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        try FileManager.default.removeItem(atPath: stream.path)
        try await stream.counts()
        #expect(mkdir(stream.path, 0o755) == 0)
        try stream.write(version(2), to: "a.lua")
        try await stream.counts("reload_v2")
        stream.end(
            events: [["reload_v1"], [], ["reload_v2"]],
            lines: [Self.first, "a: unloaded: its file is gone", Self.second]
        )
    }

    @Test func `a huge file, with nothing in it, is refused by its size`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        for (name, bytes) in [("huge.lua", 200 << 20), ("sparse.lua", 100 << 30)] {
            try stream.write("", to: "." + name)
            #expect(truncate(stream.path("." + name), bytes) == 0)
            try stream.rename("." + name, name)
        }
        try await stream.isLookedAt()
        let rest = "bytes; at most 32768 (split it into modules)"
        stream.end(
            events: [["reload_v1"]],
            lines: [
                Self.first, "huge: does not load: huge.lua: is \(200 << 20) \(rest)",
                "sparse: does not load: sparse.lua: is \(100 << 30) \(rest)",
            ]
        )
    }

    @Test func `a pipe, a folder, a socket and a device are refused and not waited for`() async throws {
        let stream = try await ReloadStream(["a.lua": version(1)])
        try await stream.counts("reload_v1")
        #expect(mkfifo(stream.path("fifo.lua"), 0o600) == 0)
        try stream.makeFolder("dir.lua")
        #expect(mknod(stream.path("sock.lua"), S_IFSOCK | 0o600, 0) == 0)
        try stream.link("zero.lua", to: "/dev/zero")
        try await stream.isLookedAt()
        stream.host.loadAll()
        try await stream.moreEvents()
        #expect(stream.lines.first == Self.first)
        #expect(
            Set(stream.lines.dropFirst()) == [
                "dir: does not load: dir.lua: is no regular file",
                "fifo: does not load: fifo.lua: is no regular file",
                "sock: does not load: sock.lua: cannot be read: No such device or address",
                "zero: does not load: zero.lua: is a link that leads out of the plugins folder",
            ]
        )
        #expect(stream.lines.count == 5)
        stream.end(events: [["reload_v1"]])
    }

    @Test func `more file events than the kernel keeps, while a file loads for long, hide no change`()
        async throws
    {
        let stream = try await ReloadStream(["a.lua": version(1)], loadTime: .milliseconds(700))
        try await stream.counts("reload_v1")
        // Nobody takes events while this loads.
        try stream.replace("busy.lua", with: "while true do end")
        let text = try String(contentsOfFile: "/proc/sys/fs/inotify/max_queued_events", encoding: .utf8)
        let bound = Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 16_384
        // Each file is created, closed and removed.
        for number in 0..<min(bound / 3 + 500, 20_000) {
            try stream.write("", to: "o\(number % 300).lua")
            try stream.remove("o\(number % 300).lua")
        }
        try stream.write(version(2), to: "a.lua")
        try await stream.counts("reload_v2")
        #expect(stream.lines.filter { $0.hasPrefix("a: ") } == [Self.first, Self.second])
        #expect(stream.lines.count { $0.contains("does not load") } <= 1)
        stream.end(events: [["reload_v1"], ["reload_v2"]])
    }

    @Test func `a watch that is started and stopped over and over leaves no descriptor`() throws {
        let folder = try TemporaryFolder()
        let cycles = 300
        let before = waitingDescriptorCount()
        for _ in 0..<cycles {
            let host = PluginHost(
                PluginConfiguration(folder: folder.path),
                registry: MetricRegistry(),
                workers: 1,
                now: { moment }
            )
            host.startWatching()
            host.stop()
        }
        // Other tests have some of their own, but not as many.
        #expect(waitingDescriptorCount() - before < cycles / 3)
    }
}
