import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

@Suite struct BusFailureTests {
    static func unavailable(_ retryAfter: Duration? = nil) -> ExportError {
        ExportError(code: .unavailable, detail: "down", retryAfter: retryAfter)
    }

    @Test func `a retryable failure brings the same batch again after a growing pause`() async throws {
        let test = TestBus()
        let exporter = ScriptedExporter { if $0 <= 3 { throw Self.unavailable() } }
        test.bus.register(exporter)
        test.bus.emit(numbered(0..<3))
        for pause in [100, 200, 400] { try await test.clock.pass(.milliseconds(pause)) }
        #expect(await test.bus.flush().isComplete)
        #expect(exporter.attempts.all == [3, 3, 3, 3])
        #expect(exporter.messages.all == ["0", "1", "2"])
        #expect(exporter.drops.all.isEmpty)
    }

    @Test func `a pause that the destination asks for is kept, within bounds`() async throws {
        let test = TestBus { $0.callLimit = .seconds(9999) }
        let exporter = ScriptedExporter { attempt in
            if attempt == 1 { throw Self.unavailable(.seconds(7)) }
            if attempt == 2 { throw Self.unavailable(.seconds(86_400)) }
        }
        test.bus.register(exporter)
        test.bus.emit(log("a"))
        try await test.clock.pass(.seconds(7))
        try await test.clock.pass(.seconds(60))
        #expect(await test.bus.flush().isComplete)
        #expect(exporter.messages.all == ["a"])
    }

    @Test func `spent retries lose the batch, tell the others, and go on with the next`() async throws {
        let test = TestBus { $0.retries = 1 }
        let (failing, watching) = (
            ScriptedExporter("failing") { if $0 <= 2 { throw Self.unavailable() } },
            ScriptedExporter("watching")
        )
        test.bus.register(failing)
        test.bus.register(watching)
        test.bus.emit(numbered(0..<3))
        try await test.clock.pass(.milliseconds(100))
        try await test.waitForCount("failing", "retries_exhausted", 3)
        test.bus.emit(log("next"))
        await test.bus.flush()
        #expect(failing.messages.all == ["next"])
        let drop = try #require(watching.drops.all.first)
        #expect(
            (drop.signal, drop.reason, drop.count, drop.exporter) == (.log, "retries_exhausted", 3, "failing")
        )
        #expect(drop.detail == "down")
        #expect(failing.drops.all.isEmpty)
    }

    @Test func `a rejection loses as many events as it names`() async {
        let test = TestBus()
        test.bus.register(
            ScriptedExporter { _ in throw ExportError(code: .rejected, detail: "no", lostCount: 2) }
        )
        test.bus.emit(numbered(0..<5))
        await test.bus.flush()
        #expect(test.count("scripted", "rejected") == 2)
        #expect(test.count("scripted", "delivered") == 3)
    }

    @Test func `a subscriber gets the event again for which it could not yet be called`() async throws {
        let test = TestBus()
        let (seen, calls) = (Kept<SignalEvent>(), Kept<SignalEvent>())
        test.bus.subscribe("seeing", to: [.log]) { event in
            calls.add(event)
            if calls.count == 2 { throw Self.unavailable() }
            seen.add(event)
        }
        test.bus.emit(numbered(0..<3))
        try await test.clock.pass(.milliseconds(100))
        await test.bus.flush()
        #expect(seen.all == numbered(0..<3))
        #expect(calls.count == 4)
    }

    @Test func `an event that a subscriber refuses, or hangs on, is lost alone`() async throws {
        let test = TestBus()
        let (seen, forever) = (Kept<SignalEvent>(), ManualClock())
        test.bus.subscribe("seeing", to: [.log]) { event in
            if event == log("1") { throw ExportError(code: .rejected, detail: "no") }
            if event == log("3") { try await forever.sleep(for: .seconds(1)) }
            seen.add(event)
        }
        test.bus.emit(numbered(0..<6))
        try await test.clock.pass(.seconds(5))
        #expect(await test.bus.flush().isComplete)
        #expect(seen.all == [0, 2, 4, 5].map { log("\($0)") })
        #expect(test.count("seeing", "rejected") == 1)
        #expect(test.count("seeing", "timeout") == 1)
        #expect(test.count("seeing", "delivered") == 4)
    }

    @Test func `a call over the limit is cancelled and its batch is lost`() async throws {
        let test = TestBus()
        let forever = ManualClock()
        let hanging = ScriptedExporter("hanging") { if $0 == 1 { try await forever.sleep(for: .seconds(1)) } }
        test.bus.register(hanging)
        test.bus.emit(numbered(0..<2))
        try await test.clock.pass(.seconds(5))
        try await test.waitForCount("hanging", "timeout", 2)
        test.bus.emit(log("next"))
        #expect(await test.bus.flush().isComplete)
        #expect(hanging.messages.all == ["next"])
        #expect(test.faults.all.map(\.code) == [.timeout])
    }

    @Test func `a call that minds no cancellation gets no second one beside it and holds up nobody`()
        async throws
    {
        let test = TestBus { $0.queueEvents = 4 }
        let barrier = Barrier()
        let (hanging, good) = (
            ScriptedExporter("hanging") { if $0 == 1 { await barrier.pass() } }, ScriptedExporter("good")
        )
        test.bus.register(hanging)
        test.bus.register(good)
        test.bus.emit(log("first"))
        try await wait(for: "the call") { barrier.waiters == 1 }
        try await test.clock.pass(.seconds(5))
        try await test.waitForCount("hanging", "timeout", 1)
        for number in 0..<6 {
            test.bus.emit(log("\(number)"))
            try await test.waitForCount("good", "delivered", number + 2)
        }
        async let report = test.bus.flush()
        try await wait(for: "the flush of the other") { good.flushes.count == 1 }
        try await test.clock.pass(.seconds(5))
        #expect(await report.unfinished == ["hanging"])
        #expect(hanging.attempts.count == 1)
        #expect(test.count("hanging", "queue_full") == 2)
        #expect(good.drops.all.filter { $0.reason == "timeout" }.map(\.count) == [1])
        barrier.open()
        #expect(await test.bus.flush().isComplete)
        #expect(hanging.messages.all.suffix(4) == ["0", "1", "2", "3"])
    }

    @Test func `shutdown waits for one that hangs only by the limits, and counts what it held`() async throws
    {
        let test = TestBus()
        let barrier = Barrier()
        let hanging = ScriptedExporter("hanging") { _ in await barrier.pass() }
        let good = ScriptedExporter("good")
        test.bus.register(hanging)
        test.bus.register(good)
        test.bus.emit(log("first"))
        try await wait(for: "the call") { barrier.waiters == 1 }
        try await test.clock.pass(.seconds(5))
        try await test.waitForCount("hanging", "timeout", 1)
        test.bus.emit(numbered(0..<3))
        try await test.waitForCount("good", "delivered", 5)
        async let end: Void = test.bus.shutdown()
        try await test.clock.pass(.seconds(5))
        try await wait(for: "the end of the other") { good.shutdowns.count == 1 }
        try await test.clock.pass(.seconds(5))
        await end
        #expect(test.count("hanging", "shut_down") == 3)
        #expect(good.drops.all.filter { $0.reason == "shut_down" }.map(\.count) == [3])
        #expect(good.shutdowns.count == 1)
        barrier.open()
        try await wait(for: "the end of the exporter") { hanging.shutdowns.count == 1 }
        #expect(hanging.attempts.count == 1)
    }

    @Test func `a retry that waits is given up at the shutdown`() async throws {
        let test = TestBus()
        let exporter = ScriptedExporter { _ in throw Self.unavailable(.seconds(50)) }
        test.bus.register(exporter)
        test.bus.emit(numbered(0..<3))
        try await wait(for: "the first attempt") { test.clock.sleeps == [.seconds(50)] }
        async let end: Void = test.bus.shutdown()
        try await test.clock.pass(.seconds(5))
        await end
        #expect(test.count("scripted", "shut_down") == 3)
        #expect(exporter.shutdowns.count == 1)
    }

    @Test func `a full queue drops the newest, by events and by bytes, and tells it once a second`()
        async throws
    {
        let test = TestBus {
            $0.queueEvents = 10
            $0.queueBytes = 4000
        }
        let barrier = Barrier()
        let drops = Kept<SignalEvent>()
        test.bus.subscribe("slow", to: [.metric]) { _ in await barrier.pass() }
        test.bus.subscribe("watching", to: [.drop], drops.add)
        test.bus.emit(metric("first"))
        try await wait(for: "the call") { barrier.waiters == 1 }
        test.bus.emit((0..<12).map { metric("\($0)") })
        // The first loss is told at once; those of the following second together.
        try await wait(for: "the first drop") { drops.count == 1 }
        for number in 0..<3 { test.bus.emit(metric("\(number)")) }
        try await test.clock.pass(.seconds(1))
        try await wait(for: "the second drop") { drops.count == 2 }
        let told = drops.all.compactMap { if case .drop(let drop) = $0 { drop } else { nil } }
        #expect(told.map(\.count) == [2, 3])
        #expect(told.allSatisfy { $0.reason == "queue_full" && $0.exporter == "slow" })
        barrier.open()
        await test.bus.flush()
        let closed = Barrier()
        test.bus.subscribe("small", to: [.log]) { _ in await closed.pass() }
        test.bus.emit(log("first"))
        try await wait(for: "the call") { closed.waiters == 1 }
        test.bus.emit(log(String(repeating: "x", count: 3000)))
        test.bus.emit(log(String(repeating: "x", count: 3000)))
        #expect(test.count("small", "queue_full") == 1)
        closed.open()
    }

    @Test func `a drop about drops is counted and not told`() async throws {
        let test = TestBus { $0.queueEvents = 1 }
        let barrier = Barrier()
        let watching = ScriptedExporter("watching")
        test.bus.subscribe("slow", to: [.drop]) { _ in await barrier.pass() }
        test.bus.register(watching)
        let drop = Drop(signal: .log, reason: "queue_full", count: 1, timestamp: Timestamp(unixNano: 1))
        test.bus.emit(.drop(drop))
        try await wait(for: "the call") { barrier.waiters == 1 }
        for number in 2...5 {
            test.bus.emit(.drop(drop))
            try await test.waitForCount("watching", "delivered", number)
        }
        #expect(test.count("slow", "queue_full") == 3)
        barrier.open()
        await test.bus.flush()
        #expect(watching.drops.all == Array(repeating: drop, count: 5))
    }

    @Test func `where it may block, emit waits for room and loses nothing`() async throws {
        let test = TestBus {
            $0.queueEvents = 2
            $0.whenFull = .block
        }
        let barrier = Barrier()
        let exporter = ScriptedExporter { if $0 == 1 { await barrier.pass() } }
        test.bus.register(exporter)
        test.bus.emit(log("first"))
        try await wait(for: "the call") { barrier.waiters == 1 }
        let emitted = Kept<Int>()
        let emitter = onThread {
            test.bus.emit(numbered(0..<20))
            emitted.add(1)
        }
        #expect(emitted.count == 0)
        barrier.open()
        await emitter.value
        await test.bus.flush()
        #expect(exporter.messages.all == ["first"] + (0..<20).map(String.init))
    }

    @Test func `what waits for room keeps its place before what would fit`() async throws {
        let test = TestBus {
            $0.queueBytes = 3000
            $0.whenFull = .block
        }
        let barrier = Barrier()
        let exporter = ScriptedExporter { if $0 == 1 { await barrier.pass() } }
        test.bus.register(exporter)
        test.bus.emit(log("first"))
        try await wait(for: "the call") { barrier.waiters == 1 }
        let large = String(repeating: "x", count: 2900)
        let emitter = onThread { test.bus.emit([log("small"), log(large), log("last")]) }
        barrier.open()
        await emitter.value
        await test.bus.flush()
        #expect(exporter.messages.all == ["first", "small", large, "last"])
    }

    @Test func `blocking has a limit`() async throws {
        let test = TestBus {
            $0.queueEvents = 1
            $0.whenFull = .block
            $0.blockLimit = .seconds(2)
        }
        let barrier = Barrier()
        test.bus.register(ScriptedExporter { if $0 == 1 { await barrier.pass() } })
        test.bus.emit(log("first"))
        try await wait(for: "the call") { barrier.waiters == 1 }
        let emitter = onThread { test.bus.emit(numbered(0..<3)) }
        // The emitter looks at the clock when it first finds no room; how far it is then does not matter.
        try await wait(for: "the loss") {
            test.clock.advance(by: .seconds(1))
            return test.count("scripted", "queue_full") == 2
        }
        await emitter.value
        barrier.open()
    }
}
