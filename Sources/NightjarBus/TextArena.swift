import CNightjarSignals
import NightjarSignals

/// Copies of texts that are kept together and freed together, each once; the owner frees them by `deallocate`.
struct TextArena {
    private var texts: [nj_text] = []
    private var blocks: [UnsafeMutableRawPointer] = []
    private var room = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    /// Where a text is, by its hash, once there are many.
    private var places: [UInt64: Int32] = [:]

    /// Names live longer than payloads, so they are cut: no label keeps more of one anyway.
    private static let limit = 4096
    private static let block = 256
    /// So many are searched, which costs less than a dictionary.
    private static let searchLimit = 8

    /// A text kept earlier.
    subscript(place: Int32) -> nj_text { texts[Int(place)] }

    /// The place of a text, which is copied unless it is here.
    mutating func keep(_ whole: nj_text) -> Int32 {
        let text = nj_text(bytes: whole.bytes, length: min(whole.length, UInt32(Self.limit)))
        if texts.count <= Self.searchLimit {
            for place in texts.indices where texts[place].equals(text) { return Int32(place) }
        } else if let place = places[text.digest], texts[Int(place)].equals(text) {
            return place
        }
        let place = Int32(texts.count)
        texts.append(copy(text))
        if texts.count == Self.searchLimit + 1 {
            for (place, text) in texts.enumerated() { places[text.digest] = Int32(place) }
        } else if texts.count > Self.searchLimit {
            places[text.digest] = place
        }
        return place
    }

    private mutating func copy(_ text: nj_text) -> nj_text {
        let size = Int(text.length)
        if size > room.count {
            let block = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(size, Self.block),
                alignment: 1
            )
            if let start = block.baseAddress { blocks.append(start) }
            room = block
        }
        room.copyMemory(from: text.buffer)
        let kept = nj_text(UnsafeRawBufferPointer(rebasing: room[0..<size]))
        room = UnsafeMutableRawBufferPointer(rebasing: room[size...])
        return kept
    }

    /// Frees the memory; no text of it may be used any more.
    func deallocate() {
        for block in blocks { block.deallocate() }
    }
}

/// The first child that waits for each parent that has not arrived. Few are searched, which costs less than a dictionary.
struct WaitingChildren {
    private var few: [(parent: UInt64, child: Int32)] = []
    private var many: [UInt64: Int32] = [:]

    private static let searchLimit = 12

    /// Whether nobody waits.
    var isEmpty: Bool { few.isEmpty && many.isEmpty }

    /// Makes `child` the first that waits for a parent; returns who was, -1 for nobody.
    mutating func put(_ child: Int, for parent: UInt64) -> Int32 {
        for index in few.indices where few[index].parent == parent {
            defer { few[index].child = Int32(child) }
            return few[index].child
        }
        if many.isEmpty, few.count < Self.searchLimit {
            few.append((parent, Int32(child)))
            return -1
        }
        return many.updateValue(Int32(child), forKey: parent) ?? -1
    }

    /// The first that waits for a parent, which has arrived; nil where nobody does.
    mutating func take(_ parent: UInt64) -> Int32? {
        for index in few.indices where few[index].parent == parent {
            defer { few.remove(at: index) }
            return few[index].child
        }
        return many.isEmpty ? nil : many.removeValue(forKey: parent)
    }
}
