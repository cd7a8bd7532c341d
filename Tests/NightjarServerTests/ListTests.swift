import Nightjar
import NightjarSignals
import NightjarTesting
import Testing

/// Lists of traces and signals, over HTTP.
@Suite struct ListTests {
    /// A small trace by OTLP: an agent that asks a model and calls a tool.
    static func send(
        _ number: Int,
        to server: TestServer,
        session: String = "s1",
        input: String = "hello",
        tags: [Value] = ["prod"]
    ) async throws {
        let trace = trace(number)
        let text: Value = ["type": "text", "content": .string(input)]
        let message: Value = ["role": "user", "parts": .array([text])]
        let tail = String(number + 100)
        let spans: [[UInt8]] = [
            IngestTests.body(
                trace: trace,
                span: "b\(tail)",
                parent: "a\(tail)",
                name: "chat",
                attributes: [
                    ("gen_ai.operation.name", "chat"), ("gen_ai.request.model", .string("gpt-\(number % 3)")),
                    ("gen_ai.usage.input_tokens", 7), ("gen_ai.usage.output_tokens", 2),
                    ("gen_ai.input.messages", .string(Value.array([message]).json)),
                ]
            ),
            IngestTests.body(
                trace: trace,
                span: "c\(tail)",
                parent: "a\(tail)",
                name: "execute_tool lookup",
                attributes: [("gen_ai.operation.name", "execute_tool"), ("gen_ai.tool.name", "lookup")]
            ),
            IngestTests.body(
                trace: trace,
                span: "a\(tail)",
                attributes: [
                    ("gen_ai.operation.name", "invoke_agent"), ("gen_ai.agent.name", "helper"),
                    ("session.id", .string(session)), ("user.id", "u1"),
                    ("langfuse.trace.tags", .string(Value.array(tags).json)),
                ]
            ),
        ]
        for body in spans { #expect(try await server.post(body, type: "application/json").status == 200) }
    }

    static func trace(_ number: Int) -> String { "4bf92f3577b34da6a3ce929d0e0e4\(700 + number)" }

    private func ids(_ server: TestServer, _ query: String) async throws -> [String] {
        let answer = try await server.client.get("/api/traces?\(query)")
        #expect(answer.status == 200, "\(query): \(answer.text)")
        return try answer.json()["traces"]?.array?.compactMap { $0["traceId"]?.string } ?? []
    }

    @Test func `traces are found by what ran in them, what was said of them and what they hold`() async throws
    {
        try await TestServer.run { server in
            try await Self.send(
                1,
                to: server,
                input: "Refund for Zürich, \"please\"",
                tags: ["prod", "beta"]
            )
            try await Self.send(2, to: server, session: "s2")
            let score: Value = ["scorerName": "tone", "score": 0.3]
            #expect(
                try await server.client.post("/api/traces/\(Self.trace(2))/scores", json: score).status == 201
            )
            let said: Value = ["feedbackType": "thumbs", "source": "user", "value": 1]
            #expect(
                try await server.client.post("/api/traces/\(Self.trace(1))/feedback", json: said).status
                    == 201
            )
            #expect(await server.engine.flush())
            let (one, two) = (Self.trace(1), Self.trace(2))
            let searches: [(String, [String])] = [
                ("model=gpt-1", [one]), ("model=gpt-2", [two]), ("tool=lookup", [two, one]),
                ("tool=look", []),
                ("agent=helper&session=s2", [two]), ("tag=prod", [two, one]), ("tag=prod&tag=beta", [one]),
                ("scorer=tone", [two]), ("scorer=tone&minScore=0.4", []), ("scorer=tone&maxScore=0.4", [two]),
                ("feedback=thumbs", [one]), ("feedback=thumbs:1", [one]), ("feedback=*&scorer=tone", []),
                ("status=ok&service=shop&user=u1", [two, one]), ("status=running", []),
                ("name=invoke_agent+helper&model=gpt-1", [one]),
                ("minDuration=100ms&maxDuration=1s", [two, one]),
                ("minDuration=1s", []), ("type=agent_run&sort=received", [two, one]),
                ("from=2026-09-01T00:00:00+02:00", [two, one]), ("to=2026-09-01T00:00:00Z", []),
                ("q=refund", [one]), ("q=REFUND+for+z", [one]), ("q=Z%C3%BCrich", [one]),
                ("q=%22please%22", [one]), ("q=execute_tool", [two, one]), ("q=hello&model=gpt-1", []),
                ("q=hello", [two]), ("q=absent", []), ("q=gen_ai.operation", []), ("model=&q=", [two, one]),
            ]
            for (query, expected) in searches {
                #expect(try await ids(server, query).sorted() == expected.sorted(), "\(query)")
            }
            let first = try await server.client.get("/api/traces?model=gpt-1").json()["traces"]?.array?.first
            #expect(first?["models"] == ["gpt-1"] && first?["tools"] == ["lookup"])
            #expect(first?["agents"] == ["helper"] && first?["tags"] == ["prod", "beta"])
        }
    }

    @Test func `pages go on from their cursor`() async throws {
        try await TestServer.run { server in
            for number in 1...5 { try await Self.send(number, to: server) }
            #expect(await server.engine.flush())
            for query in ["", "q=hello&"] {
                var seen: [String] = []
                var cursor = ""
                for _ in 0..<5 where cursor.isEmpty || cursor != "end" {
                    let page = try await server.client.get("/api/traces?\(query)limit=2\(cursor)").json()
                    seen += page["traces"]?.array?.compactMap { $0["traceId"]?.string } ?? []
                    cursor = page["nextCursor"]?.string.map { "&cursor=\($0)" } ?? "end"
                }
                #expect(seen.count == 5 && Set(seen).count == 5, "\(query)")
            }
        }
    }

    @Test(
        arguments: [
            ("/api/traces?modell=x", "did you mean model?"), ("/api/traces?zzzzzzzz=1", "known are: agent"),
            ("/api/traces?status=done", "running, ok, error"), ("/api/traces?limit=501", "1 to 500"),
            ("/api/traces?model=a&model=b", "given twice"), ("/api/traces?cursor=x", "leave it out"),
            ("/api/traces?minScore=high", "a number"), ("/api/traces?from=soon", "ISO 8601"),
            ("/api/traces?q=%ff", "percent-encoded"),
            ("/api/traces/1?format=xml", "flat, tree, otlp, protobuf"),
            ("/api/logs?q=!!!", "no word"), ("/api/logs?level=loud", "debug, info"),
            ("/api/logs?trace=x", "no trace id"), ("/api/logs?user=a&userId=b", "given twice"),
            ("/api/scores?scorr=a", "did you mean scorer?"), ("/api/feedback?type=a", "is no parameter"),
            ("/api/sessions?model=a", "is no parameter"), ("/api/scores/summary?with=a", "name the other"),
            ("/api/scores/summary?step=1ms", "at least 1s"),
        ]
    )
    func `what is asked for wrongly is named with its cure`(path: String, cure: String) async throws {
        try await TestServer.run { server in
            let answer = try await server.client.get(path)
            #expect(answer.status == 400)
            #expect(answer.header("content-type") == "application/problem+json")
            #expect(try answer.json()["detail"]?.string?.contains(cure) == true, "\(answer.text)")
        }
    }

    @Test func `logs, scores and feedback are listed by what they belong to`() async throws {
        try await TestServer.run { server in
            try await Self.send(1, to: server)
            #expect(await server.engine.flush())
            let events: [Value] = [
                [
                    "type": "log",
                    "log": [
                        "level": "warn", "message": "payment gateway slow", "traceId": .string(Self.trace(1)),
                        "spanId": "a101",
                    ],
                ],
                ["type": "log", "log": ["level": "info", "message": "payment done", "tags": ["x"]]],
            ]
            let sent = try await server.client.send("POST", "/api/events", body: EventTests.lines(events))
            #expect(sent.status == 200, "\(sent.text)")
            let score: Value = ["scorerName": "tone", "score": 0.3, "label": "fine"]
            _ = try await server.client.post("/api/traces/\(Self.trace(1))/scores", json: score)
            let said: Value = ["feedbackType": "thumbs", "source": "user", "value": 1]
            _ = try await server.client.post("/api/traces/\(Self.trace(1))/feedback", json: said)
            #expect(await server.engine.flush())
            let lists: [(String, String, Int)] = [
                ("/api/logs", "logs", 2), ("/api/logs?level=warn", "logs", 1),
                ("/api/logs?q=paym*", "logs", 2),
                ("/api/logs?q=payment+slow", "logs", 1), ("/api/logs?q=%22gateway+slow%22", "logs", 1),
                ("/api/logs?q=%22slow+gateway%22", "logs", 0),
                ("/api/logs?trace=\(Self.trace(1))", "logs", 1),
                ("/api/logs?spanId=a101", "logs", 1), ("/api/logs?session=s1", "logs", 1),
                ("/api/logs?tag=x", "logs", 1),
                ("/api/logs?entityName=helper", "logs", 1), ("/api/logs?q=payment&session=s1", "logs", 1),
                ("/api/scores?scorer=tone&minScore=0.2&label=fine", "scores", 1),
                ("/api/scores?userId=u1", "scores", 1),
                ("/api/scores?maxScore=0.2", "scores", 0),
                ("/api/feedback?feedbackType=thumbs", "feedback", 1),
                ("/api/feedback?source=user", "feedback", 1), ("/api/feedback?source=system", "feedback", 0),
                ("/api/feedback?sessionId=s1", "feedback", 1),
            ]
            for (path, key, count) in lists {
                let answer = try await server.client.get(path)
                #expect(try answer.json()[key]?.array?.count == count, "\(path): \(answer.text)")
            }
        }
    }

    @Test func `sessions come with their sums, traces and what was said of them`() async throws {
        try await TestServer.run { server in
            for number in 1...3 { try await Self.send(number, to: server, session: number < 3 ? "a b" : "c") }
            let score: Value = ["scorerName": "goal", "score": 1]
            let posted = try await server.client.post("/api/sessions/a%20b/scores", json: score)
            #expect(posted.status == 201, "\(posted.text)")
            #expect(await server.engine.flush())
            let list = try await server.client.get("/api/sessions?user=u1").json()["sessions"]?.array ?? []
            #expect(Set(list.compactMap { $0["sessionId"]?.string }) == ["a b", "c"])
            let sums = list.first { $0["sessionId"] == "a b" }
            #expect(sums?["traceCount"] == 2 && sums?["spanCount"] == 6 && sums?["errorCount"] == 0)
            #expect(sums?["usage"] == ["inputTokens": 14, "outputTokens": 4])
            let one = try await server.client.get("/api/sessions/a%20b?limit=1").json()
            #expect(one["traces"]?.array?.count == 1 && one["traceCount"] == 2)
            #expect(one["scores"]?.array?.first?["scorerName"] == "goal")
            let cursor = try #require(one["nextCursor"]?.string)
            let rest = try await server.client.get("/api/sessions/a%20b?cursor=\(cursor)").json()
            #expect(rest["traces"]?.array?.count == 1 && rest["nextCursor"] == nil)
            #expect(try await server.client.get("/api/sessions/none").status == 404)
        }
    }

    @Test func `a summary tells versions, agreement and feedback apart`() async throws {
        try await TestServer.run { server in
            for number in 1...4 {
                try await Self.send(number, to: server)
                for (scorer, version, score) in [
                    ("tone", "1", 0.5), ("tone", "2", Double(number) / 4), ("other", "1", Double(number)),
                ] {
                    let body: Value = [
                        "id": .string("\(scorer)-\(number)"), "scorerName": .string(scorer),
                        "scorerVersion": .string(version), "score": .double(score),
                    ]
                    _ = try await server.client.post("/api/traces/\(Self.trace(number))/scores", json: body)
                }
                let said: Value = [
                    "feedbackType": "thumbs", "source": "user", "value": .int(number > 2 ? 1 : 0),
                ]
                _ = try await server.client.post("/api/traces/\(Self.trace(number))/feedback", json: said)
            }
            #expect(await server.engine.flush())
            let report = try await server.client.get("/api/scores/summary?scorer=tone&with=other&step=1h")
                .json()
            let tone = report["scorers"]?.array?.first { $0["scorer"] == "tone" }
            let versions = tone?["versions"]?.array ?? []
            #expect(versions.map { $0["version"] } == ["2", "1"])
            #expect(versions.map { $0["count"] } == [4, 4])
            #expect(versions.map { $0["mean"] } == [0.625, 0.5])
            #expect(versions.first?["histogram"]?.array?.count == 10)
            #expect(tone?["comparison"]?["count"] == 4)
            #expect(report["agreement"]?["count"] == 4 && report["agreement"]?["spearman"] == 1)
            let feedback = report["feedback"]?.array?.first { $0["scorer"] == "tone" }
            #expect(feedback?["areaUnderCurve"] == 1)
            #expect(report["stepMs"] == 3_600_000)
        }
    }

    @Test func `a trace comes as OTLP that a client could have sent`() async throws {
        try await TestServer.run { server in
            try await Self.send(1, to: server)
            #expect(await server.engine.flush())
            let answer = try await server.client.get("/api/traces/\(Self.trace(1))?format=otlp")
            #expect(answer.status == 200 && answer.header("content-type") == "application/json")
            let body = Array(answer.text.utf8)
            let before = try await server.client.get("/api/traces/\(Self.trace(1))").text
            #expect(try await server.client.send("DELETE", "/api/traces/\(Self.trace(1))").status == 204)
            #expect(try await server.post(body, type: "application/json").status == 200)
            #expect(await server.engine.flush())
            #expect(try await server.client.get("/api/traces/\(Self.trace(1))").text == before)
            #expect(try await server.client.get("/api/traces/00ff?format=otlp").status == 404)
        }
    }
}
