import Logging
import Nightjar
import Testing

/// The backend of swift-log: signals contract, sections 2a and 5.
@Suite struct LogBackendTests {
    @Test func `a line belongs to the span that is current in its task`() async throws {
        try await BackendProgram.run { program in
            let logger = program.logger()
            let options = SpanOptions(metadata: ["userId": "u1"])
            let ids = await program.observability.withSpan("support", type: .agentRun, with: options) { run in
                logger.info("inside")
                async let line: Void = logger.info("in a child task")
                await line
                return (run.traceID, run.id)
            }
            logger.info("outside")
            let logs = await program.flushed().logs
            #expect(logs.map(\.message) == ["inside", "in a child task", "outside"])
            #expect(logs.map(\.traceID) == [ids.0, ids.0, nil])
            #expect(logs.map(\.spanID) == [ids.1, ids.1, nil])
            #expect(logs[0].metadata["userId"] == "u1")
            #expect(logs[0].correlation.entity.name == "support")
            #expect(logs[2].metadata.isEmpty)
            #expect(logs[2].correlation.entity.isEmpty)
            #expect(logs[2].correlation.serviceName == "shop")
        }
    }

    @Test(arguments: [
        (Logger.Level.trace, LogLevel.debug), (.debug, .debug), (.info, .info), (.notice, .info),
        (.warning, .warn), (.error, .error), (.critical, .fatal),
    ])
    func `every level has one here`(level: Logger.Level, expected: LogLevel) async throws {
        try await BackendProgram.run { program in
            program.logger().log(level: level, "line")
            #expect(await program.flushed().logs.map(\.level) == [expected])
        }
    }

    @Test func `metadata keeps its form, and the nearest of the same key holds`() async throws {
        try await BackendProgram.run { program in
            let provider = Logger.MetadataProvider { ["b": "provider", "c": "provider"] }
            var logger = Logger(label: "shop") { label in
                program.observability.logHandler(label: label, metadataProvider: provider)
            }
            for key in ["a", "b"] { logger[metadataKey: key] = "handler" }
            logger.info(
                "line",
                metadata: [
                    "c": "line", "number": .stringConvertible(3),
                    "nested": ["list": ["x", ["y": "z"]]],
                ]
            )
            let data = try #require(await program.flushed().logs.first?.data)
            #expect(data["a"] == "handler")
            #expect(data["b"] == "provider")
            #expect(data["c"] == "line")
            #expect(data["number"] == "3")
            #expect(data["nested"] == ["list": ["x", ["y": "z"]]])
        }
    }

    @Test func `a line says which logger wrote it, where, and with what error`() async throws {
        try await BackendProgram.run { program in
            program.logger("shop.orders").error("failed", error: Failure())
            let data = try #require(await program.flushed().logs.first?.data)
            #expect(data["logger.name"] == "shop.orders")
            #expect(data["code.file.path"] == "NightjarTests/LogBackendTests.swift")
            #expect(data["code.line.number"]?.number.map { $0 > 60 } == true)
            #expect(data["code.function.name"]?.string?.hasPrefix("a line says which logger") == true)
            #expect(data["exception.message"] == "the kettle is cold")
            #expect(data["exception.type"]?.string?.hasSuffix("Failure") == true)
        }
    }

    @Test func `the logger's level holds, and no logger is louder than the configuration`() async throws {
        try await BackendProgram.run(logLevel: .warn) { program in
            var logger = program.logger()
            logger.info("below the configuration's")
            logger.warning("kept")
            logger.logLevel = .error
            logger.warning("below the logger's")
            #expect(await program.flushed().logs.map(\.message) == ["kept"])
            #expect(program.observability.logHandler(label: "new").logLevel == .info)
        }
    }

    @Test func `what the library says of itself does not come back as a signal`() async throws {
        try await BackendProgram.run { program in
            program.logger("nightjar").error("an exporter failed")
            #expect(await program.flushed().logs.isEmpty)
            #expect(Observability.Configuration().logger.label == "nightjar")
        }
    }

    @Test func `lines of a trace that is not sampled follow it`() async throws {
        try await BackendProgram.run(sampling: [.never]) { program in
            program.observability.withSpan("support") { _ in program.logger().info("inside") }
            #expect(await program.flushed().logs.isEmpty)
        }
    }

    @Test func `a span of another program's observability is not this one's`() async throws {
        try await BackendProgram.run { other in
            try await BackendProgram.run { program in
                other.observability.withSpan("elsewhere") { _ in program.logger().info("here") }
                let logs = await program.flushed().logs
                #expect(logs.map(\.traceID) == [nil])
            }
        }
    }
}
