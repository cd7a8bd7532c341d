import Foundation
import Hummingbird
import Logging
import Nightjar
import ServiceLifecycle

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// Runs the shop, asks it a question as a client of another process would, shuts it down, and says what came out.
/// Exit code 0: spans, logs and metrics are of the client's trace; 1: they are not.
@main
struct ShopService {
    static let client = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    static func main() async throws {
        // doc
        let observability = try Observability(.init(serviceName: "shop", environment: "example"))
        observability.bootstrap(standardError: false)
        // end
        let seen = Seen()
        observability.bus.subscribe("seen") { seen.take($0) }

        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let application = Shop(observability: observability).application(port: 0) { port.yield($0) }
        let group = ServiceGroup(services: [application], logger: Logger(label: "group"))
        let answer = try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                // Ends the wait for the port where the service does not come up.
                defer { port.finish() }
                try await group.run()
            }
            var answer = ""
            for await port in ports.prefix(1) { answer = try await ask(port: port) }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return answer
        }
        print("answer: \(answer)")
        let faults = Proof(seen: seen.events, answer: answer).faults()
        for fault in faults { print("FAULT: \(fault)") }
        exit(faults.isEmpty ? 0 : 1)
    }

    private static func ask(port: Int) async throws -> String {
        guard let url = URL(string: "http://127.0.0.1:\(port)/orders/17") else { return "" }
        var request = URLRequest(url: url, timeoutInterval: 20)
        request.setValue(client, forHTTPHeaderField: "traceparent")
        let (body, _) = try await URLSession.shared.data(for: request)
        return String(decoding: body, as: UTF8.self)
    }
}
