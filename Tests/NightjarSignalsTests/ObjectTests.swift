import NightjarSignals
import NightjarTesting
import Testing

@Suite struct ObjectTests {
    @Test func `entries keep the order in which their keys were first set`() {
        var object: Value.Object = ["b": 1, "a": 2]
        object["b"] = 3
        object["c"] = 4
        #expect(object.entries.map(\.key) == ["b", "a", "c"])
        #expect(object["b"] == 3)
    }

    @Test func `setting nil removes an entry, and setting it again puts it last`() {
        var object: Value.Object = ["a": 1, "b": 2, "c": 3]
        object["a"] = nil
        #expect(object["a"] == nil)
        #expect(object["b"] == 2)
        #expect(object["c"] == 3)
        object["a"] = 4
        object["zzz"] = nil
        #expect(object.entries.map(\.key) == ["b", "c", "a"])
    }

    @Test func `null is a value`() {
        var object: Value.Object = [:]
        object["a"] = .null
        #expect(!object.isEmpty)
        #expect(object["a"] == .some(.null))
    }

    @Test func `equality does not ask for order`() {
        let left: Value.Object = ["a": 1, "b": [2]]
        #expect(left == ["b": [2], "a": 1])
        #expect(left != ["a": 1])
        #expect(left != ["a": 1, "c": [2]])
        #expect(left != ["a": 1, "b": [3]])
    }

    @Test func `merging puts the other on top`() {
        let merged = (["a": 1, "b": 2] as Value.Object).merging(["b": 3, "c": 4])
        #expect(merged.entries.map(\.key) == ["a", "b", "c"])
        #expect(merged["b"] == 3)
    }

    @Test(arguments: 0..<20) func `it behaves like a dictionary`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var object = Value.Object()
        var model: [String: Value] = [:]
        for _ in 0..<300 {
            // Few keys are looked for one by one, many by their hashes.
            let key = String(Int.random(in: 0..<(seed.isMultiple(of: 2) ? 12 : 40), using: &generator))
            let value: Value? =
                Bool.random(using: &generator) ? .int(Int64.random(in: 0...9, using: &generator)) : nil
            object[key] = value
            model[key] = value
            #expect(object.entries.count == model.count)
        }
        #expect(model.allSatisfy { object[$0.key] == $0.value })
        #expect(object.entries.allSatisfy { model[$0.key] == $0.value })
    }
}
