/// Values by the numbers of series. Numbers are dense but for those of series that are gone, so the values lie in pages of 64:
/// no hashing, and numbers of long ago cost two words for each 64. A value; copies share their pages until one is changed.
struct SeriesPages<Value> {
    fileprivate struct Page {
        /// None, or 64.
        var values: [Value] = []
        /// A bit for each that is there.
        var present: UInt64 = 0
    }

    private static var bits: Int { 6 }
    private static var size: Int { 1 << bits }

    private var pages: [Page] = []
    /// Stands where there is no value.
    private let blank: Value

    /// No values; `blank` lies where there is none.
    init(blank: Value) { self.blank = blank }

    /// The value of a number; setting nil removes it.
    subscript(number: Int32) -> Value? {
        get { has(number) ? pages[Self.page(number)].values[Self.place(number)] : nil }
        set {
            if let newValue { set(newValue, at: number) } else { remove(number) }
        }
    }

    /// Whether a number has a value.
    func has(_ number: Int32) -> Bool {
        let page = Self.page(number)
        return page < pages.count && pages[page].present >> UInt64(Self.place(number)) & 1 == 1
    }

    /// Gives a number a value.
    mutating func set(_ value: Value, at number: Int32) {
        let (page, place) = (Self.page(number), Self.place(number))
        if page >= pages.count || pages[page].present == 0 { makePage(page) }
        pages[page].present |= 1 << UInt64(place)
        pages[page].values[place] = value
    }

    /// The numbers that have a value, in their order.
    var numbers: [Int32] {
        var numbers: [Int32] = []
        visit { number, _ in numbers.append(number) }
        return numbers
    }

    /// Calls `body` with each number and its value, in the order of the numbers.
    func visit(_ body: (Int32, Value) -> Void) {
        for (index, page) in pages.enumerated() {
            var rest = page.present
            while rest != 0 {
                let place = rest.trailingZeroBitCount
                rest &= rest - 1
                body(Int32(truncatingIfNeeded: index << Self.bits | place), page.values[place])
            }
        }
    }

    private static func page(_ number: Int32) -> Int { Int(UInt32(bitPattern: number) >> UInt32(bits)) }

    private static func place(_ number: Int32) -> Int { Int(number) & (size - 1) }

    private mutating func makePage(_ page: Int) {
        if page >= pages.count { pages += repeatElement(Page(), count: page + 1 - pages.count) }
        pages[page].values = Array(repeating: blank, count: Self.size)
    }

    private mutating func remove(_ number: Int32) {
        guard has(number) else { return }
        let (page, place) = (Self.page(number), Self.place(number))
        pages[page].present &= ~(1 << UInt64(place))
        // The numbers of series that are gone do not come back: their page goes with the last of them.
        if pages[page].present == 0 {
            pages[page].values = []
        } else {
            pages[page].values[place] = blank
        }
    }
}

extension SeriesPages: Sendable where Value: Sendable {}
extension SeriesPages.Page: Sendable where Value: Sendable {}
