/// One event of a stream of server-sent events.
struct ServerSentEvent: Equatable {
    /// What it is called.
    var name = ""
    /// What it says; several `data:` lines are joined by line ends.
    var data = ""
}

/// Takes a stream of server-sent events apart, in whatever pieces it comes.
struct ServerSentEvents {
    /// A longer line is none of Nightjar's: a span has at most 16 MiB, and escapes make that six times as long at worst.
    static let lineLimit = 100 << 20

    /// The id that the last event with one had; it stays until another comes.
    private(set) var lastID: String?
    /// After how many milliseconds a reader is asked to come again.
    private(set) var retryMilliseconds: Int?
    /// Whether a line was too long: what follows it cannot be read.
    private(set) var isBroken = false

    private var line: [UInt8] = []
    private var name = ""
    private var data: [String] = []

    /// The events that are complete with these bytes.
    mutating func take(_ bytes: some Sequence<UInt8>) -> [ServerSentEvent] {
        var events: [ServerSentEvent] = []
        for byte in bytes where !isBroken {
            guard byte == UInt8(ascii: "\n") else {
                line.append(byte)
                isBroken = line.count > Self.lineLimit
                continue
            }
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            let text = String(decoding: line, as: UTF8.self)
            line.removeAll(keepingCapacity: line.capacity < 1 << 20)
            if text.isEmpty {
                if let event = dispatch() { events.append(event) }
            } else {
                read(text)
            }
        }
        return events
    }

    private mutating func dispatch() -> ServerSentEvent? {
        defer { (name, data) = ("", []) }
        guard !data.isEmpty else { return nil }
        return ServerSentEvent(name: name, data: data.joined(separator: "\n"))
    }

    private mutating func read(_ text: String) {
        // A comment: it says only that the server is there.
        guard !text.hasPrefix(":") else { return }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        var value = parts.count > 1 ? parts[1] : ""
        if value.first == " " { value.removeFirst() }
        switch parts[0] {
        case "event": name = String(value)
        case "data": data.append(String(value))
        case "id": lastID = String(value)
        case "retry": retryMilliseconds = Int(value).flatMap { $0 >= 0 ? $0 : nil } ?? retryMilliseconds
        default: break
        }
    }
}
