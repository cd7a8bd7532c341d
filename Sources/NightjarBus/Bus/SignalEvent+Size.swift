import NightjarSignals

extension SignalEvent {
    /// About how many bytes of memory the event holds, by its texts and values; found without copying anything.
    package var approximateBytes: Int {
        switch self {
        case .spanStarted(let span), .spanUpdated(let span), .spanEnded(let span): span.approximateBytes
        case .log(let log):
            256 + log.message.utf8.count + log.data.approximateBytes + log.metadata.approximateBytes
        case .metric(let metric):
            256 + metric.metadata.approximateBytes
                + metric.labels.reduce(0) { $0 + 64 + $1.key.utf8.count + $1.value.utf8.count }
        case .score(let score): 384 + (score.reason?.utf8.count ?? 0) + score.metadata.approximateBytes
        case .feedback(let feedback):
            384 + feedback.value.approximateBytes + (feedback.comment?.utf8.count ?? 0)
                + feedback.metadata.approximateBytes
        case .drop: 128
        case .traceEnded: 64
        }
    }
}

extension Span {
    fileprivate var approximateBytes: Int {
        var bytes = Self.fixedBytes + name.utf8.count
        bytes += attributes.approximateBytes + metadata.approximateBytes
        bytes += resource.approximateBytes + scope.approximateBytes
        for event in events { bytes += 64 + event.name.utf8.count + event.attributes.approximateBytes }
        for link in links { bytes += 64 + link.attributes.approximateBytes }
        bytes += (input?.approximateBytes ?? 0) + (output?.approximateBytes ?? 0)
        if let errorInfo { bytes += errorInfo.message.utf8.count + (errorInfo.stack?.utf8.count ?? 0) }
        return bytes
    }
}

extension Value {
    fileprivate var approximateBytes: Int {
        switch self {
        case .string(let text): 32 + text.utf8.count
        case .bytes(let bytes): 32 + bytes.count
        case .array(let values): values.reduce(32) { $0 + $1.approximateBytes }
        case .object(let object): object.approximateBytes
        default: 16
        }
    }
}

extension Value.Object {
    fileprivate var approximateBytes: Int {
        // An entry stands in the list and, where there are many, in the table of places. Looked at where they lie: a copy of
        // each would cost more than to count.
        entries.withUnsafeBufferPointer { entries in
            var bytes = 32
            for place in entries.indices {
                bytes += 64 + entries[place].key.utf8.count + entries[place].value.approximateBytes
            }
            return bytes
        }
    }
}
