import NightjarBus
import NightjarSignals
import NightjarTesting
import Testing

@Suite struct BusTests {
    @Test func `an exporter gets the signals that it has a handler for, in order`() async {
        let test = TestBus()
        let exporter = ScriptedExporter()
        test.bus.register(exporter)
        test.bus.emit(log("a"))
        test.bus.emit(metric("b"))
        test.bus.emit([
            log("c"), .score(Score(id: "s", timestamp: Timestamp(unixNano: 1), scorerName: "x")), log("d"),
        ])
        #expect(await test.bus.flush().isComplete)
        #expect(exporter.messages.all == ["a", "b", "c", "d"])
        #expect(test.count("scripted", "delivered") == 4)
    }

    @Test func `events are handed over in batches of one signal`() async throws {
        let test = TestBus { $0.batchEvents = 3 }
        let barrier = Barrier()
        let exporter = ScriptedExporter { attempt in if attempt == 1 { await barrier.pass() } }
        test.bus.register(exporter)
        test.bus.emit(log("first"))
        try await wait(for: "the first call") { barrier.waiters == 1 }
        test.bus.emit(numbered(0..<4) + [metric("m"), log("z")])
        barrier.open()
        await test.bus.flush()
        #expect(exporter.batches.all == [1, 3, 1, 1, 1])
        #expect(exporter.messages.all == ["first", "0", "1", "2", "3", "m", "z"])
    }

    @Test func `one that fails keeps nothing from the others`() async {
        let test = TestBus()
        let good = ScriptedExporter("good")
        let seen = Kept<SignalEvent>()
        struct Refusal: Error {}
        test.bus.register(ScriptedExporter("bad") { _ in throw Refusal() })
        test.bus.subscribe("throwing", to: [.log]) { _ in throw Refusal() }
        test.bus.register(good)
        test.bus.subscribe("seeing", to: [.log], seen.add)
        test.bus.emit(numbered(0..<3))
        #expect(await test.bus.flush().isComplete)
        #expect(good.messages.all == ["0", "1", "2"])
        #expect(seen.all == numbered(0..<3))
        #expect(test.count("bad", "rejected") == 3)
        #expect(test.count("throwing", "rejected") == 3)
        #expect(test.faults.all.map(\.exporter).sorted() == ["bad", "throwing"])
    }

    @Test func `a cancelled subscription gets nothing more`() async {
        let test = TestBus()
        let seen = Kept<SignalEvent>()
        let subscription = test.bus.subscribe("seeing", to: [.log], seen.add)
        test.bus.emit(log("before"))
        await test.bus.flush()
        #expect(test.bus.wants(.log))
        subscription.cancel()
        subscription.cancel()
        #expect(!test.bus.wants(.log))
        test.bus.emit(log("after"))
        await test.bus.flush()
        #expect(seen.all == [log("before")])
    }

    @Test func `what waits for a cancelled subscription is forgotten`() async throws {
        let test = TestBus()
        let barrier = Barrier()
        let seen = Kept<SignalEvent>()
        let subscription = test.bus.subscribe("seeing", to: [.log]) { event in
            seen.add(event)
            await barrier.pass()
        }
        test.bus.emit(numbered(0..<3))
        try await wait(for: "the first event") { barrier.waiters == 1 }
        subscription.cancel()
        barrier.open()
        await test.bus.shutdown()
        #expect(seen.all == [log("0")])
    }

    @Test func `a bus wants only what someone listens to`() {
        let test = TestBus()
        #expect(Signal.allCases.allSatisfy { !test.bus.wants($0) })
        test.bus.register(ScriptedExporter())
        #expect(Set(Signal.allCases.filter(test.bus.wants)) == [.log, .metric, .drop])
        test.bus.subscribe("spans", to: [.tracing]) { _ in }
        #expect(test.bus.wants(.tracing))
    }

    @Test func `flush waits for what was emitted before and then for the exporter`() async {
        let test = TestBus()
        let exporter = ScriptedExporter()
        test.bus.register(exporter)
        test.bus.emit(numbered(0..<2000))
        #expect(await test.bus.flush().isComplete)
        #expect(exporter.flushes.all == [2000])
    }

    @Test func `shutdown hands over, flushes and lets go once, and then refuses`() async {
        let test = TestBus()
        let exporter = ScriptedExporter()
        test.bus.register(exporter)
        test.bus.emit(numbered(0..<5))
        async let first: Void = test.bus.shutdown()
        async let second: Void = test.bus.shutdown()
        _ = await (first, second)
        await test.bus.shutdown()
        test.bus.emit(numbered(5..<7))
        test.bus.register(ScriptedExporter("late"))
        await test.bus.flush()
        #expect(exporter.messages.count == 5)
        #expect(exporter.flushes.all == [5])
        #expect(exporter.shutdowns.all == [5])
        #expect(test.count("bus", "shut_down") == 2)
        #expect(!test.bus.wants(.log))
    }

    @Test func `a bus that is let go of still hands over what it has`() async throws {
        let exporter = ScriptedExporter()
        do {
            let test = TestBus()
            test.bus.register(exporter)
            test.bus.emit(numbered(0..<3))
        }
        try await wait(for: "the end") { exporter.shutdowns.count == 1 }
        #expect(exporter.messages.count == 3)
    }

    @Test func `lines below the ceiling do not enter, and an exporter can only be stricter`() async {
        let test = TestBus { $0.logLevel = .info }
        let (loose, strict) = (
            ScriptedExporter("loose", logLevel: .debug), ScriptedExporter("strict", logLevel: .error)
        )
        let seen = Kept<SignalEvent>()
        test.bus.register(loose)
        test.bus.register(strict)
        test.bus.subscribe("seeing", seen.add)
        test.bus.emit(LogLevel.allCases.map { log($0.name, $0) })
        await test.bus.flush()
        #expect(loose.messages.all == ["info", "warn", "error", "fatal"])
        #expect(strict.messages.all == ["error", "fatal"])
        #expect(seen.count == 4)
        #expect(test.faults.all.map(\.code) == [.levelRaised])
        #expect(test.faults.all.first?.exporter == "loose")
    }

    @Test func `events of one trace keep their order under many emitters`() async {
        let test = TestBus()
        let seen = Kept<String>()
        test.bus.subscribe("seeing", to: [.log]) { event in
            if case .log(let log) = event { seen.add(log.message) }
        }
        await withTaskGroup(of: Void.self) { group in
            for emitter in 0..<4 {
                group.addTask { for number in 0..<500 { test.bus.emit(log("\(emitter) \(number)")) } }
            }
        }
        await test.bus.flush()
        for emitter in 0..<4 {
            let own = seen.all.filter { $0.hasPrefix("\(emitter) ") }
            #expect(own == (0..<500).map { "\(emitter) \($0)" })
        }
    }
}
