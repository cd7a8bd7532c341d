import NightjarSignals
import NightjarTesting
import Testing

/// Signals, section 9: orphans hang under the root, a trace with no root uses its earliest span, cycles do not hang.
@Suite struct TraceShapeTests {
    @Test func `an empty trace has no root and is partial`() {
        let shape = TraceShape([])
        #expect(shape.root == -1)
        #expect(shape.isPartial)
    }

    @Test func `a whole trace`() {
        let shape = TraceShape([(1, 0), (2, 1), (3, 2), (4, 1)])
        #expect(shape.parents == [-1, 0, 1, 0])
        #expect(shape.root == 0)
        #expect(!shape.isPartial)
    }

    @Test func `children may start before their root`() {
        let shape = TraceShape([(2, 1), (1, 0)])
        #expect(shape.parents == [1, -1])
        #expect(shape.root == 1)
        #expect(!shape.isPartial)
    }

    @Test func `orphans hang under the root`() {
        let shape = TraceShape([(1, 0), (2, 99), (3, 2)])
        #expect(shape.parents == [-1, 0, 1])
        #expect(shape.isPartial)
    }

    @Test func `without a root the earliest span is it`() {
        let shape = TraceShape([(5, 99), (6, 5), (7, 98)])
        #expect(shape.root == 0)
        #expect(shape.parents == [-1, 0, 0])
        #expect(shape.isPartial)
    }

    @Test func `a span that is its own parent is an orphan`() {
        let shape = TraceShape([(1, 0), (2, 2)])
        #expect(shape.parents == [-1, 0])
    }

    @Test func `a cycle beside a root is hung under it`() {
        let shape = TraceShape([(1, 0), (2, 3), (3, 2)])
        #expect(shape.root == 0)
        #expect(endsEverywhere(shape))
        #expect(shape.parents[0] == -1)
    }

    @Test func `a trace that is one cycle ends at its earliest span`() {
        let shape = TraceShape([(1, 3), (2, 1), (3, 2)])
        #expect(shape.root == 0)
        #expect(shape.isPartial)
        #expect(endsEverywhere(shape))
    }

    @Test(arguments: 0..<200)
    func `whatever is sent, every chain of parents ends at the root or another root`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let count = Int.random(in: 1...12, using: &generator)
        let spans = (0..<count).map { _ in
            (
                id: UInt64.random(in: 1...10, using: &generator),
                parent: UInt64.random(in: 0...11, using: &generator)
            )
        }
        let shape = TraceShape(spans)
        #expect(spans.indices.contains(shape.root))
        #expect(
            shape.parents[shape.root] == -1,
            "seed \(seed): \(spans) → \(shape.parents), root \(shape.root)"
        )
        #expect(endsEverywhere(shape), "seed \(seed): \(spans) → \(shape.parents)")
        if !spans.contains(where: { $0.parent == 0 }) { #expect(shape.isPartial) }
    }

    private func endsEverywhere(_ shape: TraceShape) -> Bool {
        shape.parents.indices.allSatisfy { start in
            var at = start
            var steps = 0
            while shape.parents[at] >= 0, steps <= shape.parents.count {
                at = Int(shape.parents[at])
                steps += 1
            }
            return steps <= shape.parents.count
        }
    }
}
