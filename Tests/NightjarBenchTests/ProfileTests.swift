import Foundation
import NightjarBench
import Testing

#if canImport(FoundationXML)
import FoundationXML
#endif

/// Where the source lies that the tests were built of.
enum Repository {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
}

/// Samples into a picture.
@Suite struct ProfileTests {
    @Test func `stacks are read with the outermost call first`() {
        let samples = StackSamples(
            """
            nightjar
            \tffffffff81b6ff48 vfs_write ([kernel.kallsyms])
            \t          aa355 [unknown] (/usr/lib/libsqlite3.so.0)
            \t          101bcd sqlite3WalFrames (/usr/lib/libsqlite3.so.0)
            \t          d7 $s13NightjarStore11GroupWriterC3runyyF (/x/nightjar)

            nightjar
            \t          d8 swift::jobInvoke(void*, void*, unsigned int) (/x/libswift_Concurrency.so)

            """
        )
        #expect(samples.stacks.count == 2)
        let first = samples.stacks[0]
        #expect(
            first.frames.map(\.symbol) == [
                "$s13NightjarStore11GroupWriterC3runyyF", "sqlite3WalFrames", "[unknown]", "vfs_write",
            ]
        )
        #expect(first.frames.map(\.isKernel) == [false, false, false, true])
        #expect(samples.stacks[1].frames.map(\.symbol) == ["swift::jobInvoke(void*, void*, unsigned int)"])
    }

    @Test(arguments: [
        ("specialized TraceAssembler.process(_:known:into:)", "TraceAssembler.process"),
        ("@objc closure #1 in LogCheckpoint.init(_:pages:)", "LogCheckpoint.init"),
        ("closure #2 in closure #1 in specialized static Engine.run<A>(_:)", "Engine.run"),
        ("protocol witness for Worker.take() in conformance Core", "Worker.take"),
        ("sqlite3_step", "sqlite3_step"),
    ])
    func `names are short`(demangled: String, short: String) {
        #expect(FunctionName.short(demangled) == short)
    }

    @Test(arguments: [
        "start_thread", "_dispatch_lane_invoke", "partial apply for closure #1 in A.b()", "[unknown]",
    ])
    func `what starts threads and tasks is passed over`(demangled: String) {
        #expect(FunctionName.short(demangled) == nil)
    }

    @Test func `the picture is well-formed, and says how much each call takes`() {
        let tree = CallTree("all", .other)
        for _ in 0..<3 { tree.add([("Worker.run", .settling), ("Array<Int> & more", .other)]) }
        tree.add([("Store.write", .store)])
        let svg = FlameGraph(title: "A \"server\" <here>", tree: tree).svg
        #expect(XMLParser(data: Data(svg.utf8)).parse())
        for text in [
            "Worker.run, 75.0 %", "Store.write, 25.0 %", "Array&lt;Int&gt; &amp; more",
            "prefers-color-scheme:dark",
        ] {
            #expect(svg.contains(text), "\(text)")
        }
    }
}
