import Logging
import Nightjar
import NightjarTesting
import ServiceLifecycle
import Testing

/// The library as a service among others.
@Suite struct ServiceBackendTests {
    @Test func `a group that shuts down ends it last, with everything handed over`() async throws {
        try await BackendProgram.run { program in
            let group = ServiceGroup(
                services: [program.observability, Worker(observability: program.observability)],
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
            async let run: Void = group.run()
            try await wait(for: "the worker's span") { !program.collected.events.isEmpty }
            await group.triggerGracefulShutdown()
            try await run
            #expect(program.collected.spans.map(\.name) == ["work"])
            #expect(program.collected.isShutDown)
        }
    }

    @Test func `a task that is cancelled ends it too, with everything handed over`() async throws {
        try await BackendProgram.run { program in
            let task = Task { await program.observability.run() }
            for number in 1...2000 { program.observability.startSpan("work \(number)").end() }
            task.cancel()
            await task.value
            #expect(program.collected.spans.count == 2000)
            #expect(program.collected.isShutDown)
        }
    }
}

/// A service that has a span open as long as it runs.
private struct Worker: Service {
    let observability: Observability

    func run() async throws {
        try await observability.withSpan("work") { _ in
            // Ends with an error only where it is cancelled, which no test here does.
            try await gracefulShutdown()
        }
    }
}
