import NightjarSignals

/// Totals of many series as one row: what a commit has changed and what the rows of the series do not have yet. Of each the
/// number of the series, the count, the sum as 8 bytes, both times, the counts of buckets behind their number, and a sketch
/// behind its length.
package enum RecentTotals {
    /// Appends the total of a series.
    package static func append(_ total: SeriesTotal, of series: Int32, to bytes: inout PackedWriter) {
        bytes.append(varint: UInt64(UInt32(bitPattern: series)))
        bytes.append(varint: total.count)
        bytes.append(number: total.sum)
        bytes.append(zigzag: total.time.unixNano)
        bytes.append(zigzag: total.updated.unixNano)
        bytes.append(varint: UInt64(total.buckets.count))
        for count in total.buckets { bytes.append(varint: count) }
        bytes.appendWithLength { if let sketch = total.sketch { sketch.append(to: &$0) } }
    }

    /// Calls `each` with every total of a row. False for bytes that `append` did not write.
    package static func forEach(_ stored: UnsafeRawBufferPointer, _ each: (Int32, SeriesTotal) -> Void)
        -> Bool
    {
        var reader = PackedReader(stored)
        while !reader.isAtEnd {
            var total = SeriesTotal()
            guard let series = reader.varint(), let count = reader.varint(), let sum = reader.number(),
                let time = reader.zigzag(), let updated = reader.zigzag(), let buckets = reader.varint()
            else { return false }
            (total.count, total.sum) = (count, sum)
            (total.time, total.updated) = (Timestamp(unixNano: time), Timestamp(unixNano: updated))
            for _ in 0..<buckets {
                guard let count = reader.varint() else { return false }
                total.buckets.append(count)
            }
            guard let length = reader.varint(), let sketch = reader.part(length) else { return false }
            if length > 0 {
                guard let sketch = QuantileSketch(encoded: Array(sketch.all)) else { return false }
                total.sketch = sketch
            }
            each(Int32(bitPattern: UInt32(truncatingIfNeeded: series)), total)
        }
        return true
    }
}
