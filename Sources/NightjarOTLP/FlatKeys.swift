import CNightjarSignals
import NightjarSignals

/// Builds values back from keys that spell a path (`llm.input_messages.0.message.role`).
struct FlatKeys {
    /// Deeper paths keep their rest as one key: no sender nests so far, and building goes down the path.
    private static let maximumDepth = 16

    private final class Node {
        var value: Value?
        var children: [String: Node] = [:]
        var order: [String] = []
    }

    private let root = Node()

    /// The values under a prefix, which ends with a point; nil where no key has it.
    static func value(under prefix: StaticString, of attributes: SpanAttributes) -> Value? {
        let keys = FlatKeys()
        attributes.forEach(prefix: prefix) { path, row in keys.insert(path, AttributeValues.value(row)) }
        return keys.root.order.isEmpty ? nil : built(keys.root)
    }

    private func insert(_ path: String, _ value: Value) {
        var node = root
        for segment in path.split(separator: ".", maxSplits: Self.maximumDepth) {
            let name = String(segment)
            if let next = node.children[name] {
                node = next
            } else {
                let next = Node()
                node.children[name] = next
                node.order.append(name)
                node = next
            }
        }
        node.value = value
    }

    /// A list where every name is a number, in the order of the numbers; else an object.
    private static func built(_ node: Node) -> Value {
        guard !node.children.isEmpty else { return node.value ?? .null }
        let indices = node.order.compactMap { Int($0) }
        if indices.count == node.order.count {
            return .array(indices.sorted().compactMap { node.children[String($0)] }.map(built))
        }
        var object = Value.Object()
        for name in node.order { object[name] = node.children[name].map(built) }
        return .object(object)
    }
}
