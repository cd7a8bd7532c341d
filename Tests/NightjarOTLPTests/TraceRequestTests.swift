import CNightjarSignals
import NightjarOTLP
import NightjarSignals
import NightjarTesting
import Testing

/// Grouping by trace, partial success, and what is stored.
struct TraceRequestTests {
    private static func decode(_ body: [UInt8], workers: Int = 1) throws -> TraceRequest {
        try TraceRequest.decode(
            body,
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 5),
            workers: workers
        )
    }

    @Test(arguments: Captures.names)
    func `chunks decode back to the same spans`(_ client: String) throws {
        for request in try Captures.named(client).traceRequests {
            let decoded = try request.decoded(workers: 3)
            let chunks = decoded.chunks()
            #expect(chunks.map(\.spanCount).reduce(0, +) == decoded.spanCount)
            #expect(Set(chunks.map(\.traceID)).count == chunks.count)
            var again: [String: Span] = [:]
            let reader = OTLPSpanReader()
            for chunk in chunks {
                #expect(chunk.partition == Partition.of(chunk.traceID))
                let stored = try TraceRequest.decode(
                    chunk.payload,
                    encoding: .protobuf,
                    receivedAt: Timestamp(unixNano: 5),
                    workers: 1
                )
                #expect(stored.spanCount == chunk.spanCount)
                for reference in stored.references {
                    #expect(reference.row.pointee.traceID == chunk.traceID)
                    again[reference.key] = reader.span(reference)
                }
            }
            for reference in decoded.references { #expect(again[reference.key] == reader.span(reference)) }
        }
    }

    @Test func `a chunk is the bytes that came of its trace, each resource and scope once for neighbours`()
        throws
    {
        func span(_ trace: UInt8, _ id: UInt8, _ text: Int = 0) -> TestSpan {
            var span = TestSpan()
            (span.trace, span.id) = (Array(repeating: trace, count: 16), Array(repeating: id, count: 8))
            span.attributes = [("input.value", .text(String(repeating: "x", count: text)))]
            return span
        }
        let (first, second) = (
            [("service.name", TestValue.text("a"))], [("service.name", TestValue.text("b"))]
        )
        let sent =
            body([span(1, 1), span(2, 2), span(1, 3, 20_000)], scope: "s", resource: first)
            + body([span(1, 4)], scope: "t", resource: first)
            + body([span(2, 5, 300), span(3, 6), span(2, 7)], scope: "s", resource: second)
        let chunks = try Self.decode(sent).chunks()
        #expect(chunks.map(\.spanCount) == [3, 3, 1])
        #expect(
            chunks.map(\.traceID)
                == [1, 2, 3].map {
                    TraceID(high: 0x0101_0101_0101_0101 * $0, low: 0x0101_0101_0101_0101 * $0)
                }
        )
        let again = try TraceRequest.decode(
            chunks[0].payload,
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1
        )
        #expect(again.references.map(\.row.pointee.id) == [1, 3, 4].map { 0x0101_0101_0101_0101 * $0 })
        let (lone, pair) = (body([span(2, 2)], scope: "s", resource: first), [span(2, 5, 300), span(2, 7)])
        #expect(chunks[1].payload == lone + body(pair, scope: "s", resource: second))
        #expect(chunks[2].payload == body([span(3, 6)], scope: "s", resource: second))
    }

    @Test func `a trace stays with one worker, in the order sent`() throws {
        let spans = (0..<600).map { index -> TestSpan in
            var span = TestSpan()
            span.trace = Array(repeating: UInt8(index % 7 + 1), count: 16)
            span.id = [1, UInt8(index / 256), UInt8(index % 256)]
            return span
        }
        let request = try Self.decode(body(spans), workers: 3)
        defer { withExtendedLifetime(request) {} }
        #expect(request.spanCount == 600)
        var last: [TraceID: UInt64] = [:]
        for (worker, slab) in request.slabs {
            for row in slab.spans {
                #expect(Partition.of(row.traceID) % 3 == worker)
                #expect(row.id > last[row.traceID] ?? 0)
                last[row.traceID] = row.id
            }
        }
        #expect(last.count == 7)
    }

    @Test func `a request of one trace is its own chunk`() throws {
        let bytes = body([TestSpan(), TestSpan(id: [9])])
        let chunk = try #require(try Self.decode(bytes).chunks().first)
        #expect(chunk.payload == bytes)
    }

    @Test func `spans with unfit ids are rejected alone`() throws {
        let request = try Self.decode(
            body([
                TestSpan(name: "good"),
                TestSpan(trace: [], name: "no trace"),
                TestSpan(trace: Array(repeating: 0, count: 16), name: "zero trace"),
                TestSpan(trace: Array(repeating: 1, count: 17), name: "long trace"),
                TestSpan(id: [], name: "no id"),
                TestSpan(id: Array(repeating: 1, count: 9), name: "long id"),
                TestSpan(parent: Array(repeating: 1, count: 9), name: "long parent"),
            ])
        )
        #expect(request.references.map { $0.row.pointee.name.string } == ["good"])
        #expect(request.rejected == 6)
        #expect(
            request.rejectedMessage
                == "rejected spans: 6 with a missing, malformed or all-zero trace or span id; "
                + "the first is resource_spans[0].scope_spans[0].spans[1]"
        )
        #expect(request.chunks().map(\.spanCount) == [1])
    }

    @Test func `short ids are padded with zeros in front`() throws {
        let request = try Self.decode(body([TestSpan(trace: [0xAB, 0xCD], id: [7])]))
        defer { withExtendedLifetime(request) {} }
        let row = try #require(request.references.first?.row.pointee)
        #expect(row.traceID.description == "0000000000000000000000000000abcd")
        #expect(row.id == 7)
    }

    @Test func `more attributes than allowed reject the span`() throws {
        let many = (0...1024).map { ("key.\($0)", TestValue.int(Int64($0))) }
        let request = try Self.decode(
            body([TestSpan(attributes: many), TestSpan(id: [1], attributes: Array(many.dropLast()))])
        )
        #expect(request.references.map { $0.row.pointee.attribute_count } == [1024])
        #expect(request.rejected == 1)
        #expect(request.rejectedMessage?.contains("too many attributes") == true)
    }

    @Test func `a span over the size limit is rejected`() throws {
        var limits = TraceRequest.Limits()
        limits.spanBytes = 200
        let large = TestSpan(attributes: [("text", .text(String(repeating: "x", count: 300)))])
        let request = try TraceRequest.decode(
            body([large, TestSpan()]),
            encoding: .protobuf,
            receivedAt: Timestamp(unixNano: 1),
            workers: 1,
            limits: limits
        )
        defer { withExtendedLifetime(request) {} }
        #expect(request.spanCount == 1)
        #expect(request.rejectedMessage?.contains("1 too large") == true)
    }

    @Test func `pending copies are accepted and dropped`() throws {
        let pending = TestSpan(attributes: [("logfire.span_type", "pending_span")])
        let request = try Self.decode(body([pending, TestSpan(id: [3], name: "real")]))
        defer { withExtendedLifetime(request) {} }
        #expect(request.dropped == 1)
        #expect(request.rejected == 0)
        #expect(request.references.map { $0.row.pointee.name.string } == ["real"])
        #expect(request.chunks().map(\.spanCount) == [1])
    }

    @Test func `a resource behind its spans is theirs all the same`() throws {
        var request = Message()
        request.message(1) { resourceSpans in
            resourceSpans.message(2) { scopeSpans in
                scopeSpans.data(2, TestSpan().encoded)
                scopeSpans.message(1) { $0.text(1, "late") }
            }
            resourceSpans.message(1) { $0.message(1) { $0.attribute("service.name", "late service") } }
        }
        let reference = try #require(try Self.decode(request.bytes).references.first)
        #expect(reference.row.pointee.service.string == "late service")
        #expect(reference.slab.context(of: reference.row).scope_name.string == "late")
    }

    @Test func `an unnamed service counts as missing`() throws {
        let request = try Self.decode(
            body([TestSpan()], resource: [("service.name", "unknown_service:node")])
        )
        #expect(request.references.first?.row.pointee.service.isPresent == false)
    }

    @Test(
        arguments: [
            ([("deployment.environment.name", "new"), ("deployment.environment", "old")], "new"),
            ([("deployment.environment", "old")], "old"),
            ([], nil),
        ] as [([(String, TestValue)], String?)]
    )
    func `the environment is read under its new key first`(
        _ resource: [(String, TestValue)],
        _ expected: String?
    ) throws {
        let request = try Self.decode(body([TestSpan()], resource: resource))
        defer { withExtendedLifetime(request) {} }
        #expect(request.references.first?.row.pointee.environment.string == expected)
    }
}
