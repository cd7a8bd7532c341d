import NightjarBus
public import ServiceLifecycle

extension Observability: Service {
    /// Waits until its service group shuts down, or the task is cancelled; then finishes what was made, and shuts down. In a
    /// group it stands before the services that it observes, for the last to start is the first to stop.
    public func run() async {
        do {
            try await gracefulShutdown()
        } catch {
            // Cancelled: it ends in the same way, for nothing in the shutdown minds cancellation.
        }
        await shutdown()
    }
}
