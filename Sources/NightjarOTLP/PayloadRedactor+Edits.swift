import NightjarSignals

/// The places of a body where other bytes go in, in order.
struct PayloadEdits {
    private struct Edit {
        let range: Range<Int>
        /// Where in `bytes` what goes in lies.
        let replacement: Range<Int>
    }

    private var edits: [Edit] = []
    private var bytes: [UInt8] = []
    /// By how many bytes the body grows; less than zero where it shrinks.
    private(set) var growth = 0

    var isEmpty: Bool { edits.isEmpty }

    /// How many edits there are.
    var count: Int { edits.count }

    /// Puts bytes in the place of a range of the body behind all others.
    mutating func replace(_ range: Range<Int>, with new: some Collection<UInt8>) {
        insert(range, new, at: edits.count)
    }

    /// Writes the length of a message anew whose content was edited: by what came after `mark`.
    /// - Parameters:
    ///   - range: Where the old length is written.
    ///   - old: The old length.
    ///   - mark: The count and the growth from before the message.
    mutating func replaceLength(_ range: Range<Int>, _ old: Int, since mark: (count: Int, growth: Int)) {
        var writer = WireWriter()
        writer.varint(UInt64(old + growth - mark.growth))
        insert(range, writer.bytes, at: mark.count)
    }

    private mutating func insert(_ range: Range<Int>, _ new: some Collection<UInt8>, at place: Int) {
        let start = bytes.count
        bytes.append(contentsOf: new)
        edits.insert(Edit(range: range, replacement: start..<bytes.count), at: place)
        growth += bytes.count - start - range.count
    }

    /// The body with all edits made.
    func applied(to body: UnsafeRawBufferPointer) -> Payload {
        Payload(count: body.count + growth) { memory in
            bytes.withUnsafeBytes { replacements in
                var read = 0
                var written = 0
                func copy(_ source: UnsafeRawBufferPointer.SubSequence) {
                    UnsafeMutableRawBufferPointer(rebasing: memory[written..<written + source.count])
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: source))
                    written += source.count
                }
                for edit in edits {
                    copy(body[read..<edit.range.lowerBound])
                    copy(replacements[edit.replacement])
                    read = edit.range.upperBound
                }
                copy(body[read...])
            }
        }
    }
}
