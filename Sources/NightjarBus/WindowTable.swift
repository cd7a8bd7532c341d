/// Windows of many series, added up in place. Found by a table of places instead of a dictionary: values are large, and moving
/// or copying them costs more than adding to them.
package struct WindowTable: Sendable {
    /// In the order in which they came.
    private var keys: [WindowKey] = []
    private var values: [WindowValues] = []
    /// The place of each key by its hash, −1 where there is none; as many as a power of two, at most half of them taken.
    private var places: [Int32] = []
    /// Whoever sends spans chooses their times: which windows share a hash must not be known to them.
    private static let seed: UInt64 = {
        // The standard library has one of its own for each process.
        var hasher = Hasher()
        hasher.combine(0)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }()

    /// A table of nothing.
    package init() {}

    /// How many windows there are.
    package var count: Int { keys.count }

    /// Whether there is none.
    package var isEmpty: Bool { keys.isEmpty }

    /// What is in a window; nothing where it is not there.
    package subscript(key: WindowKey) -> WindowValues { find(key).map { values[$0] } ?? WindowValues() }

    /// Adds what a delta observed to a window of a series.
    package mutating func add(_ delta: UnsafePointer<SeriesDelta>, to series: Int32) {
        let window = WindowResolution.fine.window(of: delta.pointee.time)
        SeriesDelta.add(delta, to: &values[place(of: WindowKey(series: series, window: window))])
    }

    /// Lets `add` put something to a window.
    package mutating func add(to key: WindowKey, _ add: (inout WindowValues) -> Void) {
        add(&values[place(of: key)])
    }

    /// Calls `each` with every window.
    package func withEach(_ each: (WindowKey, WindowValues) -> Void) {
        for place in keys.indices { each(keys[place], values[place]) }
    }

    /// Forgets everything.
    package mutating func removeAll() {
        keys.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
        for slot in places.indices { places[slot] = -1 }
    }

    /// Takes so many of the oldest windows out; in their order, those of one time by series.
    package mutating func removeOldest(_ limit: Int) -> [(key: WindowKey, values: WindowValues)] {
        let order = keys.indices.sorted {
            let (left, right) = (keys[$0], keys[$1])
            return (left.window, left.series) < (right.window, right.series)
        }
        var oldest: [(key: WindowKey, values: WindowValues)] = []
        oldest.reserveCapacity(min(limit, count))
        var rest = WindowTable()
        rest.reserve(count - min(limit, count))
        // What moves is not copied: its buckets would be counted up and down again.
        for place in order.prefix(limit) {
            oldest.append((keys[place], WindowValues()))
            swap(&oldest[oldest.count - 1].values, &values[place])
        }
        for place in order.dropFirst(limit) {
            let new = rest.place(of: keys[place])
            swap(&rest.values[new], &values[place])
        }
        self = rest
        return oldest
    }

    private mutating func reserve(_ count: Int) {
        keys.reserveCapacity(count)
        values.reserveCapacity(count)
        var size = 64
        while size < count * 2 { size *= 2 }
        grow(to: size)
    }

    private func find(_ key: WindowKey) -> Int? {
        guard !places.isEmpty else { return nil }
        let mask = places.count - 1
        var slot = Self.hash(key) & mask
        while places[slot] >= 0 {
            if keys[Int(places[slot])] == key { return Int(places[slot]) }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// The place of a window, made where it is new.
    private mutating func place(of key: WindowKey) -> Int {
        if (keys.count + 1) * 2 > places.count { grow(to: max(64, places.count * 2)) }
        let mask = places.count - 1
        var slot = Self.hash(key) & mask
        while places[slot] >= 0 {
            if keys[Int(places[slot])] == key { return Int(places[slot]) }
            slot = (slot + 1) & mask
        }
        places[slot] = Int32(keys.count)
        keys.append(key)
        values.append(WindowValues())
        return keys.count - 1
    }

    private mutating func grow(to size: Int) {
        places = Array(repeating: -1, count: size)
        let mask = size - 1
        for place in keys.indices {
            var slot = Self.hash(keys[place]) & mask
            while places[slot] >= 0 { slot = (slot + 1) & mask }
            places[slot] = Int32(place)
        }
    }

    /// The steps of MurmurHash3's end, with the seed before.
    private static func hash(_ key: WindowKey) -> Int {
        var mixed = UInt64(bitPattern: key.window) << 32 ^ UInt64(UInt32(bitPattern: key.series)) ^ seed
        mixed = (mixed ^ mixed >> 33) &* 0xFF51_AFD7_ED55_8CCD
        mixed = (mixed ^ mixed >> 33) &* 0xC4CE_B9FE_1A85_EC53
        return Int(truncatingIfNeeded: (mixed ^ mixed >> 33) >> 1)
    }
}
