import CNightjarLua
import CNightjarSignals
import NightjarSignals

/// Rules of spans that are asked one after the other. What the loop over them reads is plain memory, because most rules do not
/// match most spans, and counting references would cost more than the comparison.
final class RuleList {
    /// The list as the loop reads it. Valid while the list is.
    struct Table {
        fileprivate let gates: UnsafePointer<nj_match_gate>
        /// For each type of span, and for whatever else may come, where its part of `places` begins; one more for the end.
        fileprivate let starts: UnsafePointer<UInt32>
        fileprivate let places: UnsafePointer<UInt32>
        fileprivate let rules: UnsafePointer<UnsafeMutablePointer<RuleSlot.Counts>>
    }

    /// The rules that spans of one type may match, in their order: rules of other types cost them nothing.
    struct Candidates {
        private let table: Table
        private let places: UnsafePointer<UInt32>
        private let count: UInt32
        private var probe = nj_match_probe()
        private var at: UInt32 = 0

        init(_ table: Table, of row: nj_span_ref) {
            let type = min(Int(row.span.pointee.type), RuleList.typeCount)
            self.table = table
            let start = table.starts[type]
            places = table.places + Int(start)
            count = table.starts[type + 1] - start
            probe.span = row
        }

        /// The next rule that the span matches, or may match once its content is decoded; nil where there is none.
        mutating func next() -> Match? {
            guard at < count else { return nil }
            at = nj_match_next(table.gates, places, count, at, &probe)
            guard at < count else { return nil }
            defer { at += 1 }
            let place = Int(places[Int(at)])
            return Match(rule: table.rules[place], isOpen: table.gates[place].asks)
        }
    }

    /// A rule that a span matches.
    struct Match {
        /// The rule; the list holds it.
        let rule: UnsafeMutablePointer<RuleSlot.Counts>
        /// Whether its condition is yet to be asked.
        let isOpen: Bool
    }

    fileprivate static let typeCount = Int(NJ_SPAN_TYPE_COUNT.rawValue)

    let slots: [RuleSlot]
    let table: Table
    private let gates: UnsafeMutablePointer<nj_match_gate>
    private let starts: UnsafeMutablePointer<UInt32>
    private let places: UnsafeMutablePointer<UInt32>
    private let rules: UnsafeMutablePointer<UnsafeMutablePointer<RuleSlot.Counts>>

    init(_ slots: [RuleSlot] = []) {
        self.slots = slots
        let all = slots.map { slot in
            let program = slot.rule.match.span
            return nj_match_gate_of(program?.nodes, program?.slow.isEmpty == false, slot.rule.takesDuplicates)
        }
        let lists = (0...Self.typeCount).map { type in
            all.indices.filter { type == Self.typeCount || all[$0].types & 1 << UInt64(type) != 0 }
        }
        gates = Self.kept(all)
        rules = Self.kept(slots.map(\.counts))
        places = Self.kept(lists.joined().map { UInt32($0) })
        starts = Self.kept(lists.reduce(into: [0]) { $0.append($0[$0.count - 1] + UInt32($1.count)) })
        table = Table(
            gates: UnsafePointer(gates),
            starts: UnsafePointer(starts),
            places: UnsafePointer(places),
            rules: UnsafePointer(rules)
        )
    }

    deinit {
        gates.deallocate()
        starts.deallocate()
        places.deallocate()
        rules.deallocate()
    }

    var isEmpty: Bool { slots.isEmpty }

    private static func kept<Element>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
        let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(elements.count, 1))
        memory.initialize(from: elements, count: elements.count)
        return memory
    }
}
