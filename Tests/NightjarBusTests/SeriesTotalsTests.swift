import NightjarBus
import NightjarTesting
import Testing

struct SeriesTotalsTests {
    @Test(arguments: UInt64(0)..<10)
    func `numbers are a set of numbers`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var expected = Set((0..<20).map { _ in Int32(generator.next() % 500) })
        var numbers = SeriesNumbers(expected)
        for _ in 0..<300 {
            let number = Int32(generator.next() % 500)
            if generator.next() % 2 == 0 {
                #expect(numbers.insert(number) == expected.insert(number).inserted)
            } else {
                numbers.remove(number)
                expected.remove(number)
            }
        }
        for number in Int32(-1)..<600 { #expect(numbers.contains(number) == expected.contains(number)) }
        #expect(!numbers.insert(-1) && !numbers.contains(-1))
    }

    @Test(arguments: UInt64(0)..<10)
    func `totals are found by the numbers of their series, and counted once each`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var (totals, expected) = (SeriesTotals(), [Int32: SeriesTotal]())
        for round in 0..<300 {
            let number = Int32(generator.next() % 200)
            if generator.next() % 3 == 0 {
                totals.remove(number)
                expected[number] = nil
            } else {
                var total = SeriesTotal()
                total.sum = Double(round)
                totals.set(total, of: number)
                expected[number] = total
            }
            #expect(totals.count == expected.count)
        }
        #expect(totals.numbers == expected.keys.sorted())
        for number in Int32(0)..<200 { #expect(totals[number] == expected[number]) }
        totals.removeAll()
        #expect(totals.count == 0 && totals.numbers.isEmpty)
    }
}
