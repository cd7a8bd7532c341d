import NightjarBus
import Testing

struct FacetSetTests {
    @Test func `names are kept once, in the order in which they came, and read back as they were written`() {
        let set = FacetSet(["b", "a", "b", "", "c"])
        #expect(set.names == ["b", "a", "c"])
        #expect(FacetSet(joined: set.joined) == set)
        #expect(FacetSet(joined: FacetSet().joined).isEmpty)
        #expect(FacetSet(["b"]).isOnly("b") && !set.isOnly("b") && !FacetSet(["bc"]).isOnly("b"))
    }

    @Test func `a name is found whole only`() {
        let stored = FacetSet(["gpt-4o-mini", "o1"]).joined
        #expect(stored.contains(FacetSet.needle("o1")))
        #expect(!stored.contains(FacetSet.needle("gpt-4o")))
    }

    @Test func `so many names are taken, and long ones are cut as what is looked for`() {
        let many = FacetSet((0..<100).map { "n\($0)" })
        #expect(many.names.count == FacetSet.limit)
        let long = String(repeating: "ä", count: 500)
        #expect(FacetSet([long]).names.map(\.utf8.count) == [256])
        #expect(FacetSet([long]).joined.contains(FacetSet.needle(long)))
    }

    @Test func `a name cannot pass for two`() {
        #expect(FacetSet(["a\u{1F}b"]).names == ["a b"])
        #expect(FacetSet(joined: FacetSet(["a\u{1F}b"]).joined).names == ["a b"])
    }
}
