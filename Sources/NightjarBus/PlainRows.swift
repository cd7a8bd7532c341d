/// A list of plain rows that grows and is emptied. Its rows lie in memory of its own and are changed in place: an array in a
/// property of a class costs a check for overlapping access and one for its bounds each time, which together take longer than
/// adding to a row does. Bounds are checked in debug builds. Belongs to its owner's thread.
final class PlainRows<Row: BitwiseCopyable> {
    /// The rows; another address once one is appended.
    private(set) var base: UnsafeMutablePointer<Row>
    /// How many rows there are.
    private(set) var count = 0
    private var capacity: Int

    /// An empty list with room for some rows.
    init(capacity: Int = 64) {
        self.capacity = capacity
        base = .allocate(capacity: capacity)
    }

    deinit { base.deallocate() }

    /// A row.
    subscript(index: Int) -> Row {
        get {
            assert(index >= 0 && index < count)
            return base[index]
        }
        set {
            assert(index >= 0 && index < count)
            base[index] = newValue
        }
    }

    /// Adds a row; where it lies.
    @discardableResult
    func append(_ row: Row) -> Int {
        if count == capacity { grow(to: capacity * 2) }
        base[count] = row
        count += 1
        return count - 1
    }

    /// Adds equal rows; where the first lies.
    func append(repeating row: Row, count added: Int) -> Int {
        let first = count
        if first + added > capacity { grow(to: max(capacity * 2, first + added)) }
        (base + first).initialize(repeating: row, count: added)
        count = first + added
        return first
    }

    /// Adds rows as they lie elsewhere.
    func append(contentsOf rows: UnsafeRawBufferPointer) where Row == UInt8 {
        guard let start = rows.bindMemory(to: UInt8.self).baseAddress else { return }
        if count + rows.count > capacity { grow(to: max(capacity * 2, count + rows.count)) }
        (base + count).initialize(from: start, count: rows.count)
        count += rows.count
    }

    /// Forgets all rows, and gives memory back beyond that of so many.
    func removeAll(keeping limit: Int = 16_384) {
        count = 0
        if capacity > limit { grow(to: limit) }
    }

    /// The rows as an array.
    var array: [Row] { Array(UnsafeBufferPointer(start: base, count: count)) }

    private func grow(to size: Int) {
        let new = UnsafeMutablePointer<Row>.allocate(capacity: size)
        new.initialize(from: base, count: count)
        base.deallocate()
        base = new
        capacity = size
    }
}
