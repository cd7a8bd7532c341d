import Hummingbird
import Logging
import Metrics
import Nightjar
import Tracing

/// A shop that answers questions about orders over HTTP, with an agent behind it.
struct Shop {
    let observability: Observability
    let logger = Logger(label: "shop")
    let warehouse = Warehouse()

    /// The service. What it observes itself with comes first in its services, so that it is shut down last.
    func application(
        port: Int,
        onServerRunning: @escaping @Sendable (Int) async -> Void
    ) -> some ApplicationProtocol {
        let router = Router()
        router.add(middleware: TracingMiddleware())
        router.add(middleware: MetricsMiddleware())
        router.add(middleware: LogRequestsMiddleware(.info))
        router.get("orders/:order") { _, context in
            try await answer(order: context.parameters.require("order"))
        }
        return Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: port)),
            services: [observability],
            onServerRunning: { await onServerRunning($0.localAddress?.port ?? 0) },
            logger: logger
        )
    }

    /// Swift's own interfaces: whatever a library uses of them comes out correlated.
    private func answer(order: String) async throws -> String {
        // doc
        try await withSpan("answer") { span in
            span.attributes["shop.order"] = order
            Counter(label: "shop.questions", dimensions: [("channel", "http")]).increment()
            logger.info("asked about an order", metadata: ["order": "\(order)"])
            return try await support(order: order)
        }
        // end
    }

    /// What Swift's interfaces have no words for: an agent's run, its input and output, a tool that it calls.
    private func support(order: String) async throws -> String {
        let question = SpanOptions(input: .string("Where is order \(order)?"), metadata: ["userId": "ada"])
        return try await observability.withSpan("support", type: .agentRun, with: question) { run in
            let call = SpanOptions(input: ["order": .string(order)])
            let place = try await observability.withSpan("find_order", type: .toolCall, with: call) { tool in
                let place = try await warehouse.place(of: order)
                tool.end(output: ["place": .string(place)])
                return place
            }
            let answer = "Order \(order) is \(place)."
            run.end(output: .string(answer))
            return answer
        }
    }
}

/// Where orders are. It knows nothing of agents: its line belongs to the tool's call nonetheless.
struct Warehouse {
    private let logger = Logger(label: "warehouse")

    func place(of order: String) async throws -> String {
        guard order == "17" else { throw HTTPError(.notFound) }
        logger.notice("looked the order up")
        return "on its way"
    }
}
