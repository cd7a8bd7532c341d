import CNightjarLua
import CNightjarSignals
import NightjarSignals

/// A condition over a span, compiled when its rule was loaded. Immutable once built.
final class MatchProgram: @unchecked Sendable {
    // Unchecked: the memory is written by the initialiser only.

    /// The nodes, for C; the condition is node 0.
    let nodes: UnsafePointer<nj_match_node>
    /// The conditions that need decoded content, by the number in their node.
    let slow: [ValueCondition]
    private let memory: UnsafeMutablePointer<nj_match_node>
    private let texts: [UnsafeMutableRawBufferPointer]

    init(_ tree: MatchTree) {
        var layout = Layout()
        layout.nodes.append(nj_match_node())
        layout.place(tree, at: 0)
        slow = layout.slow
        texts = layout.texts
        memory = .allocate(capacity: layout.nodes.count)
        memory.initialize(from: layout.nodes, count: layout.nodes.count)
        nodes = UnsafePointer(memory)
    }

    deinit {
        memory.deallocate()
        for text in texts { text.deallocate() }
    }

    /// Whether the condition holds for the span.
    func holds(_ ref: nj_span_ref, in scope: SpanScope) -> Bool {
        var ref = ref
        guard !slow.isEmpty else { return nj_match_span(nodes, &ref, nil, nil) }
        scope.asking = slow
        return nj_match_span(nodes, &ref, askScope, Unmanaged.passUnretained(scope).toOpaque())
    }

    private struct Layout {
        var nodes: [nj_match_node] = []
        var slow: [ValueCondition] = []
        var texts: [UnsafeMutableRawBufferPointer] = []

        mutating func place(_ tree: MatchTree, at index: Int) {
            switch tree {
            case .all(let children): place(children, NJ_MATCH_ALL, at: index)
            case .any(let children): place(children, NJ_MATCH_ANY, at: index)
            case .not(let child): place([child], NJ_MATCH_NOT, at: index)
            case .types(let bits): nodes[index] = bitNode(NJ_MATCH_TYPES, bits)
            case .statuses(let bits): nodes[index] = bitNode(NJ_MATCH_STATUSES, bits)
            case .value(let condition):
                nodes[index] = bitNode(NJ_MATCH_ASK, UInt64(slow.count))
                slow.append(condition)
            case .test(let test): nodes[index] = node(test)
            }
        }

        private mutating func place(_ children: [MatchTree], _ operation: nj_match_op, at index: Int) {
            let first = nodes.count
            nodes.append(contentsOf: repeatElement(nj_match_node(), count: children.count))
            nodes[index].op = UInt8(operation.rawValue)
            nodes[index].first = UInt32(first)
            nodes[index].count = UInt32(children.count)
            for (offset, child) in children.enumerated() { place(child, at: first + offset) }
        }

        private func bitNode(_ operation: nj_match_op, _ bits: UInt64) -> nj_match_node {
            var node = nj_match_node()
            node.op = UInt8(operation.rawValue)
            node.bits = bits
            return node
        }

        private mutating func node(_ test: FieldTest) -> nj_match_node {
            var node = nj_match_node()
            node.op = UInt8(test.operation.rawValue)
            node.field = Int16(test.field)
            node.ignore_case = test.ignoreCase
            node.low = test.number
            node.text = keep(test.text)
            node.symbol = -1
            if let key = test.key {
                node.key = keep(Array(key.utf8))
                node.symbol = key.withText { nj_symbol_find($0.bytes, Int($0.length)) }
            }
            return node
        }

        private mutating func keep(_ bytes: [UInt8]) -> nj_text {
            let block = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 1)
            block.copyBytes(from: bytes)
            texts.append(block)
            return nj_text(UnsafeRawBufferPointer(rebasing: block[0..<bytes.count]))
        }
    }
}

private func askScope(
    _ context: UnsafeMutableRawPointer?,
    _ condition: UInt64,
    _ ref: UnsafePointer<nj_span_ref>?
) -> Bool {
    guard let context, let ref else { return false }
    return Unmanaged<SpanScope>.fromOpaque(context)._withUnsafeGuaranteedRef { scope in
        guard let span = scope.reference(ref.pointee) else { return false }
        return scope.asking[Int(condition)].holds(for: span, in: scope)
    }
}

/// A condition before it is laid out.
indirect enum MatchTree {
    case all([MatchTree])
    case any([MatchTree])
    case not(MatchTree)
    case types(UInt64)
    case statuses(UInt64)
    case test(FieldTest)
    case value(ValueCondition)
}

/// A test of one field of the row.
struct FieldTest {
    let operation: nj_match_op
    let field: Int32
    var key: String?
    var text: [UInt8] = []
    var number: Double = 0
    var ignoreCase = false
}

/// A test of content that is decoded for it: a field, a path into it, and what must hold there.
struct ValueCondition: Sendable {
    let field: Int32
    let path: [String]
    let test: ValueTest

    func holds(for span: SpanReference, in scope: SpanScope) -> Bool {
        switch scope.content(nj_field(UInt32(field)), of: span) {
        case .absent: test.holds(for: nil)
        case .number(let number): test.holds(for: .double(number))
        case .text(let bytes):
            test.holds(for: path.isEmpty ? .string(String(decoding: bytes, as: UTF8.self)) : nil)
        case .value(let value): test.holds(for: value.at(path))
        }
    }
}

extension Value {
    /// The value at the end of a path of keys.
    func at(_ path: [String]) -> Value? {
        var value = self
        for key in path {
            guard let next = value[key] else { return nil }
            value = next
        }
        return value
    }
}
