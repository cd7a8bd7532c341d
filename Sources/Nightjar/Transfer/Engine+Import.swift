import NightjarBus
import NightjarOTLP
package import NightjarSignals
import NightjarStore

/// What became of lines that were imported.
package struct ImportOutcome: Sendable, Equatable {
    /// How many were taken, by kind: spans, logs, scores, feedback.
    package private(set) var taken: [String: Int] = [:]
    /// How many were there already, just so.
    package private(set) var known = 0
    /// How many were refused: too old, too large, or of a trace that is sampled out here.
    package private(set) var refused = 0
    /// How many were passed over: metrics, ends of traces and losses, which come about anew.
    package private(set) var passedOver = 0

    /// Nothing.
    package init() {}

    /// The kinds in the order in which they are told.
    package static let order = ["spans", "logs", "scores", "feedback"]

    mutating func take(_ kind: String, _ count: Int) { taken[kind, default: 0] += count }
    mutating func know(_ count: Int) { known += count }
    mutating func refuse(_ count: Int) { refused += count }
    mutating func passOver(_ count: Int) { passedOver += count }

    /// Adds what became of further lines.
    package mutating func add(_ next: ImportOutcome) {
        taken.merge(next.taken) { $0 + $1 }
        known += next.known
        refused += next.refused
        passedOver += next.passedOver
    }

    /// The outcome as `POST /api/import` answers it.
    package var json: Value {
        var object = Value.Object()
        for name in Self.order { object[name] = .int(Int64(taken[name] ?? 0)) }
        return [
            "taken": .object(object), "known": .int(Int64(known)), "refused": .int(Int64(refused)),
            "passedOver": .int(Int64(passedOver)),
        ]
    }

    /// Reads what `json` wrote.
    package init(json: Value) {
        func count(_ value: Value?) -> Int { value?.number.flatMap { Int(exactly: $0) } ?? 0 }
        for name in Self.order { taken[name] = count(json["taken"]?[name]) }
        (known, refused) = (count(json["known"]), count(json["refused"]))
        passedOver = count(json["passedOver"])
    }
}

extension Engine {
    /// Takes lines of an export, redacted and within the limits of what comes by OTLP; returns when they are on disk. What is there
    /// just so already is not taken again: a span by its bytes, a log line by all that it says, as often as it is in the lines, a
    /// score or feedback by its id. One import at a time; equal log lines have to come in one call.
    /// - Throws: ``EngineError``; what was taken before stays.
    package func ingest(_ lines: [TransferLine]) async throws(EngineError) -> ImportOutcome {
        guard store != nil else {
            throw EngineError(code: .malformed, detail: "nothing is stored: the server runs with --db none")
        }
        try checkRoom()
        var outcome = ImportOutcome()
        var events: [SignalEvent] = []
        var spans: [(trace: TraceID, message: [UInt8])] = []
        for line in lines {
            switch line {
            case .span(let trace, let message): spans.append((trace, try redacted(message)))
            case .spanEvent(let event): spans.append(try message(of: event))
            case .event(let event): events.append(receivedEdge.cleaned(event))
            case .passedOver: outcome.passOver(1)
            }
        }
        try await take(spans, &outcome)
        guard !events.isEmpty else { return outcome }
        // Verdicts that are found in the spans come first, and so do log lines of an earlier call.
        guard await flush() else {
            throw EngineError(
                code: .overloaded,
                detail: "what was taken is not processed yet; send again later"
            )
        }
        let unknown = try await unknownEvents(events, &outcome)
        if !unknown.isEmpty { _ = try await ingest(unknown, receivedEdge) }
        for event in unknown {
            switch event {
            case .log: outcome.take("logs", 1)
            case .score: outcome.take("scores", 1)
            default: outcome.take("feedback", 1)
            }
        }
        return outcome
    }

    /// Whether any trace is under way; nothing of one that was exported is, once all is taken.
    package func hasOpenTraces() async throws -> Bool {
        try await reads.run { [store] in
            var query = TraceQuery()
            (query.isOpen, query.limit) = (true, 1)
            return try store?.traces(query).traces.isEmpty == false
        }
    }

    // MARK: - Spans

    private func redacted(_ message: [UInt8]) throws(EngineError) -> [UInt8] {
        do throws(OTLPError) {
            guard let clean = try payloads.redacted(Payload(message)) else { return message }
            return try SpanMessages.split(clean).first ?? message
        } catch {
            throw EngineError(error)
        }
    }

    private func message(of event: SignalEvent) throws(EngineError) -> (trace: TraceID, message: [UInt8]) {
        let clean = edge.cleaned(event)
        guard let span = clean.span else { preconditionFailure("only spans are written as such") }
        return (span.traceID, SpanEncoder.request([(span: span, hasEnded: clean.hasEnded)]))
    }

    private func take(
        _ spans: [(trace: TraceID, message: [UInt8])],
        _ outcome: inout ImportOutcome
    ) async throws(EngineError) {
        var order: [TraceID] = []
        var groups: [TraceID: [[UInt8]]] = [:]
        for (trace, message) in spans {
            if groups[trace] == nil { order.append(trace) }
            groups[trace, default: []].append(message)
        }
        var requests: [TraceRequest] = []
        for trace in order {
            let messages = groups[trace] ?? []
            let fresh = try await unknown(messages, of: trace)
            outcome.know(messages.count - fresh.count)
            guard let request = try request(fresh, &outcome) else { continue }
            outcome.take("spans", request.spanCount + request.dropped)
            requests.append(request)
        }
        if !requests.isEmpty { try await accept(requests, receivedAt: now) }
    }

    /// Takes requests whose spans are of different traces, together or not at all.
    func accept(_ requests: [TraceRequest], receivedAt: Timestamp) async throws(EngineError) {
        let parts = requests.map { (request: $0, chunks: $0.chunks()) }
        guard let store else { return }
        _ = try await submit(to: store) { completion in
            Submission(
                chunks: parts.flatMap { $0.chunks.map(JournalChunk.init) },
                receivedAt: receivedAt
            ) { [self] result in
                // On the writer's thread, in the order of the journal: workers see requests in that order.
                if case .success(let receipt) = result {
                    var place = 0
                    for (request, chunks) in parts {
                        let end = place + chunks.count
                        dispatch(request, chunks, receipt, place..<end)
                        place = end
                    }
                }
                completion(result)
            }
        }
    }

    /// Hands a request to the workers that is on disk; its chunks have these places in the receipt.
    func dispatch(
        _ request: TraceRequest,
        _ chunks: [TraceChunk],
        _ receipt: SubmissionReceipt,
        _ places: Range<Int>
    ) {
        let known = zip(chunks, receipt.isNewTrace[places]).filter { !$1 }.map(\.0.traceID)
        let sequences = receipt.sequences[places]
        dispatch(
            request,
            known: Set(known),
            sequence: sequences.last ?? 0,
            sequences: mayChangeSpans ? Dictionary(zip(chunks.map(\.traceID), sequences)) { $1 } : [:]
        )
    }

    /// Those that are not stored just so.
    private func unknown(
        _ messages: [[UInt8]],
        of trace: TraceID
    ) async throws(EngineError) -> [[UInt8]] {
        let stored: [StoredChunk] = try await looking { try $0.chunks(of: trace) }
        var seen: Set<[UInt8]> = []
        do throws(OTLPError) {
            for chunk in stored { seen.formUnion(try SpanMessages.split(Payload(chunk.payload))) }
        } catch {
            throw EngineError(error)
        }
        return messages.filter { seen.insert($0).inserted }
    }

    /// The spans of one trace as a request, those alone that can be taken.
    private func request(
        _ messages: [[UInt8]],
        _ outcome: inout ImportOutcome
    ) throws(EngineError) -> TraceRequest? {
        func decode(_ bytes: [UInt8]) throws(EngineError) -> TraceRequest {
            do throws(OTLPError) {
                return try TraceRequest.decode(
                    bytes,
                    encoding: .protobuf,
                    receivedAt: now,
                    workers: workers.count,
                    limits: spanLimits
                )
            } catch {
                throw EngineError(error)
            }
        }
        guard !messages.isEmpty else { return nil }
        // One message behind the other is the message of all.
        let whole = try decode(Array(messages.joined()))
        noteRefused(whole)
        outcome.refuse(whole.rejected)
        guard whole.rejected + whole.dropped > 0 else { return whole }
        var rest: [UInt8] = []
        for message in messages where try decode(message).spanCount == 1 { rest += message }
        return rest.isEmpty ? nil : try decode(rest)
    }

    // MARK: - What is said of them

    private func unknownEvents(
        _ events: [SignalEvent],
        _ outcome: inout ImportOutcome
    ) async throws(EngineError) -> [SignalEvent] {
        var unknown: [SignalEvent] = []
        var lines = StoredLines()
        for event in events {
            let isKnown: Bool
            switch event {
            case .log(let log):
                if lines.needs(log) {
                    let place = lines.place(of: log)
                    lines.add(try await looking { try $0.lines(at: place) }, at: place)
                }
                isKnown = lines.take(log)
            case .score(let score):
                isKnown = try await looking { try $0.score(score.id) }?.score.isEqual(score) == true
            case .feedback(let item):
                isKnown = try await looking { try $0.feedback(item.id) }?.feedback.isEqual(item) == true
            default: isKnown = true
            }
            if isKnown {
                outcome.know(1)
            } else if isTaken(event) {
                unknown.append(event)
            } else {
                outcome.refuse(1)
            }
        }
        return unknown
    }

    private func isTaken(_ event: SignalEvent) -> Bool {
        if case .log = event { return true }
        do throws(EngineError) {
            try refuseSampledOut(event.traceID)
            return true
        } catch {
            return error.code != .sampledOut
        }
    }

    private func looking<Found: Sendable>(
        _ look: @escaping @Sendable (SQLiteStore) throws -> Found
    ) async throws(EngineError) -> Found {
        guard let store else { preconditionFailure("an import was begun without a store") }
        do {
            return try await reads.run { try look(store) }
        } catch let error as StoreError {
            throw EngineError(error)
        } catch {
            throw EngineError(code: .unavailable, detail: "\(error)")
        }
    }
}

/// The log lines that are stored beside some that are imported, each as often as it is there.
private struct StoredLines {
    /// Where lines are looked for: a trace's all at once, others by their time.
    struct Place: Hashable, Sendable {
        let trace: TraceID?
        let time: Timestamp?
    }

    private var counts: [String: Int] = [:]
    private var places: Set<Place> = []

    func place(of log: Log) -> Place {
        Place(trace: log.traceID, time: log.traceID == nil ? log.timestamp : nil)
    }

    func needs(_ log: Log) -> Bool { !places.contains(place(of: log)) }

    mutating func add(_ logs: [Log], at place: Place) {
        places.insert(place)
        for log in logs { counts[Self.text(log), default: 0] += 1 }
    }

    /// All that it says; what it belongs to may have been found out when it was stored.
    private static func text(_ log: Log) -> String {
        var log = log
        log.correlation = Correlation()
        return log.json.json
    }

    /// Whether one like it is there that no other was taken for.
    mutating func take(_ log: Log) -> Bool {
        let text = Self.text(log)
        guard let count = counts[text], count > 0 else { return false }
        counts[text] = count - 1
        return true
    }
}

extension SQLiteStore {
    fileprivate func lines(at place: StoredLines.Place) throws(StoreError) -> [Log] {
        if let trace = place.trace { return try logs(of: trace).map(\.log) }
        var query = LogQuery()
        query.from = place.time
        query.to = place.time?.advanced(by: .nanoseconds(1))
        query.limit = TraceQuery.largestLimit
        var found: [Log] = []
        repeat {
            let page = try logs(query)
            found += page.records.map(\.log).filter { $0.traceID == nil }
            query.cursor = page.next
        } while query.cursor != nil
        return found
    }
}

extension Score {
    /// Whether another says the same; what a stored one belongs to may have been found out since, with the metadata of that.
    fileprivate func isEqual(_ other: Score) -> Bool {
        var copy = other
        copy.correlation = correlation
        copy.metadata = metadata.merging(other.metadata)
        return self == copy
    }
}

extension Feedback {
    /// Whether another says the same; what a stored one belongs to may have been found out since, with the metadata of that.
    fileprivate func isEqual(_ other: Feedback) -> Bool {
        var copy = other
        copy.correlation = correlation
        copy.metadata = metadata.merging(other.metadata)
        return self == copy
    }
}
