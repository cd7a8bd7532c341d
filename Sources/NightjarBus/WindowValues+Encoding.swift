import NightjarSignals

/// How windows are stored. A window is a byte of marks, the count, the sum, the least and greatest value, the last value of a
/// gauge with its time from the window's start, and the buckets of a sketch; whole numbers as varints, others as 8 bytes.
/// What is not known or follows from the rest is left out, which the marks say.
extension WindowValues {
    private struct Marks: OptionSet {
        let rawValue: UInt8
        static let wholeSum = Marks(rawValue: 1)
        static let extremes = Marks(rawValue: 2)
        static let wholeExtremes = Marks(rawValue: 4)
        static let last = Marks(rawValue: 8)
        static let wholeLast = Marks(rawValue: 16)
        static let sketch = Marks(rawValue: 32)
        /// One observation: its value is the sum, the least, the greatest, and all that a sketch has.
        static let single = Marks(rawValue: 64)
    }

    /// Appends the window that begins at `start`. `isSketched`: whether a sketch belongs to it, which of a single observation need
    /// not be there.
    func append(to bytes: inout PackedWriter, start: Timestamp, isSketched: Bool = false) {
        var marks = marks
        if isSketched { marks.insert(.sketch) }
        bytes.append(marks.rawValue)
        if !marks.contains(.single) { bytes.append(varint: count) }
        bytes.append(sum, isWhole: marks.contains(.wholeSum))
        if marks.contains(.extremes) {
            bytes.append(least, isWhole: marks.contains(.wholeExtremes))
            bytes.append(greatest, isWhole: marks.contains(.wholeExtremes))
        }
        if marks.contains(.last) {
            bytes.append(last, isWhole: marks.contains(.wholeLast))
            bytes.append(zigzag: lastTime.unixNano &- start.unixNano)
        }
        if marks.contains(.sketch), !marks.contains(.single) { sketch.appendBuckets(to: &bytes) }
    }

    private var marks: Marks {
        var marks: Marks = []
        if isWhole(sum) { marks.insert(.wholeSum) }
        if count == 1, least == sum, greatest == sum {
            marks.insert(.single)
        } else if least <= greatest {
            marks.insert(.extremes)
            if isWhole(least), isWhole(greatest) { marks.insert(.wholeExtremes) }
        }
        if lastTime.unixNano > .min {
            marks.insert(.last)
            if isWhole(last) { marks.insert(.wholeLast) }
        }
        if !sketch.isEmpty { marks.insert(.sketch) }
        return marks
    }

    /// Adds a stored window that begins at `start`; without its sketch where that is not asked for. False for bytes that
    /// `append` did not write; what could be read of them is added.
    @discardableResult
    mutating func add(_ reader: inout PackedReader, start: Timestamp, withSketch: Bool = true) -> Bool {
        guard let marks = reader.byte().map(Marks.init(rawValue:)),
            let count = marks.contains(.single) ? 1 : reader.varint(),
            let sum = reader.number(isWhole: marks.contains(.wholeSum))
        else { return false }
        var (low, high) = marks.contains(.single) ? (sum, sum) : (Double.infinity, -Double.infinity)
        if marks.contains(.extremes) {
            guard let least = reader.number(isWhole: marks.contains(.wholeExtremes)),
                let greatest = reader.number(isWhole: marks.contains(.wholeExtremes))
            else { return false }
            (low, high) = (least, greatest)
        }
        add(count, sum, low, high)
        if marks.contains(.last) {
            guard let value = reader.number(isWhole: marks.contains(.wholeLast)), let time = reader.zigzag()
            else { return false }
            add(last: value, at: Timestamp(unixNano: start.unixNano &+ time))
        }
        guard withSketch, marks.contains(.sketch) else { return true }
        guard !marks.contains(.single) else {
            sketch.add(sum)
            return true
        }
        return sketch.addBuckets(&reader, sum: sum, min: low, max: high)
    }
}

/// A row of windows of one series: of each its place in the block, how many bytes it takes, and those.
package struct WindowBlock {
    private let resolution: WindowResolution
    private let firstWindow: Int64

    /// A block by its number.
    package init(_ resolution: WindowResolution, block: Int64) {
        self.resolution = resolution
        firstWindow = block * resolution.windowsInBlock
    }

    /// The row with `added` put to what `stored` has; the numbers are those of windows of the block, ascending. What cannot be
    /// read of `stored` is left out.
    package func merged(_ stored: [UInt8], _ added: [(window: Int64, values: WindowValues)]) -> [UInt8] {
        var bytes = PackedWriter(reserving: stored.count + added.count * 32)
        stored.withUnsafeBytes { merge($0, added, into: &bytes) }
        return bytes.array
    }

    /// Appends to `bytes` what ``merged(_:_:)`` is.
    package func merge(
        _ stored: UnsafeRawBufferPointer,
        _ added: [(window: Int64, values: WindowValues)],
        into bytes: inout PackedWriter
    ) {
        var next = added.startIndex
        var reader = PackedReader(stored)
        while !reader.isAtEnd {
            let start = reader.at
            guard let place = reader.byte(), let length = reader.varint(), var body = reader.part(length)
            else { break }
            let window = firstWindow + Int64(place)
            while next < added.endIndex, added[next].window < window {
                append(added[next].values, of: added[next].window, to: &bytes)
                next += 1
            }
            if next < added.endIndex, added[next].window == window {
                var values = WindowValues()
                values.add(&body, start: resolution.start(of: window))
                values.add(added[next].values)
                append(values, of: window, to: &bytes)
                next += 1
            } else {
                bytes.append(reader.passed(since: start))
            }
        }
        for place in next..<added.endIndex {
            append(added[place].values, of: added[place].window, to: &bytes)
        }
    }

    private func append(_ values: WindowValues, of window: Int64, to bytes: inout PackedWriter) {
        bytes.append(UInt8(truncatingIfNeeded: window - firstWindow))
        bytes.appendWithLength { values.append(to: &$0, start: resolution.start(of: window)) }
    }

    /// Calls `each` with every window of a row and what adds it to other values, in the order of time.
    package func forEach(
        _ stored: UnsafeRawBufferPointer,
        _ each: (Int64, (inout WindowValues, Bool) -> Void) -> Void
    ) {
        var reader = PackedReader(stored)
        while let place = reader.byte(), let length = reader.varint(), let body = reader.part(length) {
            let window = firstWindow + Int64(place)
            each(window) { values, withSketch in
                var body = body
                values.add(&body, start: resolution.start(of: window), withSketch: withSketch)
            }
        }
    }
}

/// A fine window of a series.
package struct WindowKey: Hashable, Sendable {
    /// The number of the series.
    package let series: Int32
    /// The number of the fine window.
    package let window: Int64

    /// A key.
    package init(series: Int32, window: Int64) {
        (self.series, self.window) = (series, window)
    }
}

/// Windows of many series as one row: what a commit has added and what is not in blocks yet.
package enum RecentWindows {
    /// Appends the row of some windows.
    package static func append(_ windows: WindowTable, to bytes: inout PackedWriter) {
        windows.withEach { append($0, $1, isSketched: false, to: &bytes) }
    }

    /// Appends what a delta observed of a series to a row; of one window a row may have several.
    package static func append(
        _ delta: UnsafePointer<SeriesDelta>,
        of series: Int32,
        to bytes: inout PackedWriter
    ) {
        let key = WindowKey(series: series, window: WindowResolution.fine.window(of: delta.pointee.time))
        // Of a single observation no sketch need be made.
        if SeriesDelta.isSingleOfHistogram(delta) {
            append(key, WindowValues(count: 1, sum: delta.pointee.sum), isSketched: true, to: &bytes)
        } else {
            var values = WindowValues()
            SeriesDelta.add(delta, to: &values)
            append(key, values, isSketched: false, to: &bytes)
        }
    }

    private static func append(
        _ key: WindowKey,
        _ values: WindowValues,
        isSketched: Bool,
        to bytes: inout PackedWriter
    ) {
        bytes.append(varint: UInt64(UInt32(bitPattern: key.series)))
        bytes.append(zigzag: key.window)
        let start = WindowResolution.fine.start(of: key.window)
        bytes.appendWithLength { values.append(to: &$0, start: start, isSketched: isSketched) }
    }

    /// Calls `each` with every window of a row and what adds it to other values.
    package static func forEach(
        _ stored: UnsafeRawBufferPointer,
        _ each: (WindowKey, (inout WindowValues, Bool) -> Void) -> Void
    ) {
        var reader = PackedReader(stored)
        while let series = reader.varint(), let window = reader.zigzag(), let length = reader.varint(),
            let body = reader.part(length)
        {
            let key = WindowKey(
                series: Int32(bitPattern: UInt32(truncatingIfNeeded: series)),
                window: window
            )
            each(key) { values, withSketch in
                var body = body
                values.add(
                    &body,
                    start: WindowResolution.fine.start(of: window),
                    withSketch: withSketch
                )
            }
        }
    }
}

/// Whether a number is stored as a whole one: exact, and no longer than its 8 bytes.
private func isWhole(_ number: Double) -> Bool {
    // −0 would come back as 0.
    number == number.rounded() && abs(number) < 9_007_199_254_740_992 && (number != 0 || number.sign == .plus)
}

extension PackedWriter {
    fileprivate mutating func append(_ number: Double, isWhole: Bool) {
        if isWhole { append(zigzag: Int64(number)) } else { append(number: number) }
    }
}

extension PackedReader {
    fileprivate mutating func number(isWhole: Bool) -> Double? {
        isWhole ? zigzag().map(Double.init) : number()
    }
}
