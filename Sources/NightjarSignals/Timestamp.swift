/// An instant: nanoseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Nanoseconds since 1970; negative before it.
    public var unixNano: Int64

    /// An instant from nanoseconds since 1970.
    @inlinable
    public init(unixNano: Int64) {
        self.unixNano = unixNano
    }

    /// An instant from milliseconds since 1970; nil where it does not fit.
    public init?(unixMilliseconds: Double) {
        let nano = (unixMilliseconds * 1_000_000).rounded()
        guard nano.isFinite, abs(nano) < 9.2e18 else { return nil }
        self.init(unixNano: Int64(nano))
    }

    /// Reads ISO 8601 with up to nine fractional digits and a zone (`Z` or `±hh:mm`), nil for anything else.
    public init?(iso8601 text: some StringProtocol) {
        guard let nano = parseISO8601(Array(text.utf8)) else { return nil }
        self.init(unixNano: nano)
    }

    /// ISO 8601 in UTC with as many fractional digits (0, 3, 6 or 9) as are needed.
    public var description: String {
        let (second, nano) = unixNano.flooredDivision(by: 1_000_000_000)
        let (day, secondOfDay) = second.flooredDivision(by: 86_400)
        let date = civilDate(day)
        var text =
            "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))T"
            + "\(padded(secondOfDay / 3600, 2)):\(padded(secondOfDay / 60 % 60, 2)):\(padded(secondOfDay % 60, 2))"
        if nano != 0 {
            if nano % 1_000_000 == 0 {
                text += "." + padded(nano / 1_000_000, 3)
            } else if nano % 1000 == 0 {
                text += "." + padded(nano / 1000, 6)
            } else {
                text += "." + padded(nano, 9)
            }
        }
        return text + "Z"
    }

    /// Earlier first.
    @inlinable
    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.unixNano < right.unixNano }

    /// The instant `duration` later, held at the ends of the range.
    public func advanced(by duration: Duration) -> Timestamp {
        let (sum, overflow) = unixNano.addingReportingOverflow(duration.nanoseconds)
        return Timestamp(unixNano: overflow ? (duration.nanoseconds < 0 ? .min : .max) : sum)
    }
}

extension Duration {
    /// Reads a duration as configuration writes it: a number and `ms`, `s`, `m`, `h` or `d`; nil for anything else.
    package init?(written text: String) {
        let units: [(suffix: String, seconds: Double)] = [
            ("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400),
        ]
        for unit in units where text.hasSuffix(unit.suffix) {
            guard let number = Double(text.dropLast(unit.suffix.count)), number >= 0,
                number * unit.seconds < 9e9
            else { continue }
            self = .milliseconds(Int64((number * unit.seconds * 1000).rounded()))
            return
        }
        return nil
    }

    /// The whole duration in nanoseconds, held at the ends of the range.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, overflowed) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflowed ? .max : sum
    }
}

extension Int64 {
    fileprivate func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        var (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        if remainder < 0 {
            quotient -= 1
            remainder += divisor
        }
        return (quotient, remainder)
    }
}

private func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

/// The Gregorian date of a day number; the algorithm of Hinnant's "chrono-compatible low-level date algorithms".
private func civilDate(_ dayNumber: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = (dayNumber + 719_468).flooredDivision(by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
}

/// The day number of a Gregorian date, the inverse of `civilDate`.
private func dayNumber(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shiftedYear = month <= 2 ? year - 1 : year
    let (era, yearOfEra) = shiftedYear.flooredDivision(by: 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
}

private func parseISO8601(_ text: [UInt8]) -> Int64? {
    guard text.count >= 20, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
        text[10] == UInt8(ascii: "T") || text[10] == UInt8(ascii: " "),
        text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
        let year = number(text[0..<4]), let month = number(text[5..<7]), let day = number(text[8..<10]),
        let hour = number(text[11..<13]), let minute = number(text[14..<16]),
        let second = number(text[17..<19]),
        (1...12).contains(month), hour < 24, minute < 60, second <= 60
    else { return nil }
    let date = dayNumber(year: year, month: month, day: day)
    // The 30th of February would be read as the 2nd of March, which names itself otherwise.
    guard civilDate(date) == (year, month, day) else { return nil }
    var position = 19
    var nano: Int64 = 0
    if text[position] == UInt8(ascii: ".") {
        let start = position + 1
        position = start
        while position < text.count, (48...57).contains(text[position]) { position += 1 }
        guard (1...9).contains(position - start), let fraction = number(text[start..<position]) else {
            return nil
        }
        nano = (0..<(9 - (position - start))).reduce(fraction) { value, _ in value * 10 }
    }
    guard let offset = zoneOffset(text[position...]) else { return nil }
    return nanoseconds(date * 86_400 + hour * 3600 + minute * 60 + second - offset, nano)
}

/// The number that a run of digits, and of nothing else, stands for.
private func number(_ digits: ArraySlice<UInt8>) -> Int64? {
    guard !digits.isEmpty, digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int64(String(decoding: digits, as: UTF8.self))
}

/// Both together, nil where they do not fit. Counts from the second after where that is nearer to 1970: the first second of
/// the range has no whole start in it.
private func nanoseconds(_ second: Int64, _ nano: Int64) -> Int64? {
    let isEarly = second < 0 && nano > 0
    let (product, overflow) = (second + (isEarly ? 1 : 0)).multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, overflowed) = product.addingReportingOverflow(isEarly ? nano - 1_000_000_000 : nano)
    return overflow || overflowed ? nil : sum
}

private func zoneOffset(_ zone: ArraySlice<UInt8>) -> Int64? {
    let zone = Array(zone)
    if zone == [UInt8(ascii: "Z")] || zone == [UInt8(ascii: "z")] { return 0 }
    guard zone.count == 6, zone[3] == UInt8(ascii: ":"),
        zone[0] == UInt8(ascii: "+") || zone[0] == UInt8(ascii: "-"),
        let hours = number(zone[1...2]), let minutes = number(zone[4...5]), hours < 24, minutes < 60
    else { return nil }
    return (zone[0] == UInt8(ascii: "-") ? -1 : 1) * (hours * 3600 + minutes * 60)
}
