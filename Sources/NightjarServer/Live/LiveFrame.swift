import NightjarSignals

/// An event as it goes over the wire, but for its id; made once for all who read it.
struct LiveFrame: Sendable {
    /// The lines `event:` and `data:`.
    let bytes: [UInt8]

    /// The frame of an event. Its JSON has no line ends, so that one `data:` line holds it.
    init(_ event: LiveEvent) { self.init(event.name, event.json) }

    /// That events passed which a reader did not get. `count` is absent where nobody counted them.
    static func gap(_ reason: String, count: Int?, after: String? = nil) -> LiveFrame {
        var gap: Value.Object = ["reason": .string(reason)]
        gap["count"] = count.map { .int(Int64($0)) }
        gap["after"] = after.map(Value.string)
        return LiveFrame("gap", ["type": "gap", "gap": .object(gap)])
    }

    /// That the reader was too slow: so many events were for it and are lost to it.
    static func dropped(lost: Int, _ settings: LiveSettings) -> LiveFrame {
        LiveFrame(
            "dropped",
            [
                "type": "dropped",
                "dropped": [
                    "reason": "too_slow", "count": .int(Int64(lost)),
                    "queueEvents": .int(Int64(settings.queueEvents)),
                    "queueBytes": .int(Int64(settings.queueBytes)),
                ],
            ]
        )
    }

    /// That the server stops.
    static let bye = LiveFrame("bye", ["type": "bye", "bye": ["reason": "server_stops"]])

    private init(_ name: String, _ json: Value) {
        var writer = JSONWriter()
        writer.write(json)
        bytes = Array("event: \(name)\ndata: ".utf8) + writer.bytes + [UInt8(ascii: "\n")]
    }
}

/// The ids of live events: which run of the server, and the how-many-th event of it.
struct LiveID: CustomStringConvertible {
    let run: String
    let number: UInt64

    init(run: String, number: UInt64) {
        self.run = run
        self.number = number
    }

    /// Reads what ``description`` wrote; nil for anything else.
    init?(_ text: String) {
        let parts = text.split(separator: "-", maxSplits: 1)
        guard parts.count == 2, let number = UInt64(parts[1]) else { return nil }
        self.init(run: String(parts[0]), number: number)
    }

    var description: String { "\(run)-\(number)" }
}
