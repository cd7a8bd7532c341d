package import NightjarSignals

/// How long the windows of a series are. They lie next to each other, counted from 1970, and hold what was observed within
/// them by event time.
package enum WindowResolution: Int, Sendable, CaseIterable {
    /// 10 s, kept for 10 days.
    case fine = 10
    /// 5 min, kept for 90 days; everything that is in fine windows is in these too.
    case coarse = 300

    /// The length in seconds.
    package var seconds: Int { rawValue }

    /// The length in nanoseconds.
    package var nanoseconds: Int64 { Int64(rawValue) * 1_000_000_000 }

    /// How old a window may become (signals contract, section 12).
    package var age: Duration { .seconds((self == .fine ? 10 : 90) * 86_400) }

    /// How many windows of a series share a row: 5 min of fine ones and 2 h of coarse ones, so that a row of a histogram fits
    /// into a page, and a day of a series takes a dozen reads.
    package var windowsInBlock: Int64 { self == .fine ? 30 : 24 }

    /// The number of the window that an instant lies in.
    package func window(of time: Timestamp) -> Int64 { time.unixNano.floored(by: nanoseconds) }

    /// The number of the window that a fine window lies in.
    package func window(ofFine window: Int64) -> Int64 {
        window.floored(by: Int64(seconds / Self.fine.seconds))
    }

    /// When a window begins, held at the end of the range.
    package func start(of window: Int64) -> Timestamp {
        let (start, overflow) = window.multipliedReportingOverflow(by: nanoseconds)
        return Timestamp(unixNano: overflow ? (window < 0 ? .min : .max) : start)
    }

    /// The number of the block that a window lies in.
    package func block(of window: Int64) -> Int64 { window.floored(by: windowsInBlock) }

    /// The key of a series' block: those of one time lie together, so that the oldest go by a range of keys.
    package func key(block: Int64, series: Int32) -> Int64 { block << 32 | Int64(series) }

    /// Blocks with a key below this lie wholly before an instant.
    package func keys(before time: Timestamp) -> Int64 { block(of: window(of: time)) << 32 }
}

/// What was observed of one series, or of several, within some time.
package struct WindowValues: Sendable, Equatable {
    /// How many observations there were.
    package var count: UInt64 = 0
    /// The sum of the values.
    package var sum = 0.0
    /// The least value; +∞ where it is not known.
    package var least = Double.infinity
    /// The greatest value; −∞ where it is not known.
    package var greatest = -Double.infinity
    /// The last value of a gauge by event time.
    package var last = 0.0
    /// When that was; the start of time for what is no gauge.
    package var lastTime = Timestamp(unixNano: .min)
    /// How the values of a histogram are distributed, as far as that is known.
    package var sketch = QuantileSketch()

    /// Nothing observed.
    package init() {}

    /// Observations of which only count and sum are known; of a single one that is all.
    package init(count: UInt64, sum: Double) {
        guard count > 0 else { return }
        (self.count, self.sum) = (count, sum)
        if count == 1 { (least, greatest) = (sum, sum) }
    }

    /// The values of a histogram.
    package init(_ sketch: QuantileSketch) {
        (count, sum, least, greatest) = (sketch.count, sketch.sum, sketch.min, sketch.max)
        self.sketch = sketch
    }

    /// Adds what was observed in another window, or of another series.
    package mutating func add(_ other: WindowValues) {
        add(other.count, other.sum, other.least, other.greatest)
        add(last: other.last, at: other.lastTime)
        if !other.sketch.isEmpty { sketch.merge(other.sketch) }
    }

    mutating func add(_ count: UInt64, _ sum: Double, _ least: Double, _ greatest: Double) {
        self.count = saturating(self.count, count)
        self.sum += sum
        if least < self.least { self.least = least }
        if greatest > self.greatest { self.greatest = greatest }
    }

    /// Takes the value of a gauge at a time for the last, where none is later.
    package mutating func add(last: Double, at time: Timestamp) {
        // Of two at the same time the one that came later holds.
        guard time >= lastTime, time.unixNano > .min else { return }
        (self.last, lastTime) = (last, time)
    }
}

extension Int64 {
    /// The quotient rounded down, for either sign; `divisor` is positive.
    func floored(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
